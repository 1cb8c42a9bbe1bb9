CREATE FUNCTION pgsim._end_work(worker int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_version int := (SELECT w.version_id FROM pgsim._worker AS w WHERE w.id = worker);
BEGIN
    PERFORM pg_advisory_unlock('pgsim._worker'::regclass::oid::int, worker);
    IF of_version IS NOT NULL THEN
        PERFORM pgsim._reclaim(of_version, NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._end_work IS 'A worker leaves: what it has not stored is in the queue again.';
