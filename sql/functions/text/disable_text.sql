CREATE FUNCTION pgsim.disable_text(collection text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    PERFORM pgsim._text_row(c);
    PERFORM pgsim._drop_text(c);
END
$$;
COMMENT ON FUNCTION pgsim.disable_text IS 'Drops the text index of a collection; the table itself stays as it is. Errors: PS001, PS006, PS032, PS035.';
