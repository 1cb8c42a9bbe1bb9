CREATE FUNCTION pgsim._recall_searches(
    collection text, queries vector[], sparse_queries sparsevec[], model text, embedding text, sample int, seed int
) RETURNS TABLE (query vector, sparse_query sparsevec, ordinal bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := CASE WHEN sparse_queries IS NULL THEN pgsim._target(collection, model, embedding) ELSE pgsim._sparse_target(collection, model, embedding) END;
BEGIN
    IF t.element <> 'sparsevec' OR queries IS NOT NULL AND sparse_queries IS NULL THEN
        queries := pgsim._recall_queries(collection, queries, model, embedding, sample, seed);
        FOR i IN 1 .. cardinality(queries) LOOP
            query := queries[i];
            ordinal := i;
            RETURN NEXT;
        END LOOP;
        RETURN;
    ELSIF queries IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'queries and sparse_queries are both given', HINT = 'Recall is measured of one embedding at a time: leave one of them out.';
    ELSIF cardinality(sparse_queries) NOT BETWEEN 1 AND 10000 OR array_ndims(sparse_queries) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sparse_queries holds %s vectors; it is a plain list of 1 to 10000', cardinality(sparse_queries)),
            HINT = 'Leave it out to take rows of the collection as queries.';
    ELSIF sample IS NULL OR sample NOT BETWEEN 1 AND 10000 OR seed IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sample is %s and seed is %s; sample is a number of rows from 1 to 10000, and seed a whole number', coalesce(sample::text, 'NULL'), coalesce(seed::text, 'NULL')),
            HINT = 'Each row of the sample is a query, searched exactly too; the same seed takes the same rows.';
    END IF;
    PERFORM pgsim._require_select(t.base, t.version);
    IF sparse_queries IS NULL THEN
        -- Through the base table, whose row-level security holds. The order is a hash of the key: the same rows each time.
        EXECUTE format('SELECT array_agg(s.v ORDER BY s.place, s.key) FROM (SELECT %1$s AS v, %2$s AS key, hashtextextended(%2$s, $1) AS place FROM %3$s AS b%4$s WHERE %5$s.l2_norm(%1$s) > 0 ORDER BY place, key LIMIT $2) AS s',
            format(CASE WHEN t.adopted THEN 'b.%I' ELSE 'v.%I' END, t.column_name), pgsim._key_text(t.base, 'b.', t.key_columns), t.base_sql,
            CASE WHEN NOT t.adopted THEN format(' JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END, t.vector_schema)
        INTO sparse_queries USING seed::bigint, sample;
    END IF;
    FOR i IN 1 .. coalesce(cardinality(sparse_queries), 0) LOOP
        PERFORM pgsim._check_sparse(sparse_queries[i], format('sparse query %s', i), t.model, t.dim, t.metric);
        sparse_query := sparse_queries[i];
        ordinal := i;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._recall_searches IS 'The queries that recall is measured with, dense or sparse: those given, checked, or the vectors of sampled rows.';
