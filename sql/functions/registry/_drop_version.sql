CREATE FUNCTION pgsim._drop_version(version_id int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v pgsim._version;
    index_sql text;
BEGIN
    PERFORM pgsim._drop_codes(i.version_id, i.relation) FROM pgsim._index AS i JOIN pg_class AS r ON r.oid = i.relation WHERE i.version_id = _drop_version.version_id AND i.method = 'codes';
    PERFORM pgsim._drop_inverted(i.id) FROM pgsim._index AS i WHERE i.version_id = _drop_version.version_id AND i.method = 'inverted';
    DELETE FROM pgsim._version AS d WHERE d.id = _drop_version.version_id RETURNING * INTO v;
    DELETE FROM pgsim._queue AS q WHERE NOT EXISTS (SELECT FROM pgsim._version AS s WHERE s.id = q.version_id);
    DELETE FROM pgsim._search_log AS l WHERE l.version_id = _drop_version.version_id;
    IF NOT v.adopted THEN
        IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = v.relation) THEN
            EXECUTE format('DROP TABLE %s', v.relation);
        END IF;
        RETURN;
    END IF;
    FOR index_sql IN
        SELECT i.indexrelid::regclass FROM pg_index AS i
        WHERE i.indrelid = v.relation AND obj_description(i.indexrelid, 'pg_class') = pgsim._index_comment(v.id)
    LOOP
        EXECUTE format('DROP INDEX %s', index_sql);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._drop_version IS 'Removes a version from the registry, with all that pgsim made for it.';
