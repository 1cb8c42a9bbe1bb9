CREATE FUNCTION pgsim._text_words(
    c pgsim._collection, x pgsim._text, query text, form text,
    OUT lexemes text[], OUT parts int[], OUT boosts float8[], OUT condition text, OUT recheck tsquery
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    config regconfig := x.text_config::regconfig;
    pieces text[] := CASE WHEN octet_length(query) <= 12000 THEN ARRAY[query] ELSE pgsim._text_pieces(query) END;
    token text;
    likes record;
BEGIN
    IF form IS NULL OR form NOT IN ('any', 'all', 'phrase', 'websearch', 'prefix', 'fuzzy') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('text_form is %s; known are any, all, phrase, websearch, prefix and fuzzy', coalesce(quote_literal(left(form, 80)), 'NULL')),
            HINT = 'Leave it out for rows that have any of the words.';
    END IF;
    lexemes := '{}';
    IF form IN ('phrase', 'websearch') THEN
        BEGIN
            recheck := CASE form WHEN 'phrase' THEN phraseto_tsquery(config, query) ELSE websearch_to_tsquery(config, query) END;
        EXCEPTION WHEN program_limit_exceeded THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('a query of %s characters is too long for text_form %L: %s', length(query), form, SQLERRM),
                HINT = 'Shorten it, or leave text_form out.';
        END;
        IF form = 'phrase' THEN
            SELECT coalesce(array_agg(DISTINCT u.lexeme), '{}') INTO lexemes FROM unnest(pieces) AS p (piece) CROSS JOIN LATERAL unnest(to_tsvector(config, p.piece)) AS u;
            parts := ARRAY(SELECT i FROM generate_subscripts(lexemes, 1) AS i);
            boosts := array_fill(1::float8, ARRAY[cardinality(lexemes)]);
            RETURN;
        END IF;
        condition := '';
        FOR token IN SELECT m[1] FROM regexp_matches(recheck::text, $re$('(?:[^'\\]|''|\\\\)*'(?::[*A-D]+)?|<->|<\d+>|[&|!()])$re$, 'g') AS m LOOP
            IF token ~ '^''' THEN
                lexemes := lexemes || replace(replace(substring(token FROM '^''(.*)''[^'']*$'), '''''', ''''), '\\', '\');
                boosts := boosts || CASE WHEN condition ~ '! $' THEN 0 ELSE 1 END::float8;
                condition := condition || format('{%s} ', cardinality(lexemes));
            ELSE
                condition := condition || CASE WHEN token ~ '^<' THEN 'AND ' WHEN token = '&' THEN 'AND ' WHEN token = '|' THEN 'OR ' ELSE token || ' ' END;
            END IF;
        END LOOP;
        boosts := coalesce(boosts, '{}');
        IF recheck::text !~ '<(-|\d+)>' THEN
            recheck := NULL;
        ELSE
            -- What is not to be next to something may be elsewhere in the row: the text itself tells.
            condition := CASE WHEN condition !~ '! \(' THEN regexp_replace(condition, '! {\d+}', 'true', 'g') END;
        END IF;
        condition := replace(condition, '! ', 'NOT ');
        parts := ARRAY(SELECT i FROM generate_subscripts(lexemes, 1) AS i);
        RETURN;
    END IF;
    SELECT coalesce(array_agg(DISTINCT u.lexeme), '{}') INTO lexemes FROM unnest(pieces) AS p (piece) CROSS JOIN LATERAL unnest(to_tsvector(config, p.piece)) AS u;
    parts := ARRAY(SELECT i FROM generate_subscripts(lexemes, 1) AS i);
    boosts := array_fill(1::float8, ARRAY[cardinality(lexemes)]);
    IF form IN ('prefix', 'fuzzy') THEN
        SELECT coalesce(array_agg(l.lexeme), '{}') AS lexemes, coalesce(array_agg(l.part), '{}') AS parts, coalesce(array_agg(l.boost), '{}') AS boosts INTO likes
        FROM pgsim._text_likes(c, x, query, lexemes, form) AS l;
        lexemes := likes.lexemes;
        parts := likes.parts;
        boosts := likes.boosts;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._text_words IS
    'What a text query asks for: words, which of them stand for one word of the query and how much each counts; a condition over their numbers in braces, and a tsquery that the text is to match where only the text can tell.';
