CREATE FUNCTION pgsim._advise_hnsw(t pgsim._target, embedding text, plans pgsim._search_plan[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, served int[], seconds float8[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._calibration := pgsim._calibrated(t);
    g record := pgsim._advise_graph(t);
    bytes CONSTANT float8 := g.row_bytes * t.rows;
BEGIN
    IF g.missing THEN
        RETURN QUERY
            SELECT 'hnsw', format('%s.%I', t.version_sql, t.column_name), s.statement, bytes, g.row_seconds * t.rows, concat('there is no vector index on all rows', CASE WHEN bytes > g.memory THEN pgsim._advise_memory(bytes) END), s.arguments, array_agg(u.place), array_agg(u.seconds)
            FROM (SELECT p AS place, pgsim._ann_seconds(c, plans[p], least(plans[p].expected, plans[p].reachable)) AS seconds FROM generate_series(1, cardinality(plans)) AS p
                  WHERE plans[p].recall < 1) AS u
            CROSS JOIN pgsim._advise_create_index(t, embedding, g.element, 'hnsw', NULL) AS s
            WHERE u.seconds < 'Infinity'
            GROUP BY s.statement, s.arguments;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._advise_hnsw IS 'What pgsim.advise may say of an HNSW index on all rows, where there is none.';
