CREATE FUNCTION pgsim._health_of_graphs(t pgsim._target, queries vector[], intrinsic_dimension float8) RETURNS TABLE (
    measure text, value float8, verdict text, explanation text, hint text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hidden CONSTANT boolean := row_security_active(t.base) OR row_security_active(t.version);
    x record;
    r record;
    why text;
BEGIN
    FOR x IN SELECT i.dims, i.element, min(i.index::text) AS first_index FROM pgsim._vector_indexes(t) AS i
             WHERE i.method = 'hnsw' AND i.valid AND NOT i.partial AND i.dims IS NOT NULL GROUP BY 1, 2 ORDER BY 1 DESC, 2 DESC LOOP
        SELECT * INTO r FROM pgsim._graph_recall(t, x.dims, x.element, CASE WHEN NOT hidden THEN queries END) AS g;
        why := CASE WHEN hidden THEN format('not measured for %s: row-level security hides rows from this role', x.first_index)
                    WHEN coalesce(cardinality(queries), 0) = 0 THEN format('not measured for %s: there are no vectors', x.first_index)
                    WHEN r.index_names IS NULL THEN format('not measured for %s: PostgreSQL does not choose it', x.first_index) END;
        RETURN QUERY
            SELECT format('recall_ef_%s', e.ef), e.recall, CASE WHEN e.ef = 200 THEN pgsim._verdict(1 - e.recall, 0.05, 0.1) ELSE pgsim._verdict(1 - e.recall, 0.1, 'inf') END,
                   coalesce(why, format('recall at 10 of %s alone with ef_search %s, over %s sampled rows as queries', r.index_names, e.ef, r.measured)),
                   CASE WHEN e.ef = 40 THEN 'A search that asks for a recall takes a larger ef by itself. By hand: SET hnsw.ef_search.'
                        WHEN intrinsic_dimension > 20 THEN 'The vectors are hard to index: build with more links (options => ''{"m": 32, "ef_construction": 128}'').'
                        ELSE format('The vectors are not hard to index, so the graph has suffered from the order of insertion or from changes: REINDEX INDEX CONCURRENTLY %s.', x.first_index) END
            FROM (VALUES (40, r.narrow), (200, r.wide)) AS e (ef, recall);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._health_of_graphs IS 'The measures of pgsim.health that try the HNSW indexes.';
