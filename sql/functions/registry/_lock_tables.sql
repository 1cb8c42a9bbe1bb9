CREATE FUNCTION pgsim._lock_tables(relations regclass[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lock_sql text := 'LOCK TABLE ' || array_to_string(relations, ', ') || ' IN ACCESS EXCLUSIVE MODE';
BEGIN
    -- Writers of a base table come to its version table second, and writers of vectors the other way round: whoever waits for one of
    -- them while holding the other may wait for ever.
    FOR attempt IN 1 .. 200 LOOP
        BEGIN
            EXECUTE lock_sql || ' NOWAIT';
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.05);
        END;
    END LOOP;
    EXECUTE lock_sql;
END
$$;
COMMENT ON FUNCTION pgsim._lock_tables IS 'Locks tables whose triggers are to go, all or none, for ten seconds without holding one while it waits for another.';
