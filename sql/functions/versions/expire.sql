CREATE FUNCTION pgsim.expire(grace interval = '30 days') RETURNS TABLE (collection text, embedding text, model text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    due record;
BEGIN
    PERFORM pgsim._require_registrar();
    IF grace IS NULL OR grace < interval '0' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('grace is %s; it is a time span of 0 or more', coalesce(grace::text, 'NULL')), HINT = 'The default is 30 days.';
    END IF;
    FOR due IN
        SELECT v.id, v.collection, v.embedding, v.model FROM pgsim.versions AS v
        WHERE v.state = 'retired' AND v.state_since <= clock_timestamp() - grace ORDER BY v.id
    LOOP
        PERFORM pgsim._lock_embedding(due.collection, due.embedding);
        -- It may have been revived while this waited.
        CONTINUE WHEN NOT EXISTS (SELECT FROM pgsim._version AS v WHERE v.id = due.id AND v.state = 'retired');
        PERFORM pgsim.drop_version(due.collection, due.model, due.embedding, reason => format('retired longer than %s', grace));
        collection := due.collection;
        embedding := due.embedding;
        model := due.model;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim.expire IS
$$Drops the versions that were retired longer than a grace ago, and returns them. An adopted column stays, as pgsim.drop_version leaves it.

"pgsim chores" does it from cron, pgsim.schedule_chores from within the database. Errors: PS010, PS032.$$;
