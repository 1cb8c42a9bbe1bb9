CREATE FUNCTION pgsim._graph_recall(
    t pgsim._target, dims int, element text, queries vector[], OUT index_names text, OUT measured int, OUT narrow float8, OUT wide float8
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Exact answers over a large table take long: once these are spent ten queries must do.
    patience CONSTANT interval := '3 seconds';
    enough CONSTANT int := 10;
    started CONSTANT timestamptz := clock_timestamp();
    distance CONSTANT text := format('%s OPERATOR(%s.%s) %s',
        pgsim._vector_expression(format('v.%I', t.column_name), t.vector_schema, t.prefix_metric, t.dim, t.element, dims, element),
        t.vector_schema, pgsim._distance_operator(t.metric, element),
        pgsim._vector_expression('$2', t.vector_schema, t.prefix_metric, t.dim, 'vector', dims, element));
    index_statement CONSTANT text := format('SELECT array_agg(n.d) FROM (SELECT %1$s AS d FROM %2$s AS v ORDER BY %1$s LIMIT 10) AS n', distance, t.version_sql);
    exact_statement CONSTANT text := format('SELECT array_agg(n.d) FROM (SELECT %1$s AS d FROM %2$s AS v ORDER BY (%1$s) OPERATOR(pg_catalog.+) 0 LIMIT 10) AS n', distance, t.version_sql);
    settings CONSTANT jsonb := '{"enable_seqscan": "off", "enable_sort": "off", "hnsw.iterative_scan": "off"}';
    given CONSTANT jsonb := '{}';
    previous jsonb;
    plan_indexes jsonb;
    truth float8[];
    found_distances float8[];
    narrow_sum float8 := 0;
    wide_sum float8 := 0;
BEGIN
    measured := 0;
    FOR i IN 1 .. coalesce(cardinality(queries), 0) LOOP
        EXIT WHEN measured >= enough AND clock_timestamp() > started + patience;
        CONTINUE WHEN element = 'halfvec' AND pgsim._vector_problem(queries[i], t.dim, t.metric, element) IS NOT NULL;
        EXECUTE exact_statement INTO truth USING given, queries[i];
        -- A row without a vector, and a prefix without a direction, have no distance.
        truth := array_remove(array_remove(truth, NULL), 'NaN');
        CONTINUE WHEN coalesce(cardinality(truth), 0) = 0;

        previous := pgsim._set(settings || '{"hnsw.ef_search": "40"}');
        IF index_names IS NULL THEN
            plan_indexes := pgsim._plan_indexes(pgsim._plan(index_statement, given, queries[i]));
            SELECT string_agg(quote_ident(p.name), ', ') INTO index_names
            FROM jsonb_array_elements_text(plan_indexes) AS p (name)
            WHERE EXISTS (SELECT FROM pg_class AS k JOIN pg_am AS m ON m.oid = k.relam WHERE k.relname = p.name AND m.amname = 'hnsw');
            IF index_names IS NULL THEN
                PERFORM pgsim._set(previous);
                RETURN;
            END IF;
        END IF;
        EXECUTE index_statement INTO found_distances USING given, queries[i];
        narrow_sum := narrow_sum + pgsim._tie_recall(found_distances, truth);
        PERFORM pgsim._set('{"hnsw.ef_search": "200"}');
        EXECUTE index_statement INTO found_distances USING given, queries[i];
        wide_sum := wide_sum + pgsim._tie_recall(found_distances, truth);
        PERFORM pgsim._set(previous);
        measured := measured + 1;
    END LOOP;
    narrow := narrow_sum / nullif(measured, 0);
    wide := wide_sum / nullif(measured, 0);
END
$$;
COMMENT ON FUNCTION pgsim._graph_recall IS
    'Recall at 10 of the HNSW index on a prefix and element type, at ef_search 40 (narrow) and 200 (wide), against exact search by the very same expression, so that it measures the graph alone. index_names are those that the plan reads; NULL when it reads no HNSW index.';
