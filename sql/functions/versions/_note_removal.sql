CREATE FUNCTION pgsim._note_removal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A sequence waits for nobody, and whoever looks sees it move at once.
    PERFORM nextval('pgsim._queue_id_seq');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._note_removal IS
    'Trigger: lets it be seen that vectors went from a version table, so that it is not taken for whole because it once was. Of a cascade it fires once a statement.';
REVOKE ALL ON FUNCTION pgsim._note_removal FROM PUBLIC;
