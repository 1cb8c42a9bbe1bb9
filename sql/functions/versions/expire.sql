CREATE FUNCTION pgsim.expire(grace interval = '30 days') RETURNS TABLE (collection text, embedding text, model text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    due record;
BEGIN
    PERFORM pgsim._require_registrar();
    IF grace IS NULL OR grace NOT BETWEEN '0' AND '1000 years' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('grace is %s; it is a time span of 0 to 1000 years', coalesce(grace::text, 'NULL')), HINT = 'The default is 30 days.';
    END IF;
    FOR due IN
        SELECT v.id, v.collection, v.embedding, v.model FROM pgsim.versions AS v
        JOIN pgsim.collections AS c ON c.name = v.collection LEFT JOIN pg_class AS b ON b.oid = c.relation
        WHERE v.state = 'retired' AND (b.oid IS NULL OR pg_has_role(current_user, b.relowner, 'USAGE')) AND v.state_since <= clock_timestamp() - grace ORDER BY v.id
    LOOP
        -- What one collection comes to does not keep the others from theirs.
        BEGIN
            PERFORM pgsim._lock_embedding(due.collection, due.embedding);
            -- It may have been revived while this waited.
            CONTINUE WHEN NOT EXISTS (SELECT FROM pgsim._version AS v WHERE v.id = due.id AND v.state = 'retired');
            PERFORM pgsim.drop_version(due.collection, due.model, due.embedding, reason => format('retired longer than %s', grace));
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING USING MESSAGE = format('the version of %L under model %L is not dropped: %s', due.collection, due.model, SQLERRM), HINT = 'Run SELECT * FROM pgsim.check().';
            CONTINUE;
        END;
        collection := due.collection;
        embedding := due.embedding;
        model := due.model;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim.expire IS
$$Drops the versions that were retired longer than a grace ago, and returns them. An adopted column stays, as pgsim.drop_version leaves it.

Those whose tables the caller does not own are left alone. One that cannot be dropped stays, and a WARNING says why.
"pgsim chores" does it from cron, pgsim.schedule_chores from within the database. Errors: PS010, PS032.$$;
