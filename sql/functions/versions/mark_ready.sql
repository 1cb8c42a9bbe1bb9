CREATE FUNCTION pgsim.mark_ready(collection text, model text, embedding text = 'default') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    compared record;
    now_state text;
BEGIN
    PERFORM pgsim._lock_embedding(collection, embedding);
    PERFORM pgsim._model_row(model);
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_all_rows(t);
    IF t.state = 'retired' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the version of %L under model %L is retired, and changes were not followed since', collection, model),
            HINT = format('Take it up again with pgsim.revive(%L, %L, %L), and embed what is missing.', collection, model, embedding);
    END IF;
    compared := pgsim._compare_version(t);
    now_state := CASE WHEN t.state = 'active' THEN 'active' WHEN compared.missing = 0 THEN 'ready' ELSE 'building' END;
    IF now_state <> t.state THEN
        UPDATE pgsim._version AS v SET state = now_state WHERE v.id = t.version_id;
        PERFORM pgsim._record_transition(t.version_id, now_state, t.state, now_state, gates => jsonb_build_object('missing', compared.missing));
    END IF;
    RETURN compared.missing;
END
$$;
COMMENT ON FUNCTION pgsim.mark_ready IS
$$Compares a version with its table, and returns how many rows lack a vector; at 0 it is ready, and is activated without comparing again.

pgsim embed does it at its end. One that was ready and lacks rows is being built again. It reads the keys of both tables and blocks nobody.
Errors: PS001 to PS006, PS032, PS035.$$;
