CREATE FUNCTION pgsim._text_removal(x pgsim._text, source text, condition text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format(
        'WITH pgsim_gone AS (DELETE FROM %s AS d USING %s WHERE %s RETURNING d.impacts, d.length), '
        'pgsim_terms AS (SELECT u.term, pg_catalog.count(*)::int AS docs FROM pgsim_gone AS g CROSS JOIN LATERAL pg_catalog.unnest(pgsim._text_terms(g.impacts)) AS u (term) GROUP BY u.term), '
        'pgsim_counted AS (SELECT pg_catalog.count(*)::int AS docs, coalesce(pg_catalog.sum(pg_catalog.round(g.length::float8::numeric, 2)), 0) AS length FROM pgsim_gone AS g) '
        'SELECT pg_catalog.array_agg(t.term), pg_catalog.array_agg(t.docs), c.docs, c.length FROM pgsim_counted AS c LEFT JOIN pgsim_terms AS t ON true GROUP BY c.docs, c.length',
        x.documents, source, condition);
END;
COMMENT ON FUNCTION pgsim._text_removal IS 'The statement that takes rows out of a text index; it returns their words'' ids, in how many of them each was, how many rows there were, and their lengths'' sum.';
