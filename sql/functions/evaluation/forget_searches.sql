CREATE FUNCTION pgsim.forget_searches(collection text, before timestamptz = NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    forgotten bigint;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    DELETE FROM pgsim._search_log AS l WHERE l.collection_id = c.id AND (before IS NULL OR l.at < before);
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION pgsim.forget_searches IS
$$Deletes what was recorded of a collection's searches, all of it or what is older than a time, and returns how many there were.

before: keep what was recorded then or later. What is set by pgsim.record_searches stays as it is. Errors: PS001, PS006, PS032.$$;
