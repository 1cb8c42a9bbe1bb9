CREATE FUNCTION pgsim._check_backfill(t pgsim._target, embedding text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    IF t.source_columns = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('embedding %L of collection %L has no source columns, so nothing can be embedded for it', embedding, t.collection),
            HINT = 'Its vectors come through pgsim.upsert; or declare another embedding with source columns.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_backfill IS 'Raises PS005, PS032 or PS035 unless the caller sees all rows of a version''s base table, and these have texts.';
