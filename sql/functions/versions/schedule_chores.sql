CREATE FUNCTION pgsim.schedule_chores(schedule text = '17 3 * * *', grace interval = '30 days', audit int = 20) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    job bigint;
BEGIN
    PERFORM pgsim._require_registrar();
    IF schedule IS NULL OR grace IS NULL OR grace NOT BETWEEN '0' AND '1000 years' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('schedule is %s and grace %s; give both, and a grace of 0 to 1000 years', coalesce(quote_literal(left(schedule, 80)), 'NULL'), coalesce(grace::text, 'NULL')),
            HINT = 'For instance ''17 3 * * *'', every night, and ''30 days''.';
    END IF;
    IF audit IS NULL OR audit NOT BETWEEN 0 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('audit is %s; it is how many rows of a version are searched for, 0 to 1000', coalesce(audit::text, 'NULL')), HINT = 'The default is 20; 0 audits nothing.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('database %I has no extension pg_cron, which runs jobs inside the database', current_database()),
            HINT = 'Run "pgsim chores" from the cron of any machine that reaches the database; or have an administrator create pg_cron.';
    END IF;
    EXECUTE pgsim._chores_statement(schedule, grace, audit) INTO job;
    RETURN job;
END
$$;
COMMENT ON FUNCTION pgsim.schedule_chores IS
$$Has pg_cron run pgsim.chores on a schedule, as the calling role, and returns the job's id; a schedule made before is replaced.

schedule: as cron has it, minute hour day month weekday; the default is every night. grace, audit: as pgsim.chores has them. Without pg_cron run "pgsim chores" from outside.
Errors: PS010, PS032, PS035.$$;
