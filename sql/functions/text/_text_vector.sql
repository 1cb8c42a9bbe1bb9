CREATE FUNCTION pgsim._text_vector(config regconfig, contents text[]) RETURNS tsvector
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    content text;
    piece text;
    whole tsvector := '';
BEGIN
    FOREACH content IN ARRAY contents LOOP
        FOREACH piece IN ARRAY pgsim._text_pieces(content) LOOP
            whole := whole || to_tsvector(config, piece);
        END LOOP;
        -- So that no phrase runs from one column into the next.
        whole := whole || ''' '':1'::tsvector;
    END LOOP;
    RETURN whole;
EXCEPTION WHEN program_limit_exceeded THEN
    RETURN whole;
END
$$;
COMMENT ON FUNCTION pgsim._text_vector IS 'The tsvector of a row''s columns, one after another; of a text of more than a megabyte what comes first.';
