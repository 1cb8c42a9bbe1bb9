CREATE FUNCTION pgsim._drop_codes(version_id int, codes regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    place text := (SELECT i.place FROM pgsim._index AS i WHERE i.relation = codes);
BEGIN
    SELECT s.* INTO c FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS s ON s.id = e.collection_id
    WHERE v.id = _drop_codes.version_id;
    -- The triggers go first, and writers wait until all of it is gone.
    PERFORM pgsim._lock_tables(ARRAY(
        SELECT r.oid::regclass FROM pg_class AS r
        WHERE r.oid IN (c.relation, (SELECT v.relation FROM pgsim._version AS v WHERE v.id = _drop_codes.version_id)) ORDER BY r.oid = c.relation DESC)
        || codes);
    DELETE FROM pgsim._index AS i WHERE i.relation = codes;
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
        PERFORM pgsim._sync_triggers(c);
    END IF;
    EXECUTE format('DROP TABLE %s', codes);
    IF place = 'serving' THEN
        -- Codes of another kind are measured anew.
        UPDATE pgsim._calibration AS k SET margins = NULL, code_row = NULL WHERE k.version_id = _drop_codes.version_id;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._drop_codes IS 'Drops the codes of a version, and the triggers that kept them.';
