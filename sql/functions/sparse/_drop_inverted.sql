CREATE FUNCTION pgsim._drop_inverted(id int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    version regclass;
    terms regclass;
    index regclass;
BEGIN
    SELECT s.* INTO c
    FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS s ON s.id = e.collection_id
    WHERE i.id = _drop_inverted.id;
    SELECT r.oid, o.oid, k.oid INTO version, terms, index
    FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id LEFT JOIN pg_class AS r ON r.oid = v.relation LEFT JOIN pg_class AS o ON o.oid = i.relation
    LEFT JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = r.relnamespace AND k.relkind = 'i'
    WHERE i.id = _drop_inverted.id;
    -- The triggers go first, and writers wait until all of it is gone.
    PERFORM pgsim._lock_tables(array_remove(ARRAY[version, terms], NULL)) WHERE num_nonnulls(version, terms) > 0;
    DELETE FROM pgsim._index AS i WHERE i.id = _drop_inverted.id;
    IF version IS NOT NULL AND EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
        PERFORM pgsim._sync_triggers(c);
    END IF;
    IF index IS NOT NULL THEN
        EXECUTE format('DROP INDEX %s', index);
    END IF;
    IF terms IS NOT NULL THEN
        EXECUTE format('DROP TABLE %s', terms);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._drop_inverted IS 'Drops an inverted index of sparse vectors, its table of terms, and the triggers that kept it.';
