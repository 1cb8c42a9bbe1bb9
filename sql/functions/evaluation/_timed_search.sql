CREATE FUNCTION pgsim._timed_search(
    collection text, query vector, sparse_query sparsevec, k int, filter jsonb, model text, embedding text, recall float8, mode text,
    where_sql text, where_values jsonb, where_columns text[], OUT distances float8[], OUT strategy text, OUT seconds float8
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    started CONSTANT timestamptz := pg_catalog.clock_timestamp();
BEGIN
    SELECT coalesce(pg_catalog.array_agg(s.distance), '{}'), coalesce(pg_catalog.min(coalesce(s.details OPERATOR(pg_catalog.#>>) '{legs,sparse,strategy}', s.details OPERATOR(pg_catalog.->>) 'strategy')), 'nothing found')
    INTO distances, strategy
    FROM pgsim.search(
        collection => _timed_search.collection, query => _timed_search.query, sparse_query => _timed_search.sparse_query, k => _timed_search.k, filter => _timed_search.filter,
        model => _timed_search.model, embedding => _timed_search.embedding, recall => _timed_search.recall, mode => _timed_search.mode,
        where_sql => _timed_search.where_sql, where_values => _timed_search.where_values, where_columns => _timed_search.where_columns) AS s;
    seconds := extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) started);
END
$$;
COMMENT ON FUNCTION pgsim._timed_search IS
    'A search: its distances in the order of rank, its strategy, and how long it took. It has the caller''s search_path, which where_sql is read by.';
