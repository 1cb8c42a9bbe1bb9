CREATE FUNCTION pgsim._sync_removal_trigger(version regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    enabled boolean := (SELECT g.tgenabled IN ('O', 'A') FROM pg_trigger AS g WHERE g.tgrelid = version AND g.tgfoid = 'pgsim._note_removal'::regproc);
BEGIN
    IF enabled IS NULL THEN
        EXECUTE format('CREATE TRIGGER note_removal AFTER DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION pgsim._note_removal()', version);
    ELSIF NOT enabled THEN
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER note_removal', version);
    END IF;
    IF enabled IS NOT TRUE THEN
        -- Vectors may have gone meanwhile.
        PERFORM nextval('pgsim._queue_id_seq');
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._sync_removal_trigger IS 'Makes or enables the trigger of a version table that lets it be seen that vectors went from it.';
