CREATE FUNCTION pgsim._compare_version(t pgsim._target, OUT missing bigint, OUT compared boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v pgsim._version;
    marks jsonb;
    running jsonb;
BEGIN
    SELECT * INTO v FROM pgsim._version AS s WHERE s.id = t.version_id;
    compared := v.lapsed OR NOT pgsim._is_verified(t, v.verified);
    missing := 0;
    IF NOT compared THEN
        RETURN;
    END IF;
    -- In this order: what is written from here on moves the marks.
    marks := pgsim._change_marks(t);
    running := pgsim._running_transactions();
    missing := pgsim._missing_vectors(t, v.lapsed);
    UPDATE pgsim._version AS s
    SET verified = CASE WHEN missing = 0 AND marks IS NOT NULL AND t.source_columns <> '{}' THEN jsonb_build_object('marks', marks, 'running', running) END,
        lapsed = s.lapsed AND missing > 0
    WHERE s.id = t.version_id;
END
$$;
COMMENT ON FUNCTION pgsim._compare_version IS
    'How many rows of a version lack their vector. Compares base table and version table, unless they were compared before and nothing was written since.';
