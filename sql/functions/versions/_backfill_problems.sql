CREATE FUNCTION pgsim._backfill_problems(c pgsim._collection, version_id int, model text, embedding text, object text)
RETURNS TABLE (severity text, object_named text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named text := format('%L, %L, %L', c.name, model, embedding);
BEGIN
    RETURN QUERY
        SELECT 'warning', object, format('%s rows were set aside, since they could not be embedded; the last: %s', count(*), (array_agg(left(p.error, 300) ORDER BY p.set_aside_at DESC))[1]),
               format('SELECT pgsim.retry_poison(%s), and run a worker; pgsim.poison_rows lists them', named)
        FROM pgsim._poison AS p WHERE p.version_id = _backfill_problems.version_id HAVING count(*) > 0;
    RETURN QUERY
        SELECT 'warning', object, format('%s rows are with workers that are gone', sum(cardinality(b.keys))), 'Run a worker, which takes them back: pgsim backfill, or pgsim.next_batch.'
        FROM pgsim._batch AS b
        WHERE b.version_id = _backfill_problems.version_id
          AND (b.expires_at < clock_timestamp()
               OR b.worker_id IS NOT NULL AND NOT EXISTS (
                   SELECT FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = 'pgsim._worker'::regclass AND l.objid = b.worker_id::oid
                       AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())))
        HAVING count(*) > 0;
    RETURN QUERY
        SELECT 'warning', object, format('its backfill is paused since %s by %s%s, and %s rows wait', p.paused_at::timestamptz(0), p.paused_by, coalesce(': ' || p.reason, ''), p.pending),
               format('SELECT pgsim.resume_backfill(%s)', named)
        FROM pgsim.backfill_progress AS p
        WHERE (p.collection, p.model, p.embedding) = (c.name, _backfill_problems.model, _backfill_problems.embedding) AND p.paused_at IS NOT NULL AND p.pending > 0;
    -- A build that was killed leaves an index that nobody registered. One that is under way holds a lock on the table.
    RETURN QUERY
        SELECT 'warning', object, format('index %s is left over from a build that did not end', u.name), format('DROP INDEX %s', u.name)
        FROM pgsim._unfinished_indexes(_backfill_problems.version_id) AS u;
END
$$;
COMMENT ON FUNCTION pgsim._backfill_problems IS 'What pgsim.check has to say of the backfill of a version: rows set aside, workers that are gone, a pause that was forgotten, an index build that was killed.';
