CREATE FUNCTION pgsim._detach_version(t pgsim._target) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    index_sql text;
BEGIN
    PERFORM pgsim._drop_codes(i.version_id, i.relation) FROM pgsim._index AS i JOIN pg_class AS r ON r.oid = i.relation WHERE i.version_id = t.version_id AND i.method = 'codes';
    PERFORM pgsim._drop_inverted(i.id) FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'inverted';
    FOR index_sql IN
        SELECT x.indexrelid::regclass FROM pg_index AS x
        WHERE x.indrelid = t.version AND obj_description(x.indexrelid, 'pg_class') = pgsim._index_comment(t.version_id)
    LOOP
        EXECUTE format('COMMENT ON INDEX %s IS NULL', index_sql);
    END LOOP;
    DELETE FROM pgsim._version AS v WHERE v.id = t.version_id;
    DELETE FROM pgsim._queue AS q WHERE q.version_id = t.version_id;
    DELETE FROM pgsim._search_log AS l WHERE l.version_id = t.version_id;
END
$$;
COMMENT ON FUNCTION pgsim._detach_version IS 'Takes a version out of the registry and leaves its vectors and their plain indexes where they are.';
