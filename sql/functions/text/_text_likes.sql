CREATE FUNCTION pgsim._text_likes(c pgsim._collection, x pgsim._text, query text, lexemes text[], form text) RETURNS TABLE (lexeme text, part int, boost float8)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source text := format('SELECT v.lexeme, v.docs FROM %s AS v', x.vocabulary);
    config regconfig := x.text_config::regconfig;
    word record;
    most int;
BEGIN
    IF row_security_active(c.relation) THEN
        -- Who may not see all rows may not learn their words, and gets those of the rows it sees; others would find it nothing.
        source := format('SELECT w.lexeme, count(*)::int AS docs FROM %s AS r CROSS JOIN LATERAL (%s) AS w GROUP BY w.lexeme', c.relation,
                         pgsim._text_tokens(x.text_config, x.columns, x.weights, 'r.'));
    END IF;
    IF form = 'prefix' THEN
        FOR word IN
            SELECT w.ordinal, ARRAY(SELECT DISTINCT s FROM unnest(ARRAY[lower(w.word)] || ARRAY(SELECT u.lexeme FROM unnest(to_tsvector(config, w.word)) AS u)) AS s) AS starts
            FROM (SELECT m.m[1] AS word, min(m.ordinal) AS ordinal FROM regexp_matches(left(query, 100000), '[^[:space:][:punct:]]+', 'g') WITH ORDINALITY AS m (m, ordinal) GROUP BY m.m[1] ORDER BY 2 LIMIT 100) AS w
        LOOP
            RETURN QUERY EXECUTE format(
                'SELECT e.lexeme, $2, 1::float8 FROM (SELECT v.lexeme, sum(v.docs) AS docs FROM (%s) AS v WHERE %s GROUP BY v.lexeme ORDER BY docs DESC, v.lexeme LIMIT 100) AS e', source,
                -- The first characters beyond a prefix, in the order of their bytes.
                (SELECT string_agg(format('v.lexeme COLLATE "C" >= %L AND v.lexeme COLLATE "C" < %L', s, s || chr(1114111)), ' OR ') FROM unnest(word.starts) AS s))
            USING word.starts, word.ordinal::int;
        END LOOP;
        RETURN;
    END IF;
    FOR word IN SELECT w.word, w.ordinal::int AS ordinal FROM unnest(lexemes) WITH ORDINALITY AS w (word, ordinal) LOOP
        lexeme := word.word;
        part := word.ordinal;
        boost := 1;
        RETURN NEXT;
        CONTINUE WHEN word.ordinal > 100 OR NOT pgsim._is_fuzzy_word(word.word);
        most := CASE WHEN length(word.word) <= 5 THEN 1 ELSE 2 END;
        RETURN QUERY EXECUTE format(
            'SELECT d.lexeme, $3, 1 - d.distance::float8 / (pg_catalog.length($1) + 1) FROM ('
            '  SELECT l.lexeme, l.docs, pgsim._edit_distance($1, l.lexeme, $2) AS distance FROM ('
            '    SELECT v.lexeme, sum(v.docs) AS docs FROM (%s) AS v '
            '    WHERE pgsim._is_fuzzy_word(v.lexeme) AND pgsim._text_trigrams(v.lexeme) && $4 AND length(v.lexeme) BETWEEN length($1) - $2 AND length($1) + $2 AND v.lexeme <> $1 '
            '    GROUP BY v.lexeme '
            '    ORDER BY (SELECT count(*) FROM unnest($4) AS g WHERE position(g IN '' '' || v.lexeme || '' '') > 0) DESC, v.lexeme LIMIT 200) AS l) AS d '
            'WHERE d.distance <= $2 ORDER BY d.distance, d.docs DESC, d.lexeme LIMIT 20', source)
        USING word.word, most, word.ordinal, pgsim._text_trigrams(word.word);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._text_likes IS
    'The words that text_form prefix or fuzzy looks for beside those of the query: the 100 most frequent that begin so, or the 20 nearest of the 200 with most trigrams in common, within one edit up to five letters and two beyond. Of a query of more than 100 words, of the first 100.';
