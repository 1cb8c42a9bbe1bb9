CREATE FUNCTION pgsim.pause_backfill(collection text, model text = NULL, embedding text = 'default', reason text = NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        t := pgsim._followed(t);
    END IF;
    INSERT INTO pgsim._backfill AS f (version_id, paused_at, paused_by, reason) VALUES (t.version_id, clock_timestamp(), session_user, pause_backfill.reason)
    ON CONFLICT (version_id) DO UPDATE SET paused_at = coalesce(f.paused_at, excluded.paused_at), paused_by = excluded.paused_by, reason = excluded.reason;
END
$$;
COMMENT ON FUNCTION pgsim.pause_backfill IS
$$Holds all workers of a version, wherever they run, before their next call of an embedder, until pgsim.resume_backfill.

What they have embedded they store; changes of rows are queued meanwhile as ever. reason: shown in pgsim.backfill_progress.
model NULL: the active version; a derived one: the version that it follows. Errors: PS001 to PS004, PS006, PS032.$$;
