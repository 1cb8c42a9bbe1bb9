CREATE FUNCTION pgsim._watch_text(documents regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made record := pgsim._text_in_making(documents);
BEGIN
    PERFORM pgsim._sync_triggers(made.c);
END
$$;
COMMENT ON FUNCTION pgsim._watch_text IS 'The second step of a text index: from the end of this transaction on it follows its table. Writers wait for that end.';
