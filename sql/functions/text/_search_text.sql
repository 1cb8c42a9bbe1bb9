CREATE FUNCTION pgsim._search_text(
    c pgsim._collection, query text, depth int, predicate text, given jsonb, explained boolean, form text = 'any',
    OUT keys text[], OUT scores float8[], OUT details jsonb
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.keys, r.scores, r.details
    FROM pgsim._run_text(c, query, depth, predicate, given, explained, form, pg_catalog.current_setting('search_path')) AS r;
END;
COMMENT ON FUNCTION pgsim._search_text IS
    'The best rows of a collection by BM25, of those that a predicate over the base table admits, ties in the order of their keys: fewer than depth only where fewer match.';
