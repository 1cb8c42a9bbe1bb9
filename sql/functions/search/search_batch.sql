CREATE FUNCTION pgsim.search_batch(
    collection text, queries vector[] = NULL, k int = 10, filter jsonb = NULL, text_queries text[] = NULL, sparse_queries sparsevec[] = NULL, model text = NULL, embedding text = 'default',
    recall float8 = NULL, mode text = 'auto', dims int[] = NULL, fusion text = NULL, weights jsonb = NULL, text_form text = 'any', legs jsonb = NULL,
    rank_constant float8 = NULL, candidates int = NULL, oversample int = NULL, max_distance float8 = NULL, after jsonb = NULL, distinct_on text = NULL,
    per_group int = 1, where_sql text = NULL, where_values jsonb = NULL, where_columns text[] = NULL
) RETURNS TABLE (query int, key text, score float8, distance float8, rank int, details jsonb)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
    SELECT r.query, n.key, coalesce(n.score, pgsim.score(r.metric, n.distance)), n.distance, n.rank::int + coalesce((search_batch.after ->> 'rank')::numeric::int, 0), coalesce(n.details, r.details)
    FROM pgsim._run_search(
        ROW(search_batch.collection, search_batch.k, search_batch.filter, search_batch.model, search_batch.embedding, search_batch.recall, search_batch.mode, search_batch.dims,
            search_batch.oversample, search_batch.max_distance, search_batch.after, search_batch.distinct_on, search_batch.where_sql, search_batch.where_values, search_batch.where_columns,
            pg_catalog.current_setting('search_path'))::pgsim._search_request,
        search_batch.queries,
        ROW(search_batch.text_queries, search_batch.text_form, search_batch.legs, search_batch.fusion, search_batch.weights, search_batch.rank_constant,
            search_batch.candidates, search_batch.per_group, search_batch.sparse_queries)::pgsim._fusion_request, false) AS r
    CROSS JOIN LATERAL unnest(r.keys, r.distances, r.scores, r.row_details) WITH ORDINALITY AS n (key, distance, score, details, rank)
    ORDER BY r.query, n.rank;
END;
COMMENT ON FUNCTION pgsim.search_batch IS
$$Searches for many query vectors in one call: planned once, answered each as by pgsim.search, whose arguments it takes.

query is the place of the vector in queries, from 1; a query that finds nothing has no rows. text_queries, sparse_queries: one for each vector, or in
their place; NULL in either leaves that one out. legs are the same for all.
Errors: PS001 to PS006, PS009 to PS016, PS032, PS035, PS050.$$;
