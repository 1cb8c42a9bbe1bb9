CREATE FUNCTION pgsim._search_text(
    c pgsim._collection, query text, depth int, predicate text, given jsonb, explained boolean, form text = 'any',
    OUT keys text[], OUT scores float8[], OUT details jsonb
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    r record;
BEGIN
    -- It sets no search_path: the predicate is read by the caller's. In SQL it would be planned anew by each call.
    r := pgsim._run_text(c, query, depth, predicate, given, explained, form, pg_catalog.current_setting('search_path'));
    keys := r.keys;
    scores := r.scores;
    details := r.details;
END
$$;
COMMENT ON FUNCTION pgsim._search_text IS
    'The best rows of a collection by BM25, of those that a predicate over the base table admits, ties in the order of their keys: fewer than depth only where fewer match.';
