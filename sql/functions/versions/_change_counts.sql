CREATE FUNCTION pgsim._change_counts(t pgsim._target) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    noted bigint;
    inserted bigint;
    updated bigint;
BEGIN
    -- Moved by capture whenever rows of a base table are queued, and whenever vectors are deleted.
    SELECT s.last_value + s.is_called::int INTO noted FROM pgsim._queue_id_seq AS s;
    -- What passes triggers by (replication, a session that turned them off) is counted, some seconds late.
    SELECT sum(pg_stat_get_tuples_inserted(p.relid)), sum(pg_stat_get_tuples_updated(p.relid)) INTO inserted, updated
    FROM (SELECT s.relid FROM pg_partition_tree(t.base) AS s UNION SELECT t.base) AS p (relid);
    RETURN CASE WHEN current_setting('track_counts') = 'on' OR t.follows IS NULL THEN jsonb_build_object('noted', noted, 'inserted', inserted, 'updated', updated) END;
END
$$;
COMMENT ON FUNCTION pgsim._change_counts IS 'Counts that move when rows of a base table are written, or vectors deleted; NULL where they cannot be trusted.';
