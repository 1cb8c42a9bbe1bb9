CREATE FUNCTION pgsim._calibrate_funnels(t pgsim._target, query vector, truth float8[], asked boolean, timed boolean) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    efs CONSTANT int[] := '{40,80,160,320,640,1000}';
    shares CONSTANT float8[] := '{1,0.5,0.25}';
    x record;
    statement text;
    previous jsonb;
    found float8[];
    started timestamptz;
    seconds float8;
    ranked float8;
    measured jsonb := '[]';
BEGIN
    FOR x IN SELECT DISTINCT i.dims, i.element FROM pgsim._index AS i
             JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = t.version_schema JOIN pg_index AS p ON p.indexrelid = k.oid AND p.indrelid = t.version AND p.indisvalid
             WHERE i.version_id = t.version_id AND i.method = 'hnsw' AND NOT i.options ? 'slice' AND i.where_filter IS NULL AND (i.dims < t.dim OR i.element = 'bit') ORDER BY 1, 2 LOOP
        CONTINUE WHEN x.element = 'halfvec' AND pgsim._vector_problem(query, t.dim, t.metric, 'halfvec') IS NOT NULL OR pgsim._prefix_is_zero(query, x.dims);
        statement := format('SELECT array_agg(n.d) FROM (SELECT v.%1$I OPERATOR(%2$s.%3$s) $1 AS d FROM %4$s AS v ORDER BY %5$s OPERATOR(%2$s.%6$s) %7$s LIMIT ',
            t.column_name, t.vector_schema, pgsim._distance_operator(t.metric), t.version_sql,
            pgsim._vector_expression(format('v.%I', t.column_name), t.vector_schema, t.prefix_metric, t.dim, t.element, x.dims, x.element), pgsim._distance_operator(t.metric, x.element),
            pgsim._vector_expression('$1', t.vector_schema, t.prefix_metric, t.dim, 'vector', x.dims, x.element));
        FOR e IN 1 .. cardinality(efs) LOOP
            previous := pgsim._set(jsonb_build_object('hnsw.iterative_scan', 'off', 'hnsw.ef_search', efs[e]::text, 'enable_seqscan', 'off', 'enable_sort', 'off', 'jit', 'off'));
            EXECUTE statement || efs[e] || ') AS n' INTO found USING query;
            seconds := NULL;
            ranked := NULL;
            IF timed THEN
                -- Ten of the candidates, and all: the difference is what ranking them costs.
                started := clock_timestamp();
                EXECUTE statement || '10) AS n' USING query;
                seconds := extract(epoch FROM clock_timestamp() - started);
                started := clock_timestamp();
                EXECUTE statement || efs[e] || ') AS n' USING query;
                ranked := extract(epoch FROM clock_timestamp() - started) - seconds;
            END IF;
            PERFORM pgsim._set(previous);
            measured := measured || (
                SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'dims', x.dims, 'element', x.element, 'share', s, 'ef', efs[e], 'depth', d, 'seconds', seconds, 'rank_row', ranked / (efs[e] - 10), 'distance', truth[d], 'asked', asked,
                    'recall', pgsim._tie_recall(found[1:(efs[e] * s)::int], truth[1:d]))), '[]')
                FROM unnest(shares) AS s CROSS JOIN unnest(pgsim._depths()) AS d WHERE d <= cardinality(truth) AND d <= efs[e] * s);
        END LOOP;
    END LOOP;
    RETURN measured;
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_funnels IS
    'How much of the rows nearest to a query, whose distances are known, is among the candidates that each index on a prefix or on bits gives, all of them or the first half or quarter, and in what time.';
