CREATE FUNCTION pgsim._calibrated(t pgsim._target) RETURNS pgsim._calibration
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._calibration;
BEGIN
    SELECT k.* INTO c FROM pgsim._calibration AS k WHERE k.version_id = t.version_id AND t.slice IS NULL;
    IF num_nulls(c.margins, c.ef_intercepts, c.ef_slope, c.scan_row, c.exact_row, c.code_row, c.keep_row, c.ann_start, c.ann_candidate) = 0 THEN
        RETURN c;
    END IF;
    -- Right within a factor of two or so on the machines of these years; recalls of an index with m 16, ef_construction 64.
    c.margins := coalesce(c.margins, CASE t.codes_element WHEN 'halfvec' THEN '{0,0.03,0.05,0.07,0.1,0.12,0.15,0.25}' ELSE '{-0.65,0.12,0.48,0.75,1.1,1.32,1.55,2.2}' END::float8[]);
    c.ef_intercepts := coalesce(c.ef_intercepts, '{1.2,1.6,2.1,2.5,2.9}');
    c.ef_slope := coalesce(c.ef_slope, 1.1);
    c.scan_row := coalesce(c.scan_row, .3e-6);
    c.exact_row := coalesce(c.exact_row, .5e-6 + 3.5e-9 * t.dim);
    c.code_row := coalesce(c.code_row, .1e-6 + CASE t.codes_element WHEN 'halfvec' THEN 1.5e-9 ELSE .1e-9 END * coalesce(t.codes_dims, t.dim));
    c.keep_row := coalesce(c.keep_row, 2 * c.exact_row);
    c.ann_start := coalesce(c.ann_start, .3e-3);
    c.ann_candidate := coalesce(c.ann_candidate, 5.6e-6 + 18e-9 * t.dim);
    RETURN c;
END
$$;
COMMENT ON FUNCTION pgsim._calibrated IS 'The calibration of a version, with a default for whatever was not measured.';
