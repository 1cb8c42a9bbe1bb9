CREATE FUNCTION pgsim.revive(collection text, model text, embedding text = 'default', reason text = NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._lock_embedding(collection, embedding);
    PERFORM pgsim._model_row(model);
    t := pgsim._target(collection, model, embedding);
    IF t.state <> 'retired' THEN
        RETURN;
    END IF;
    -- Writers that began before would not know that their changes are to be queued again: until they are done, it waits.
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', t.base_sql);
    UPDATE pgsim._version AS v SET state = 'building' WHERE v.id = t.version_id;
    PERFORM pgsim._record_transition(t.version_id, 'revive', 'retired', 'building', reason);
    PERFORM pgsim._sync_triggers(pgsim._collection_row(collection));
END
$$;
COMMENT ON FUNCTION pgsim.revive IS
$$Takes a retired version up again: changes are queued for it from here on, and it is being built.

Then embed what came or changed while it was retired: pgsim.enqueue_missing, and a worker. pgsim.activate compares vectors with texts and refuses it
until that is done. Writers of the table wait for a moment, as when a version is created. A version that is not retired is left as it is.
Errors: PS001 to PS004, PS006, PS032.$$;
