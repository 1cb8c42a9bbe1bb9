CREATE FUNCTION pgsim._give_up_keeping(index_id int, text_of int, message text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    BEGIN
        UPDATE pgsim._index AS i SET complete = false WHERE i.id = index_id;
        UPDATE pgsim._text AS s SET complete = false WHERE s.collection_id = text_of;
    EXCEPTION WHEN serialization_failure THEN
        -- Another writer was first.
        RETURN;
    END;
    RAISE WARNING USING MESSAGE = message, HINT = 'Run SELECT * FROM pgsim.check().';
END
$$;
COMMENT ON FUNCTION pgsim._give_up_keeping IS
    'Marks an index of pgsim''s own, or the text index of a collection, as one that no longer agrees with its table, and warns. Triggers call it, which must not fail the writer.';
