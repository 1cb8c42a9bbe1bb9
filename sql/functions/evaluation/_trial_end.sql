CREATE FUNCTION pgsim._trial_end() RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made text;
BEGIN
    FOR made IN SELECT r.relname FROM pg_class AS r WHERE r.relnamespace = pg_my_temp_schema() AND r.relname IN ('_pgsim_trial', '_pgsim_trial_query', '_pgsim_trial_turned') AND r.relkind = 'r' LOOP
        EXECUTE format('DROP TABLE pg_temp.%I', made);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._trial_end IS 'Drops what _trial_begin made. So does the end of the session.';
