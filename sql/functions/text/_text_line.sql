CREATE FUNCTION pgsim._text_line(text_config regconfig, content text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT string_agg(repeat(CASE WHEN translate(u.lexeme, E' \t\n\f\r', '') = u.lexeme THEN u.lexeme ELSE md5(u.lexeme) END || ' ', cardinality(u.positions)), '')
    FROM unnest(CASE WHEN octet_length(content) <= 12000 THEN ARRAY[content] ELSE pgsim._text_pieces(content) END) AS p (piece)
    CROSS JOIN LATERAL unnest(to_tsvector(text_config, p.piece)) AS u;
END;
COMMENT ON FUNCTION pgsim._text_line IS
    'The words of a text as a text search configuration has them, each as often as it is there, with blanks between: what an index that splits at blanks reads. Indexes are made over it: it and _text_pieces stay as they are, and a change is a function of another name.';
