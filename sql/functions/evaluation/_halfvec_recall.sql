CREATE FUNCTION pgsim._halfvec_recall(t pgsim._target, k int) RETURNS float8
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q record;
    found float8[];
    recalls float8[] := '{}';
BEGIN
    FOR q IN EXECUTE 'SELECT query, truth FROM pg_temp._pgsim_trial_query ORDER BY number' LOOP
        EXECUTE format('SELECT array_agg(n.d) FROM (SELECT %s AS d FROM pg_temp._pgsim_trial AS s ORDER BY (s.v::%s.halfvec(%s) OPERATOR(%2$s.%4$s) $1::%2$s.halfvec(%3$s)) + 0, s.key COLLATE "C" LIMIT %5$s) AS n',
                       pgsim._trial_distance(t), t.vector_schema, t.dim, pgsim._distance_operator(t.metric), k)
        INTO found USING q.query;
        recalls := recalls || pgsim._tie_recall(found, q.truth);
    END LOOP;
    RETURN (SELECT avg(u) FROM unnest(recalls) AS u);
END
$$;
COMMENT ON FUNCTION pgsim._halfvec_recall IS 'The recall of exact searches of the copied rows, were they stored as halfvec.';
