CREATE FUNCTION pgsim._calibration_state(t pgsim._target) RETURNS text
LANGUAGE sql STABLE
RETURN coalesce((
    SELECT CASE WHEN t.rows >= 0 AND t.rows NOT BETWEEN k.rows / 2 AND k.rows * 2
                THEN pg_catalog.format('stale: made with %s rows, and there are %s now; run pgsim.calibrate', k.rows::bigint, t.rows::bigint)
                ELSE pg_catalog.format('of %s', k.measured_at::date) END
    FROM pgsim._calibration AS k WHERE k.version_id = t.version_id AND k.scan_row IS NOT NULL), 'none: defaults; run pgsim.calibrate');
COMMENT ON FUNCTION pgsim._calibration_state IS 'Whether a version is calibrated, and whether its table has doubled or halved since.';
