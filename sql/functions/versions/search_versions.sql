CREATE FUNCTION pgsim.search_versions(
    collection text, queries jsonb, k int = 10, filter jsonb = NULL, embedding text = 'default', recall float8 = NULL, mode text = 'auto',
    target text = NULL, where_sql text = NULL, where_values jsonb = NULL, where_columns text[] = NULL
) RETURNS TABLE (key text, score float8, distance float8, rank int, details jsonb)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT n.key, n.score, n.distance, n.rank::int, n.details
    FROM pgsim._search_versions(
        ROW(search_versions.collection, search_versions.k, search_versions.filter, NULL, search_versions.embedding, search_versions.recall, search_versions.mode, NULL,
            NULL, NULL, NULL, NULL, search_versions.where_sql, search_versions.where_values, search_versions.where_columns,
            pg_catalog.current_setting('search_path'))::pgsim._search_request,
        search_versions.queries, search_versions.target) AS r
    CROSS JOIN LATERAL unnest(r.keys, r.distances, r.scores, r.row_details) WITH ORDINALITY AS n (key, distance, score, details, rank)
    ORDER BY n.rank;
END;
COMMENT ON FUNCTION pgsim.search_versions IS
$$Searches two versions at once while rows move from one to the other: a row that has a vector of the new model is ranked by that, every other one by its old vector.

queries: the query's vector by each model, {"old": [...], "new": [...]}. target: the model that rows move to; by default that of the younger version.
Distances of two models cannot be compared, so places are: of the rows that have moved, the one found n places below the best stands for n divided by the share
that has moved, as the old model's own list tells for this query. With no row moved, or all, the answer is that of pgsim.search in the one version, to the last digit.
k rows come whenever k rows match. score is 1 / (1 + the places expected above it), or of an answer from one version alone that version's own; details names the model that
ranked each row, and distance is that model's. Filters, where_sql, row-level security and grants hold as in pgsim.search.
Errors: PS001 to PS006, PS010, PS012 to PS015, PS032, PS035.$$;
