CREATE FUNCTION pgsim._change_marks(t pgsim._target) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    noted bigint;
    base jsonb;
BEGIN
    -- An adopted column is written by the application, which nothing here sees. And under an older snapshot what is seen and what is counted are of two times.
    IF t.adopted OR current_setting('track_counts') <> 'on' OR current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN NULL;
    END IF;
    -- Moved by capture whenever rows of a base table are queued, and whenever vectors are deleted.
    SELECT s.last_value + s.is_called::int INTO noted FROM pgsim._queue_id_seq AS s;
    -- What passes triggers by (replication, disabled triggers) is counted, some seconds late.
    SELECT jsonb_build_array(count(*), sum(pg_stat_get_tuples_inserted(p.relid)), sum(pg_stat_get_tuples_updated(p.relid))) INTO base
    FROM (SELECT s.relid FROM pg_partition_tree(t.base) AS s UNION SELECT t.base) AS p (relid);
    RETURN jsonb_build_object('noted', noted, 'base', base, 'file', pg_relation_filenode(t.version));
END
$$;
COMMENT ON FUNCTION pgsim._change_marks IS
    'Marks that stay as they are as long as no row of the base table was written and no vector deleted; NULL where there are none that can be trusted.';
