CREATE FUNCTION pgsim._calibration_state(t pgsim._target) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN (t.calibration).scan_row IS NULL THEN 'none: defaults; run pgsim.calibrate'
            WHEN t.rows >= 0 AND t.rows NOT BETWEEN (t.calibration).rows / 2 AND (t.calibration).rows * 2
                THEN pg_catalog.format('stale: made with %s rows, and there are %s now; run pgsim.calibrate', (t.calibration).rows::bigint, t.rows::bigint)
            ELSE pg_catalog.format('of %s', (t.calibration).measured_at::date) END;
COMMENT ON FUNCTION pgsim._calibration_state IS 'Whether a version is calibrated, and whether its table has doubled or halved since.';
