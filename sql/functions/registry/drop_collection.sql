CREATE FUNCTION pgsim.drop_collection(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
BEGIN
    PERFORM pgsim._require_registrar();
    SELECT * INTO c FROM pgsim._collection AS s WHERE s.name = drop_collection.name;
    IF c.id IS NULL THEN
        c := pgsim._collection_row(name);
    END IF;
    PERFORM pgsim._require_owner(c.relation);
    -- The strongest lock first: the foreign keys and triggers that go need it in the end, and others may hold what comes before.
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', c.relation);
    END IF;
    PERFORM pgsim._drop_version(v.id) FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id WHERE e.collection_id = c.id;
    PERFORM pgsim._drop_text(c);
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
        PERFORM pgsim._sync_triggers(c);
    END IF;
    DELETE FROM pgsim._queue AS q WHERE q.version_id = -c.id;
    DELETE FROM pgsim._collection AS d WHERE d.id = c.id;
END
$$;
COMMENT ON FUNCTION pgsim.drop_collection IS
    'Forgets a collection: its versions with their tables and indexes, its text index, its triggers, its queue. The table itself and its columns stay as they are. Errors: PS001, PS032.';
