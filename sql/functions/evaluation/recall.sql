CREATE FUNCTION pgsim.recall(
    collection text, queries vector[] = NULL, k int = 10, filter jsonb = NULL, model text = NULL, embedding text = 'default', recall float8 = NULL,
    mode text = 'auto', sample int = 100, seed int = 0, where_sql text = NULL, where_values jsonb = NULL, where_columns text[] = NULL,
    sparse_queries sparsevec[] = NULL
) RETURNS TABLE (
    searches int, mean_recall float8, low float8, high float8, worst float8, short int, seconds float8, exact_seconds float8, strategies jsonb
)
LANGUAGE sql VOLATILE ROWS 1
BEGIN ATOMIC
    WITH c AS MATERIALIZED (
        SELECT m.tie_recall, m.short, m.strategy, m.seconds, m.exact_seconds, q.ordinal
        FROM pgsim._recall_searches(recall.collection, recall.queries, recall.sparse_queries, recall.model, recall.embedding, recall.sample, recall.seed) AS q
        CROSS JOIN LATERAL pgsim._compare_search(
            recall.collection, q.query, q.sparse_query, recall.k, recall.filter, recall.model, recall.embedding, recall.recall, recall.mode,
            recall.where_sql, recall.where_values, recall.where_columns, q.ordinal % 2 = 0) AS m
    ),
    a AS MATERIALIZED (
        SELECT count(*)::int AS searches, avg(c.tie_recall) AS mean_recall, min(c.tie_recall) AS worst, count(*) FILTER (WHERE c.short)::int AS short,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY c.seconds) AS seconds, percentile_cont(0.5) WITHIN GROUP (ORDER BY c.exact_seconds) AS exact_seconds,
               pgsim._bootstrap_interval(array_agg(c.tie_recall ORDER BY c.ordinal), recall.seed) AS bounds
        FROM c
    )
    SELECT a.searches, a.mean_recall, a.bounds[1], a.bounds[2], a.worst, a.short, a.seconds, a.exact_seconds,
           (SELECT coalesce(jsonb_object_agg(s.strategy, s.times), '{}') FROM (SELECT c.strategy, count(*) AS times FROM c GROUP BY c.strategy) AS s)
    FROM a;
END;
COMMENT ON FUNCTION pgsim.recall IS
$$Measures the recall that searches get: runs each query, and the exact search beside it, and compares.

queries: vectors as your users send; without them, the vectors of sampled rows (sample, 1 to 10000; the same seed takes the same
rows), which are easier to find than real queries. Of an embedding of
sparse vectors these are sparse_queries. The other arguments are those of pgsim.search. A row counts as found when it is
as near as the k-th true one, within 1e-6: rows may tie. Returns searches; mean_recall with low and high, its 95% bootstrap interval
over the queries; worst; short, the answers with fewer rows than the exact one; seconds and exact_seconds, the median of each search;
strategies, and how often each answered. Errors: PS001 to PS006, PS010, PS012 to PS015, PS032, PS035.$$;
