CREATE FUNCTION pgsim._compare_search(
    collection text, query vector, sparse_query sparsevec, k int, filter jsonb, model text, embedding text, recall float8, mode text,
    where_sql text, where_values jsonb, where_columns text[], exact_first boolean,
    OUT tie_recall float8, OUT short boolean, OUT strategy text, OUT seconds float8, OUT exact_seconds float8
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    answer record;
    exact record;
    -- What a measurement searches is no user's search.
    previous jsonb := pgsim._set('{"pgsim.recording": "off"}');
BEGIN
    IF NOT exact_first THEN
        SELECT * INTO answer FROM pgsim._timed_search(collection, query, sparse_query, k, filter, model, embedding, recall, mode, where_sql, where_values, where_columns);
    END IF;
    SELECT * INTO exact FROM pgsim._timed_search(collection, query, sparse_query, k, filter, model, embedding, NULL, 'exact', where_sql, where_values, where_columns);
    IF exact_first THEN
        SELECT * INTO answer FROM pgsim._timed_search(collection, query, sparse_query, k, filter, model, embedding, recall, mode, where_sql, where_values, where_columns);
    END IF;
    tie_recall := pgsim._tie_recall(answer.distances, exact.distances);
    short := pg_catalog.cardinality(answer.distances) OPERATOR(pg_catalog.<) pg_catalog.cardinality(exact.distances);
    strategy := answer.strategy;
    seconds := answer.seconds;
    exact_seconds := exact.seconds;
    PERFORM pgsim._set(previous);
END
$$;
COMMENT ON FUNCTION pgsim._compare_search IS
    'A search beside the exact one. Whichever runs second finds in memory what the first has read, so the caller changes the order from query to query. It has the caller''s search_path, which where_sql is read by.';
