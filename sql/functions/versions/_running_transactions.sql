CREATE FUNCTION pgsim._running_transactions() RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- A snapshot does not list the latest ones; each holds a lock on itself. Locks have the id without its epoch.
    SELECT coalesce(jsonb_agg(CASE WHEN x.id > x.next + 2147483648 THEN x.id - 4294967296 WHEN x.id < x.next - 2147483648 THEN x.id + 4294967296 ELSE x.id END), '[]')
    FROM (SELECT s.next - s.next % 4294967296 + l.transactionid::text::bigint AS id, s.next
          FROM pg_locks AS l CROSS JOIN (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS s
          WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()) AS x;
END;
COMMENT ON FUNCTION pgsim._running_transactions IS 'The transactions of others that have written something and have not ended.';
