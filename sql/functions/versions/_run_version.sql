CREATE FUNCTION pgsim._run_version(r pgsim._search_request, query jsonb, OUT keys text[], OUT distances float8[], OUT metric text, OUT details jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT s.keys, s.distances, s.metric, s.details INTO keys, distances, metric, details
    FROM pgsim._run_search(r, ARRAY[pgsim._vector_of(query #>> '{}')], ROW(NULL, 'any', NULL, NULL, NULL, NULL, NULL, 1, NULL)::pgsim._fusion_request, false) AS s;
END
$$;
COMMENT ON FUNCTION pgsim._run_version IS 'The plain search of one version, by a query vector in JSON that was checked.';
