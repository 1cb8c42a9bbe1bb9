CREATE FUNCTION pgsim._text_insertion(x pgsim._text, key_columns text[], source text, condition text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keys text := pgsim._key_list('c.', key_columns, true);
    impact text;
BEGIN
    impact := format('(c.tf * %s / (c.tf + %s * (%s + %s * c.length / r.average)))::real', x.k1 + 1, x.k1, 1 - x.b, x.b);
    -- Every word has its id: a FULL JOIN is one that is never made row against row, as it would be for a row of which few words are expected.
    -- A writer waits for no other: new words are added without a unique index, so that two who meet one at once give it two ids, of which a query
    -- asks for both; and counts are changed by rows that are appended.
    RETURN format(
        'WITH pgsim_counted AS MATERIALIZED ('
        '  SELECT %1$s, w.lexeme, w.tf, w.length, w.place FROM %2$s '
        '  CROSS JOIN LATERAL (SELECT k.lexeme, pg_catalog.sum(k.tf)::float8 AS tf, (pg_catalog.sum(pg_catalog.sum(k.tf)) OVER ())::real::float8 AS length, '
        '      pg_catalog.row_number() OVER (ORDER BY pg_catalog.sum(k.tf) DESC, k.lexeme COLLATE "C") AS place FROM (%3$s) AS k GROUP BY k.lexeme) AS w '
        '  WHERE w.place <= 16000%4$s), '
        'pgsim_reference AS MATERIALIZED (SELECT greatest(coalesce($5, (SELECT pg_catalog.avg(c.length) FROM pgsim_counted AS c WHERE c.place = 1)), 1e-3)::real::float8 AS average), '
        'pgsim_weighed AS MATERIALIZED (SELECT c.*, %5$s AS impact, r.average FROM pgsim_counted AS c CROSS JOIN pgsim_reference AS r), '
        'pgsim_words AS MATERIALIZED (SELECT c.lexeme, pg_catalog.count(*)::int AS docs, pg_catalog.max(c.impact) AS top FROM pgsim_weighed AS c GROUP BY c.lexeme), '
        'pgsim_known AS MATERIALIZED (SELECT w.*, v.term, v.top AS had FROM pgsim_words AS w '
        '  LEFT JOIN LATERAL (SELECT v.term, v.top FROM %6$s AS v WHERE v.lexeme = w.lexeme ORDER BY v.term LIMIT 1) AS v ON true), '
        'pgsim_made AS (INSERT INTO %6$s AS v (lexeme, docs, top) SELECT k.lexeme, k.docs, k.top FROM pgsim_known AS k WHERE k.term IS NULL RETURNING v.lexeme, v.term), '
        'pgsim_terms AS (SELECT k.lexeme, k.term FROM pgsim_known AS k WHERE k.term IS NOT NULL UNION ALL SELECT m.lexeme, m.term FROM pgsim_made AS m), '
        'pgsim_stored AS (INSERT INTO %7$s AS d (%8$s, length, average, impacts) '
        '  SELECT %9$s, c.length, c.average, (''{'' || pg_catalog.string_agg(t.term || '':'' || c.impact, '','') || ''}/1000000000'')::%10$s.sparsevec '
        '  FROM pgsim_weighed AS c FULL JOIN pgsim_terms AS t ON t.lexeme = c.lexeme GROUP BY %9$s, c.length, c.average RETURNING d.length, d.average), '
        'pgsim_changed AS (INSERT INTO %11$s AS h (term, docs, top) '
        '  SELECT s.term, pg_catalog.sum(s.docs), pg_catalog.max(s.top) FROM ('
        '    SELECT k.term, k.docs, k.top, k.had FROM pgsim_known AS k WHERE k.term IS NOT NULL '
        '    UNION ALL SELECT g.term, -g.docs, 0, NULL FROM unnest($1, $2) AS g (term, docs)) AS s '
        '  GROUP BY s.term HAVING pg_catalog.sum(s.docs) <> 0 OR pg_catalog.max(s.top) > coalesce(pg_catalog.max(s.had), 0) RETURNING h.term), '
        'pgsim_totals AS (INSERT INTO %11$s AS h (term, docs, top, length) '
        '  SELECT 0, pg_catalog.count(*) - $3, coalesce(pg_catalog.max(1 / s.average), 0), coalesce(pg_catalog.sum(pg_catalog.round(s.length::float8::numeric, 2)), 0) - $4 FROM pgsim_stored AS s '
        '  HAVING pg_catalog.count(*) > 0 OR $3 > 0) '
        'SELECT pg_catalog.array_agg(h.term) FROM pgsim_changed AS h',
        (SELECT string_agg(format('r.%I AS %I', k.name, n.name), ', ' ORDER BY k.ordinal)
         FROM unnest(key_columns) WITH ORDINALITY AS k (name, ordinal) JOIN unnest(pgsim._key_names(key_columns, true)) WITH ORDINALITY AS n (name, ordinal) USING (ordinal)),
        source, pgsim._text_tokens(x.text_config, x.columns, x.weights, 'r.'), coalesce(' AND ' || condition, ''), impact,
        x.vocabulary, x.documents, pgsim._key_list('', key_columns, true), keys, pgsim._vector_schema(), x.changes);
END
$$;
COMMENT ON FUNCTION pgsim._text_insertion IS
    'The statement that puts rows into a text index, over $1 to $4, what _text_removal returned, and $5, the mean length that impacts are reckoned with. It returns the ids whose counts changed.';
