CREATE FUNCTION pgsim.retire(collection text, model text, embedding text = 'default', reason text = NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._lock_embedding(collection, embedding);
    PERFORM pgsim._model_row(model);
    t := pgsim._target(collection, model, embedding);
    IF t.state = 'retired' THEN
        RETURN;
    ELSIF t.state = 'active' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the version of %L under model %L is active: searches are answered from it', collection, model),
            HINT = 'Activate another one first, or roll back.';
    END IF;
    PERFORM pgsim._release_followers(t.version_id, false);
    UPDATE pgsim._version AS v SET state = 'retired', lapsed = true, verified = NULL WHERE v.id = t.version_id;
    DELETE FROM pgsim._queue AS q WHERE q.version_id = t.version_id;
    PERFORM pgsim._record_transition(t.version_id, 'retire', t.state, 'retired', reason);
    PERFORM pgsim._sync_triggers(pgsim._collection_row(collection));
END
$$;
COMMENT ON FUNCTION pgsim.retire IS
$$Puts a version out of use: changes of rows are not queued for it any more, and searches that name it are refused. Its vectors stay.

pgsim.revive takes it up again; pgsim.expire drops it when its grace is over, pgsim.drop_version at once. The active version is not retired, nor
one that a derived version follows. Errors: PS001 to PS004, PS006, PS021, PS032, PS035.$$;
