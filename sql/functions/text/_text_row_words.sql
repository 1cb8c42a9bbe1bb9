CREATE FUNCTION pgsim._text_row_words(
    x pgsim._text, contents text[], removed_terms int[], removed int, removed_length numeric,
    OUT length float8, OUT average float8, OUT impacts text, OUT terms int[]
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lexemes text[];
    frequencies float8[];
    ids int[];
    tops float8[];
    weighed real[];
    made_lexemes text[];
    made_ids int[];
    changed_terms int[];
    changed_docs int[];
    changed_tops real[];
BEGIN
    SELECT array_agg(w.lexeme), array_agg(w.tf), max(w.length) INTO lexemes, frequencies, length
    FROM (
        SELECT k.lexeme, sum(k.tf)::float8 AS tf, (sum(sum(k.tf)) OVER ())::real::float8 AS length
        FROM unnest(contents, x.weights) AS f (content, weight)
        CROSS JOIN LATERAL unnest(CASE WHEN octet_length(f.content) <= 12000 THEN ARRAY[f.content] ELSE pgsim._text_pieces(f.content) END) AS p (piece)
        CROSS JOIN LATERAL (SELECT u.lexeme, f.weight::numeric * cardinality(u.positions) AS tf FROM unnest(to_tsvector(x.text_config::regconfig, p.piece)) AS u) AS k
        GROUP BY k.lexeme ORDER BY sum(k.tf) DESC, k.lexeme COLLATE "C" LIMIT 16000
    ) AS w;
    average := greatest(coalesce(pgsim._text_average(x), length), 1e-3)::real::float8;
    EXECUTE format('SELECT array_agg(v.term ORDER BY w.ordinal), array_agg(v.top ORDER BY w.ordinal) FROM unnest($1) WITH ORDINALITY AS w (lexeme, ordinal) '
                   'LEFT JOIN LATERAL (SELECT v.term, v.top FROM %s AS v WHERE v.lexeme = w.lexeme ORDER BY v.term LIMIT 1) AS v ON true', x.vocabulary)
    INTO ids, tops USING lexemes;
    weighed := ARRAY(SELECT (u.tf * (x.k1 + 1) / (u.tf + x.k1 * ((1 - x.b) + x.b * length / average)))::real FROM unnest(frequencies) WITH ORDINALITY AS u (tf, ordinal) ORDER BY u.ordinal);
    IF array_position(ids, NULL) IS NOT NULL THEN
        EXECUTE format('WITH made AS (INSERT INTO %s AS v (lexeme, docs, top) SELECT u.lexeme, 1, u.top FROM unnest($1, $2, $3) AS u (lexeme, term, top) WHERE u.term IS NULL RETURNING v.lexeme, v.term) '
                       'SELECT array_agg(m.lexeme), array_agg(m.term) FROM made AS m', x.vocabulary)
        INTO made_lexemes, made_ids USING lexemes, ids, weighed;
    END IF;
    SELECT '{' || string_agg(coalesce(u.term, m.term) || ':' || u.impact, ',') || '}/1000000000' INTO impacts
    FROM unnest(lexemes, ids, weighed) AS u (lexeme, term, impact) LEFT JOIN unnest(made_lexemes, made_ids) AS m (lexeme, term) ON m.lexeme = u.lexeme;
    SELECT array_agg(c.term), array_agg(c.docs), array_agg(c.top) INTO changed_terms, changed_docs, changed_tops
    FROM (SELECT s.term, sum(s.docs) AS docs, max(s.top) AS top
          FROM (SELECT u.term, 1 AS docs, u.impact AS top, u.had FROM unnest(ids, weighed, tops) AS u (term, impact, had) WHERE u.term IS NOT NULL
                UNION ALL SELECT g.term, -1, 0, NULL FROM unnest(removed_terms) AS g (term)) AS s
          GROUP BY s.term HAVING sum(s.docs) <> 0 OR max(s.top) > coalesce(max(s.had), 0)) AS c;
    terms := changed_terms;
    IF removed > 0 OR impacts IS NOT NULL THEN
        EXECUTE format('INSERT INTO %s (term, docs, top, length) SELECT u.term, u.docs, u.top, NULL FROM unnest($1, $2, $3) AS u (term, docs, top) UNION ALL SELECT 0, $4, $5, $6', x.changes)
        USING changed_terms, changed_docs, changed_tops, CASE WHEN impacts IS NULL THEN 0 ELSE 1 END - removed, CASE WHEN impacts IS NULL THEN 0 ELSE (1 / average)::real END,
              coalesce(round(length::numeric, 2), 0) - removed_length;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._text_row_words IS
    'What _text_insertion does for rows of a statement, for one row, but storing it: its impacts, and the counts that it changes. Several short statements are planned sooner than one long one.';
REVOKE ALL ON FUNCTION pgsim._text_row_words FROM PUBLIC;
