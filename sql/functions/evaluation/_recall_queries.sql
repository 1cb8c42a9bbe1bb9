CREATE FUNCTION pgsim._recall_queries(collection text, queries vector[], model text, embedding text, sample int, seed int) RETURNS vector[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := pgsim._target(collection, model, embedding);
BEGIN
    PERFORM pgsim._require_dense(t, 'queries is', 'Give sparse_queries, or neither: rows of the collection are queries then.');
    PERFORM pgsim._require_select(t.base, t.version);
    IF seed IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'seed is NULL; it is a whole number', HINT = 'The same seed takes the same rows. Leave it out for 0.';
    END IF;
    IF queries IS NOT NULL THEN
        IF cardinality(queries) NOT BETWEEN 1 AND 10000 OR array_ndims(queries) > 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('queries holds %s vectors; it is a plain list of 1 to 10000', cardinality(queries)),
                HINT = 'Leave it out to take rows of the collection as queries.';
        END IF;
        IF t.map_id IS NOT NULL THEN
            PERFORM pgsim._mapped_queries(t, queries);
            RETURN queries;
        END IF;
        FOR i IN 1 .. cardinality(queries) LOOP
            PERFORM pgsim._check_vector(queries[i], format('query %s', i), t.model, t.dim, t.metric, t.element);
        END LOOP;
        RETURN queries;
    END IF;
    IF sample IS NULL OR sample NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sample is %s; it is a number of rows from 1 to 10000', coalesce(sample::text, 'NULL')),
            HINT = 'Each row of the sample is a query, searched exactly too.';
    END IF;
    IF t.map_id IS NOT NULL THEN
        RETURN pgsim._given_to_map(t, sample, seed);
    END IF;
    RETURN pgsim._directed((pgsim._sample(t, sample, seed)).vectors, t.metric);
END
$$;
COMMENT ON FUNCTION pgsim._recall_queries IS 'The queries that recall is measured with: those given, checked, or the vectors of sampled rows.';
