CREATE FUNCTION pgsim._text_tokens(text_config text, columns text[], weights float8[], prefix text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT string_agg(format(
        'SELECT u.lexeme, %3$s * pg_catalog.cardinality(u.positions) AS tf '
        'FROM pg_catalog.unnest(CASE WHEN pg_catalog.octet_length(pg_catalog.concat(%1$s)) <= 12000 THEN ARRAY[pg_catalog.concat(%1$s)] ELSE pgsim._text_pieces(pg_catalog.concat(%1$s)) END) AS p (piece) '
        'CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.to_tsvector(%2$L::pg_catalog.regconfig, p.piece)) AS u',
        format('%s%I', prefix, f.name), text_config, f.weight), ' UNION ALL ' ORDER BY f.ordinal)
    FROM unnest(columns, weights) WITH ORDINALITY AS f (name, weight, ordinal);
END;
COMMENT ON FUNCTION pgsim._text_tokens IS 'The query that gives the words of a row, a row for each column and piece of it that has the word, and how much it counts there.';
