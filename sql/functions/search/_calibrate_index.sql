CREATE FUNCTION pgsim._calibrate_index(t pgsim._target, queries vector[], turned float8[] = NULL) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    depths CONSTANT int[] := pgsim._depths();
    efs CONSTANT int[] := '{40,80,160,320,640,1000}';
    element text := (SELECT u.element FROM pgsim._usable_index(t, t.dim, NULL) AS u WHERE u.method = 'hnsw');
    distance text := format('v.%I OPERATOR(%s.%s) $1', t.column_name, t.vector_schema, pgsim._distance_operator(t.metric));
    indexed text := format('%s OPERATOR(%s.%s) %s',
        pgsim._vector_expression(format('v.%I', t.column_name), t.vector_schema, t.prefix_metric, t.dim, t.element, t.dim, coalesce(element, t.element)), t.vector_schema,
        pgsim._distance_operator(t.metric), pgsim._vector_expression('$1', t.vector_schema, t.prefix_metric, t.dim, 'vector', t.dim, coalesce(element, t.element)));
    exact_sql text := format('SELECT array_agg(n.d) FROM (SELECT (%s) OPERATOR(pg_catalog.+) 0 AS d FROM %s AS v ORDER BY d LIMIT 200) AS n', distance, t.version_sql);
    index_sql text := format('SELECT array_agg(n.d) FROM (SELECT %s AS d FROM %s AS v ORDER BY %s LIMIT $2) AS n', distance, t.version_sql, indexed);
    previous jsonb;
    truth float8[];
    found float8[];
    started timestamptz;
    seconds float8;
    measured jsonb := '[]';
    funnels jsonb := '[]';
    of_query jsonb;
    ef int;
BEGIN
    FOR q IN 1 .. cardinality(queries) LOOP
        CONTINUE WHEN element = 'halfvec' AND pgsim._vector_problem(queries[q], t.dim, t.metric, 'halfvec') IS NOT NULL;
        EXECUTE exact_sql INTO truth USING queries[q];
        truth := array_remove(array_remove(truth, NULL), 'NaN');
        of_query := '[]';
        FOREACH ef IN ARRAY CASE WHEN element IS NULL THEN '{}' ELSE efs END LOOP
            previous := pgsim._set(jsonb_build_object('hnsw.iterative_scan', 'off', 'hnsw.ef_search', ef::text, 'enable_seqscan', 'off', 'enable_sort', 'off', 'jit', 'off'));
            EXECUTE index_sql INTO found USING queries[q], least(ef, 200);
            -- One in four is timed, and that tells enough.
            seconds := NULL;
            IF q % 4 = 1 THEN
                started := clock_timestamp();
                EXECUTE index_sql USING queries[q], 10;
                seconds := extract(epoch FROM clock_timestamp() - started);
            END IF;
            PERFORM pgsim._set(previous);
            of_query := of_query || (
                SELECT coalesce(jsonb_agg(jsonb_build_object('ef', ef, 'depth', d, 'seconds', seconds, 'distance', truth[d], 'asked', coalesce(turned[q], 0) < 1, 'recall', pgsim._tie_recall(found, truth[1:d]))), '[]')
                FROM unnest(depths) AS d WHERE d <= cardinality(truth) AND d <= ef);
        END LOOP;
        -- Rows that no ef finds say nothing of which to take. (Of a query that somebody asked they count all the same.)
        IF turned IS NULL OR pgsim._tie_recall(found, truth[1:10]) = 1 THEN
            measured := measured || of_query;
        END IF;
        IF turned IS NULL OR element IS NULL OR pgsim._tie_recall(found, truth[1:10]) = 1 THEN
            funnels := funnels || pgsim._calibrate_funnels(t, queries[q], truth, coalesce(turned[q], 0) < 1, q % 4 = 1);
        END IF;
    END LOOP;
    RETURN jsonb_build_object('index', measured, 'funnels', funnels);
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_index IS 'How much of the nearest ten to two hundred rows the index finds at some values of hnsw.ef_search, how far the last of them lies, and in what time. turned: by how much each query was turned, where nobody asked it; what is turned by 1 or more lies farther than most that is asked.';
