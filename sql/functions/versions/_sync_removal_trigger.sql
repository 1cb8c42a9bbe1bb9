CREATE FUNCTION pgsim._sync_removal_trigger(version regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT w.name, w.event, g.tgenabled IN ('O', 'A') AS enabled
        FROM (VALUES ('note_removal', 'DELETE ON %s REFERENCING OLD TABLE AS pgsim_rows'), ('note_truncation', 'TRUNCATE ON %s')) AS w (name, event)
        LEFT JOIN pg_trigger AS g ON g.tgrelid = version AND g.tgname = w.name AND g.tgfoid = 'pgsim._note_removal'::regproc
        WHERE g.tgenabled IN ('O', 'A') IS NOT TRUE
    LOOP
        IF wanted.enabled IS NULL THEN
            EXECUTE format('CREATE TRIGGER %I AFTER ' || wanted.event || ' FOR EACH STATEMENT EXECUTE FUNCTION pgsim._note_removal()', wanted.name, version);
        END IF;
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', version, wanted.name);
        -- Vectors may have gone meanwhile.
        PERFORM nextval('pgsim._truncation');
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._sync_removal_trigger IS 'Makes or enables the triggers of a version table that let it be seen that vectors went from it.';
