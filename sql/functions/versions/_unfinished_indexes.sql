CREATE FUNCTION pgsim._unfinished_indexes(version_id int) RETURNS TABLE (name text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT x.indexrelid::regclass::text
    FROM pgsim._version AS v
    JOIN pg_index AS x ON x.indrelid = v.relation AND NOT x.indisvalid
    JOIN pg_class AS k ON k.oid = x.indexrelid
    WHERE v.id = _unfinished_indexes.version_id AND NOT v.adopted
      AND NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = v.id AND i.name = k.relname)
      AND NOT EXISTS (SELECT FROM pg_locks AS l WHERE l.relation = v.relation AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
                      AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()));
END;
COMMENT ON FUNCTION pgsim._unfinished_indexes IS 'Indexes of a version table that are not valid, not registered, and that nobody builds: what a build leaves that was killed.';
