CREATE FUNCTION pgsim.resume_backfill(collection text, model text = NULL, embedding text = 'default') RETURNS void
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
    UPDATE pgsim._backfill AS f SET paused_at = NULL, paused_by = NULL, reason = NULL WHERE f.version_id = t.version_id;
END
$$;
COMMENT ON FUNCTION pgsim.resume_backfill IS
$$Lets the workers of a version go on that pgsim.pause_backfill holds. model NULL: the active version; a derived one: the version that it follows.

Errors: PS001 to PS004, PS006, PS032.$$;
