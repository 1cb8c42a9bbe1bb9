CREATE FUNCTION pgsim.drop_version(collection text, model text, embedding text = 'default', force boolean = false, reason text = NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    e pgsim._embedding;
    v pgsim._version;
    followers regclass[];
BEGIN
    PERFORM pgsim._lock_embedding(collection, embedding);
    c := pgsim._collection_row(collection);
    e := pgsim._embedding_row(c, embedding);
    SELECT * INTO v FROM pgsim._version AS s WHERE s.embedding_id = e.id AND s.model_id = (pgsim._model_row(model)).id;
    IF v.id IS NULL THEN
        PERFORM pgsim._target(collection, model, embedding);
    END IF;
    IF v.state = 'active' AND NOT coalesce(force, false) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035',
            MESSAGE = format('the version of %L under model %L is active: searches are answered from it', collection, model),
            HINT = 'Drop it all the same with force => true.';
    END IF;
    followers := pgsim._release_followers(v.id, force);
    PERFORM pgsim._record_transition(v.id, 'drop', v.state, NULL, reason, v.state = 'active');
    PERFORM pgsim._drop_version(v.id);
    PERFORM pgsim._sync_triggers(c);
    PERFORM pgsim._sync_version_privileges(c, f) FROM unnest(followers) AS f;
END
$$;
COMMENT ON FUNCTION pgsim.drop_version IS
$$Drops a version: its table and indexes; of an adopted column only the indexes that pgsim made, the column stays.

force: drop it even when it is active, or when a derived version follows it: that stays, and from then on takes vectors itself, mapped on their
way (which takes all rows to be mapped). reason stands in pgsim.history, which keeps the step. Errors: PS001 to PS006, PS021, PS032, PS035.$$;
