CREATE FUNCTION pgsim.rollback(collection text, embedding text = 'default', reason text = NULL) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    of_embedding int := pgsim._lock_embedding(collection, embedding);
    current_version record;
    step record;
    earlier record;
    waiting bigint := 0;
    few CONSTANT int := 5000;
BEGIN
    SELECT v.id, m.name INTO current_version FROM pgsim._version AS v JOIN pgsim._model AS m ON m.id = v.model_id
    WHERE v.embedding_id = of_embedding AND v.state = 'active';
    SELECT s.previous_version, s.previous_model INTO step FROM pgsim._transition AS s
    WHERE s.version_id = current_version.id AND s.action = 'activate' ORDER BY s.id DESC LIMIT 1;
    IF step.previous_version IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035',
            MESSAGE = CASE WHEN current_version.id IS NULL THEN format('embedding %L of collection %L has no active version to roll back', embedding, collection)
                           ELSE format('the version under model %L is the first that was active: there is none to go back to', current_version.name) END,
            HINT = 'Name the version that is to answer: pgsim.activate(collection, model).';
    END IF;
    SELECT v.id, v.state INTO earlier FROM pgsim._version AS v WHERE v.id = step.previous_version;
    IF earlier.id IS NULL OR earlier.state = 'retired' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035',
            MESSAGE = format('the version that was active before, under model %L, was %s', step.previous_model, CASE WHEN earlier.id IS NULL THEN 'dropped' ELSE 'retired, and changes were not followed since' END),
            HINT = CASE WHEN earlier.id IS NULL THEN format('Activate one that is there, or make that one again: pgsim.create_version(%L, %L, %L).', collection, step.previous_model, embedding)
                        ELSE format('Take it up again with pgsim.revive(%L, %L, %L), embed what is missing, and activate it.', collection, step.previous_model, embedding) END;
    END IF;
    t := pgsim._target(collection, step.previous_model, embedding);
    -- The way back is open whatever the gates say; but nobody should find out later.
    IF NOT row_security_active(t.base) THEN
        -- Counted one by one only where that is a matter of milliseconds.
        waiting := pgsim._noted_keys(coalesce(t.follows, t.version_id));
        IF waiting BETWEEN 1 AND few AND t.source_columns <> '{}' THEN
            waiting := (pgsim._noted_rows(t)).waiting;
        END IF;
    END IF;
    IF waiting > 0 THEN
        RAISE WARNING USING MESSAGE = format('%s%s rows wait to be embedded under model %L, and are found late or by their old text until they are', CASE WHEN waiting > few THEN 'up to ' END, waiting, step.previous_model),
            HINT = format('Run a worker for it: pgsim embed %s --model %s.', collection, step.previous_model);
    END IF;
    PERFORM pgsim._switch(of_embedding, t.version_id);
    PERFORM pgsim._record_transition(t.version_id, 'rollback', t.state, 'active', reason, false, jsonb_strip_nulls(jsonb_build_object('waiting', waiting)), current_version.id);
    RETURN step.previous_model;
END
$$;
COMMENT ON FUNCTION pgsim.rollback IS
$$Goes back to the version that was active before the active one was activated, and returns its model.

No gate stands in the way. That version was kept up with changes since, as long as a worker embedded them; a WARNING tells how many rows
still wait. Called again it goes back one further. Refused when that version was retired or dropped since. reason stands in pgsim.history.
Errors: PS001, PS003, PS006, PS032, PS035.$$;
