CREATE FUNCTION pgsim._is_verified(t pgsim._target, verified jsonb) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN coalesce(verified -> 'marks' = pgsim._change_marks(t), false)
       -- What was under way when it was compared, and was not seen, may have been of these tables.
       AND NOT EXISTS (
           SELECT FROM jsonb_array_elements_text(verified -> 'running') AS r (id)
           WHERE CASE WHEN r.id::xid8 < pg_snapshot_xmax(pg_current_snapshot()) THEN coalesce(pg_xact_status(r.id::xid8), 'committed') = 'committed' ELSE true END);
END
$$;
COMMENT ON FUNCTION pgsim._is_verified IS 'Whether nothing was written since every row of a version was found to have a vector. In doubt it is false, and the tables are compared again.';
