CREATE FUNCTION pgsim.search(
    collection text, query vector = NULL, k int = 10, filter jsonb = NULL, text_query text = NULL, sparse_query sparsevec = NULL, model text = NULL, embedding text = 'default',
    recall float8 = NULL, mode text = 'auto', dims int[] = NULL, fusion text = NULL, weights jsonb = NULL, text_form text = 'any', legs jsonb = NULL,
    rank_constant float8 = NULL, candidates int = NULL, oversample int = NULL, max_distance float8 = NULL, after jsonb = NULL, distinct_on text = NULL,
    per_group int = 1, where_sql text = NULL, where_values jsonb = NULL, where_columns text[] = NULL
) RETURNS TABLE (key text, score float8, distance float8, rank int, details jsonb)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT n.key, coalesce(n.score, pgsim.score(r.metric, n.distance)), n.distance, n.rank::int + coalesce((search.after ->> 'rank')::numeric::int, 0), coalesce(n.details, r.details)
    FROM pgsim._run_search(
        ROW(search.collection, search.k, search.filter, search.model, search.embedding, search.recall, search.mode, search.dims,
            search.oversample, search.max_distance, search.after, search.distinct_on, search.where_sql, search.where_values, search.where_columns,
            pg_catalog.current_setting('search_path'))::pgsim._search_request,
        ARRAY[search.query],
        ROW(CASE WHEN search.text_query IS NOT NULL THEN ARRAY[search.text_query] END, search.text_form, search.legs, search.fusion, search.weights, search.rank_constant,
            search.candidates, search.per_group, CASE WHEN search.sparse_query IS NOT NULL THEN ARRAY[search.sparse_query] END)::pgsim._fusion_request, false) AS r
    CROSS JOIN LATERAL unnest(r.keys, r.distances, r.scores, r.row_details) WITH ORDINALITY AS n (key, distance, score, details, rank)
    ORDER BY n.rank;
END;
COMMENT ON FUNCTION pgsim.search IS
$$Finds the k rows of a collection that answer a query vector, a text, a sparse vector, or several of these best, among those that a filter admits, in rank order.

Returns key (the base key as text; a JSON object of a composite one), score (higher is better), distance (the metric's own; NULL where the
vector did not find the row), rank (from 1) and details. Fewer than k rows come back only when fewer match. Ties come in the order of their keys.

query: a vector of the model's width. k: 1 to 10000. filter: conditions as JSON, {"section": "games", "size": {"$lt": 100}}.
where_sql, where_values: a condition as SQL over the table, its values read as ($1->>'name')::type; never build it from what
users type; where_columns: the columns it reads, if you want codes to serve it. model: default the active version's.
recall: the share of the exact answer that is to be found, on average, .5 to 1 (default .95). mode: auto takes what costs least at
that recall; exact ranks every match; codes and ann use just these, and exact when they give too few. max_distance: rows farther away
are left out. after: the last row of the page before, {"distance": ..., "key": ..., "rank": ...}. distinct_on: a column, of whose every
value only the best row comes, or the best per_group. dims: prefix lengths that the model declares, or
that an index has; one searches that prefix alone, of several each ranks what the shorter kept: at first oversample times k, or as many as the
recall asks for. Left out, a funnel is one of the ways that auto compares.

sparse_query: a sparse vector, one more leg (sparse), of the collection's sparse embedding. Under ip and cosine rows that share nothing with
it do not match.
text_query: words, ranked by BM25 (pgsim.enable_text first); text_form: how they are read. Alone, they answer alone; with query, both are
legs, each gives candidates rows (200, or twice k where that is more), and these are fused. fusion: minmax (default), relative_score,
tmm, dbsf, rrf (with rank_constant, 60), or a name of pgsim.create_fusion. weights: of every leg, {"dense": 0.7, "text": 0.3}; 0 leaves
one out. legs: more of them by name: {"title": {"query": [...], "embedding": "title"}, "phrase": {"text_query": "...", "text_form": "phrase"},
"recent": {"column": "published", "half_life": "30 days"}, "part": {"slice": "title"}}; docs/hybrid.md tells all.
Row-level security and grants of the table hold. Errors: PS001 to PS006, PS009 to PS016, PS032, PS035, PS050.$$;
