CREATE FUNCTION pgsim.activate(collection text, model text, embedding text = 'default', force boolean = false, reason text = NULL) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    of_embedding int := pgsim._lock_embedding(collection, embedding);
    previous record;
    checked record;
BEGIN
    PERFORM pgsim._model_row(model);
    t := pgsim._target(collection, model, embedding);
    SELECT v.id, m.name INTO previous FROM pgsim._version AS v JOIN pgsim._model AS m ON m.id = v.model_id
    WHERE v.embedding_id = of_embedding AND v.state = 'active';
    IF previous.id = t.version_id THEN
        RETURN NULL;
    END IF;
    PERFORM pgsim._require_all_rows(t);
    IF t.state = 'retired' AND force THEN
        -- As pgsim.revive does: writers that began before would not know that their changes are to be queued again.
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', t.base_sql);
    END IF;
    checked := pgsim._activation_reasons(t);
    IF checked.reasons <> '{}' AND NOT coalesce(force, false) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS043',
            MESSAGE = format('the version of %L under model %L is not ready to be activated, for %s', collection, model,
                             CASE cardinality(checked.reasons) WHEN 1 THEN 'one reason' ELSE cardinality(checked.reasons) || ' reasons' END),
            DETAIL = array_to_string(checked.reasons, E'\n'),
            HINT = format('%s Or activate it as it is with force => true, which is put on record.',
                          CASE WHEN (checked.gates ->> 'missing')::bigint = 0 AND coalesce((checked.gates ->> 'waiting')::bigint, 0) = 0 THEN 'DETAIL says what to do about each.'
                               WHEN t.follows IS NOT NULL AND coalesce((checked.gates ->> 'waiting')::bigint, 0) = 0
                               THEN format('Map what is missing with pgsim.fill_version(%L, %L, %L), until it fills none.', collection, model, embedding)
                               WHEN t.source_columns = '{}' THEN 'Store what is missing with pgsim.upsert.'
                               ELSE format('Queue what is missing with pgsim.enqueue_missing(%L, %L, %L), and embed it: pgsim embed, or a worker of yours.', collection, model, embedding) END);
    END IF;
    PERFORM pgsim._switch(of_embedding, t.version_id);
    PERFORM pgsim._record_transition(t.version_id, 'activate', t.state, 'active', reason, checked.reasons <> '{}', checked.gates, previous.id);
    IF t.state = 'retired' THEN
        PERFORM pgsim._sync_triggers(pgsim._collection_row(collection));
    END IF;
    RETURN previous.name;
END
$$;
COMMENT ON FUNCTION pgsim.activate IS
$$Makes a version the one that answers searches, and returns the model it takes the place of; NULL where it is active already.

It moves one pointer: a search that runs meanwhile sees the old version or the new one. Refused with all reasons in DETAIL while rows
that have a text lack a vector or wait in the queue for one, while the active version has a vector index and this one none, while an
index is invalid or codes are not complete, and while a gate (pgsim.set_gate) is not passed. force => true activates it all the same; that, and
reason, stand in pgsim.history. The version before stays ready, is kept up with changes, and pgsim.rollback returns to it.
Rows and vectors are compared for this, which blocks nobody; where pgsim.mark_ready found every vector there and nothing was written since,
that is not done again. Errors: PS001 to PS006, PS032, PS043.$$;
