CREATE FUNCTION pgsim._advise_calibrate(t pgsim._target, embedding text)
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, asked float8, before float8, after float8)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT 'calibrate', t.collection, pg_catalog.format('SELECT pgsim.calibrate(%L, model => %L%s)', t.collection, t.model, CASE WHEN embedding <> 'default' THEN pg_catalog.format(', embedding => %L', embedding) END),
           0.0, 400 * t.rows * (c.scan_row + c.exact_row) + 1,
           pg_catalog.concat('the costs that this advice rests on are defaults, right within a factor of two or so', CASE WHEN state.text LIKE 'stale%' THEN ', or old: ' || state.text END), NULL::jsonb, 0.0, 0.0, 0.0
    FROM pgsim._calibrated(t) AS c
    CROSS JOIN (SELECT pgsim._calibration_state(t) AS text) AS state
    WHERE t.rows >= 2000
      AND (state.text NOT LIKE 'of %' OR NOT EXISTS (SELECT FROM pgsim._calibration AS k WHERE k.version_id = t.version_id AND k.ann_candidate IS NOT NULL) AND (pgsim._usable_index(t, t.dim, NULL)).method = 'hnsw');
END;
COMMENT ON FUNCTION pgsim._advise_calibrate IS 'What pgsim.advise may say of calibration: where there is none, or it is stale, or older than the index on all rows.';
