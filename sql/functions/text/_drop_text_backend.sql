CREATE FUNCTION pgsim._drop_text_backend(c pgsim._collection) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._text_backend;
    held regclass;
BEGIN
    DELETE FROM pgsim._text_backend AS s WHERE s.collection_id = c.id RETURNING * INTO t;
    held := pgsim._text_backend_index(c, t);
    IF held IS NOT NULL THEN
        EXECUTE format('DROP INDEX %s', held);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._drop_text_backend IS 'Drops the text index that a collection has of another extension, if it has one.';
