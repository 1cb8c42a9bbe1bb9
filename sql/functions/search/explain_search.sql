CREATE FUNCTION pgsim.explain_search(
    collection text, query vector = NULL, k int = 10, filter jsonb = NULL, text_query text = NULL, sparse_query sparsevec = NULL, model text = NULL, embedding text = 'default',
    recall float8 = NULL, mode text = 'auto', dims int[] = NULL, fusion text = NULL, weights jsonb = NULL, text_form text = 'any', legs jsonb = NULL,
    rank_constant float8 = NULL, candidates int = NULL, oversample int = NULL, max_distance float8 = NULL, after jsonb = NULL, distinct_on text = NULL,
    per_group int = 1, where_sql text = NULL, where_values jsonb = NULL, where_columns text[] = NULL
) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.details
    FROM pgsim._run_search(
        ROW(explain_search.collection, explain_search.k, explain_search.filter, explain_search.model, explain_search.embedding, explain_search.recall, explain_search.mode, explain_search.dims,
            explain_search.oversample, explain_search.max_distance, explain_search.after, explain_search.distinct_on, explain_search.where_sql, explain_search.where_values, explain_search.where_columns,
            pg_catalog.current_setting('search_path'))::pgsim._search_request,
        ARRAY[explain_search.query],
        ROW(CASE WHEN explain_search.text_query IS NOT NULL THEN ARRAY[explain_search.text_query] END, explain_search.text_form, explain_search.legs, explain_search.fusion, explain_search.weights, explain_search.rank_constant,
            explain_search.candidates, explain_search.per_group, CASE WHEN explain_search.sparse_query IS NOT NULL THEN ARRAY[explain_search.sparse_query] END)::pgsim._fusion_request, true) AS r;
END;
COMMENT ON FUNCTION pgsim.explain_search IS
$$Runs a search and tells what was done and why; it takes the same arguments as pgsim.search.

strategy (exact, codes, ann, partial, partition, funnel), reason, costs (seconds expected of each), rungs (of a funnel: dims, elements and how many each keeps), estimated_matches and matches (counted);
stages: each that was run, with what it read (index, tuples), its settings (ef, keep, margin), its seconds, and the fallback taken after it;
complete: true when k rows came, or every row that matches; calibration; rows; dims; filter and values (the predicate and what it reads from
$1); statement (the last one, over $1, the values, and $2, the query vector); settings; seconds (plan and search).
Of several legs: fusion (name, method, rank_constant, candidates), and legs: the kind, weight, rows, seconds and details of each, the details of a vector
being those above. Errors: PS001 to PS006, PS009 to PS016, PS032, PS035, PS050.$$;
