CREATE FUNCTION pgsim._advise_graph(t pgsim._target, OUT element text, OUT row_bytes float8, OUT row_seconds float8, OUT memory float8, OUT missing boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x record;
BEGIN
    SELECT i.element, i.bytes, i.tuples INTO x FROM pgsim._vector_indexes(t) AS i
    WHERE i.method = 'hnsw' AND NOT i.partial AND i.dims = t.dim AND i.valid ORDER BY i.element = t.element DESC LIMIT 1;
    element := coalesce(x.element, CASE WHEN t.dim <= CASE t.element WHEN 'halfvec' THEN 4000 ELSE 2000 END THEN t.element WHEN t.dim <= 4000 THEN 'halfvec' END);
    row_bytes := CASE WHEN x.tuples > 0 THEN x.bytes / x.tuples ELSE pgsim._hnsw_bytes(t.dim, element, 16, 1) END;
    memory := pg_size_bytes(current_setting('maintenance_work_mem'));
    row_seconds := 7e-5 + 6.5e-8 * t.dim * CASE element WHEN 'halfvec' THEN 2 ELSE 4 END;
    -- Neither one that is used nor one that is being built or was left by a build that failed.
    missing := element IS NOT NULL AND x.element IS NULL AND (pgsim._usable_index(t, t.dim, NULL)).name IS NULL
               AND NOT EXISTS (SELECT FROM pgsim._vector_indexes(t) AS i WHERE NOT i.partial AND coalesce(i.dims, t.dim) = t.dim);
END
$$;
COMMENT ON FUNCTION pgsim._advise_graph IS
    'Of what elements an HNSW index of a version is made (NULL where it is too wide for any), how many bytes and seconds of building a row takes, as long as all fit in memory, and whether there is none on all rows.';
