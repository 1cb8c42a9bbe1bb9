CREATE FUNCTION pgsim._text_pieces(content text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pieces text[] := '{}';
    rest text := content;
    piece text;
    cut int;
BEGIN
    WHILE length(rest) > 12000 LOOP
        piece := left(rest, 12000);
        cut := 12000 - coalesce(length(substring(piece FROM '\S*$')), 0);
        cut := CASE WHEN cut < 6000 THEN 12000 ELSE cut END;
        pieces := pieces || left(piece, cut);
        rest := substr(rest, cut + 1);
    END LOOP;
    RETURN pieces || rest;
END
$$;
COMMENT ON FUNCTION pgsim._text_pieces IS
    'A long text cut between words: a tsvector holds one megabyte and 16383 positions, and raises an error or counts too little beyond.';
