CREATE FUNCTION pgsim._is_verified(t pgsim._target, verified jsonb) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    counts jsonb;
BEGIN
    IF verified IS NULL OR (verified -> 'marks' = pgsim._change_marks(t)) IS NOT TRUE THEN
        RETURN false;
    END IF;
    counts := pgsim._change_counts(t);
    -- Nobody queues what a derived version lacks.
    IF t.follows IS NOT NULL THEN
        RETURN coalesce(counts = verified -> 'counts', false)
           -- What was under way when it was compared, and was not seen, may have been of these tables.
           AND NOT EXISTS (
               SELECT FROM jsonb_array_elements_text(verified -> 'running') AS r (id)
               WHERE CASE WHEN r.id::xid8 < pg_snapshot_xmax(pg_current_snapshot()) THEN coalesce(pg_xact_status(r.id::xid8), 'committed') = 'committed' ELSE true END);
    END IF;
    -- Rows came, and no trigger has noted any.
    RETURN counts -> 'inserted' = verified #> '{counts,inserted}' OR counts -> 'noted' <> verified #> '{counts,noted}';
END
$$;
COMMENT ON FUNCTION pgsim._is_verified IS
    'Whether rows of a version that lack a vector are all known: every row had one once, and what changed since was noted. In doubt it is false, and the tables are compared again.';
