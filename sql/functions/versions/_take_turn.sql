CREATE FUNCTION pgsim._take_turn(version_id int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock('pgsim._batch'::regclass::oid::int, version_id);
EXCEPTION
    -- Whoever has it is in a transaction of its own making. Two workers may get the same row then, if it is queued twice; both would store the same.
    WHEN lock_not_available THEN
        RETURN;
END
$$;
COMMENT ON FUNCTION pgsim._take_turn IS 'Lets one worker of a version after another take its batch, so that each sees what the others have: a row that is queued twice is embedded once.';
