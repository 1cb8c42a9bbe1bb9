CREATE FUNCTION pgsim._begin_work(collection text, model text, embedding text, name text, OUT worker int, OUT version int)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._check_backfill(t, embedding);
    IF t.element = 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('model %L is sparse, and embedders make dense vectors', t.model),
            HINT = 'Take batches with pgsim.next_batch, and store them with pgsim.upsert(..., sparse_vectors => ...).';
    END IF;
    PERFORM pgsim._reclaim(t.version_id, NULL);
    INSERT INTO pgsim._backfill (version_id) VALUES (t.version_id) ON CONFLICT DO NOTHING;
    INSERT INTO pgsim._worker AS w (version_id, name) VALUES (t.version_id, _begin_work.name) RETURNING w.id INTO worker;
    PERFORM pg_advisory_lock('pgsim._worker'::regclass::oid::int, worker);
    version := t.version_id;
END
$$;
COMMENT ON FUNCTION pgsim._begin_work IS 'Registers a worker of a version, which lives as long as this session or until pgsim._end_work, and returns its number.';
