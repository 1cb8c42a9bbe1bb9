CREATE FUNCTION pgsim._lock_embedding(collection text, embedding text) RETURNS int
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
    e := pgsim._embedding_row(c, embedding);
    PERFORM FROM pgsim._embedding AS s WHERE s.id = e.id FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM pgsim._embedding_row(c, embedding);
    END IF;
    RETURN e.id;
END
$$;
COMMENT ON FUNCTION pgsim._lock_embedding IS 'Lets one operator at a time change the versions of an embedding: others wait until the transaction ends. Searches do not.';
