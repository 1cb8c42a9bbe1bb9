CREATE FUNCTION pgsim._reclaim(version_id int, worker int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    other record;
    lost record;
BEGIN
    FOR other IN SELECT w.id FROM pgsim._worker AS w WHERE w.version_id = _reclaim.version_id AND w.id IS DISTINCT FROM worker LOOP
        IF pg_try_advisory_xact_lock_shared('pgsim._worker'::regclass::oid::int, other.id) THEN
            WITH gone AS (DELETE FROM pgsim._worker AS w WHERE w.id = other.id RETURNING w.done)
            UPDATE pgsim._backfill AS f SET done = f.done + gone.done FROM gone WHERE f.version_id = _reclaim.version_id AND gone.done > 0;
        END IF;
    END LOOP;
    -- A worker that is just storing has its batch locked, and keeps it.
    FOR lost IN
        SELECT b.id, b.keys FROM pgsim._batch AS b
        WHERE b.version_id = _reclaim.version_id
          AND (b.expires_at < clock_timestamp() OR b.worker_id IS NOT NULL AND NOT EXISTS (SELECT FROM pgsim._worker AS w WHERE w.id = b.worker_id))
        FOR UPDATE OF b SKIP LOCKED
    LOOP
        INSERT INTO pgsim._queue (version_id, operation, keys) VALUES (_reclaim.version_id, 'upsert', lost.keys);
        DELETE FROM pgsim._batch AS b WHERE b.id = lost.id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._reclaim IS 'Puts the rows of workers that are gone, and of batches whose lease is over, back into the queue.';
