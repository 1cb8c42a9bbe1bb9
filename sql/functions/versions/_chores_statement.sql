CREATE FUNCTION pgsim._chores_statement(schedule text, grace interval, audit int) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
RETURN pg_catalog.format('SELECT cron.schedule(%L, %L, %L)', 'pgsim chores', schedule, pg_catalog.format('SELECT pgsim.chores(grace => %L, audit => %s)', grace, audit));
COMMENT ON FUNCTION pgsim._chores_statement IS 'The statement that has pg_cron do the chores; one of that name is replaced.';
