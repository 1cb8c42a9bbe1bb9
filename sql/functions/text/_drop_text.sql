CREATE FUNCTION pgsim._drop_text(c pgsim._collection) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tables regclass[];
    made text;
BEGIN
    PERFORM pgsim._drop_text_backend(c);
    SELECT array_agg(r.oid::regclass ORDER BY r.oid) INTO tables
    FROM pgsim._text AS x JOIN pg_class AS r ON r.oid IN (x.documents, x.vocabulary, x.changes) WHERE x.collection_id = c.id;
    -- The triggers go first, and writers wait until all of it is gone.
    PERFORM pgsim._lock_tables(ARRAY(SELECT r.oid::regclass FROM pg_class AS r WHERE r.oid = c.relation) || tables)
    WHERE cardinality(tables) > 0;
    FOR made IN SELECT f FROM pgsim._text AS x CROSS JOIN LATERAL unnest(pgsim._text_functions(x)) AS f WHERE x.collection_id = c.id LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS %s', made);
    END LOOP;
    DELETE FROM pgsim._text AS x WHERE x.collection_id = c.id;
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
        PERFORM pgsim._sync_triggers(c);
    END IF;
    IF cardinality(tables) > 0 THEN
        EXECUTE format('DROP TABLE %s', array_to_string(tables, ', '));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._drop_text IS 'Drops the text index of a collection, if it has one, and the triggers that kept it.';
