CREATE FUNCTION pgsim.drop_embedding(collection text, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    e pgsim._embedding;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    e := pgsim._embedding_row(c, name);
    IF e.name = 'default' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the embedding ''default'' of %L stays as long as the collection', collection),
            HINT = 'Drop its versions with pgsim.drop_version, or the collection with pgsim.drop_collection.';
    END IF;
    PERFORM pgsim._drop_version(v.id) FROM pgsim._version AS v WHERE v.embedding_id = e.id;
    DELETE FROM pgsim._embedding AS d WHERE d.id = e.id;
    PERFORM pgsim._sync_triggers(c);
END
$$;
COMMENT ON FUNCTION pgsim.drop_embedding IS 'Drops an embedding of a collection with all its versions. The embedding named default goes with its collection. Errors: PS001, PS003, PS006, PS032, PS035.';
