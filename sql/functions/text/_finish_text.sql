CREATE FUNCTION pgsim._finish_text(documents regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made record := pgsim._text_in_making(documents);
BEGIN
    UPDATE pgsim._text AS s SET built = true WHERE s.collection_id = (made.c).id;
END
$$;
COMMENT ON FUNCTION pgsim._finish_text IS 'The last step of a text index: searches may use it.';
