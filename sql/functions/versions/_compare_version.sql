CREATE FUNCTION pgsim._compare_version(t pgsim._target, OUT missing bigint, OUT waiting bigint, OUT compared boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v pgsim._version;
    marks jsonb;
    counts jsonb;
    running jsonb;
    noted record;
    -- Looking rows up one by one takes longer than comparing whole tables, beyond so many.
    few CONSTANT int := 20000;
BEGIN
    SELECT * INTO v FROM pgsim._version AS s WHERE s.id = t.version_id;
    compared := v.lapsed OR NOT pgsim._is_verified(t, v.verified);
    IF NOT compared AND pgsim._noted_keys(coalesce(t.follows, t.version_id)) <= few THEN
        noted := pgsim._noted_rows(t);
        missing := noted.missing;
        waiting := noted.waiting;
        RETURN;
    END IF;
    compared := true;
    DELETE FROM pgsim._queue AS q WHERE q.version_id = -t.collection_id;
    IF FOUND THEN
        UPDATE pgsim._version AS s SET verified = NULL FROM pgsim._embedding AS e WHERE e.id = s.embedding_id AND e.collection_id = t.collection_id AND s.verified IS NOT NULL;
    END IF;
    -- In this order: what is written from here on moves the marks, or is noted.
    marks := pgsim._change_marks(t);
    counts := pgsim._change_counts(t);
    running := CASE WHEN t.follows IS NOT NULL THEN pgsim._running_transactions() ELSE '[]' END;
    missing := pgsim._missing_vectors(t, v.lapsed);
    UPDATE pgsim._version AS s
    SET verified = CASE WHEN missing = 0 AND marks IS NOT NULL AND t.source_columns <> '{}' THEN jsonb_build_object('marks', marks, 'counts', counts, 'running', running) END,
        lapsed = s.lapsed AND missing > 0
    WHERE s.id = t.version_id;
    waiting := pgsim._waiting_rows(t, 100001);
END
$$;
COMMENT ON FUNCTION pgsim._compare_version IS
    'How many rows of a version lack their vector, and how many wait for a new one (up to 100001). Compares base table and version table, unless every row had a vector once and changes since were noted: then only what was noted is looked up.';
