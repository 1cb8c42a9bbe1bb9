CREATE FUNCTION pgsim._filter_beyond(upper jsonb, lower jsonb, strictly boolean) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u numeric;
    l numeric;
BEGIN
    IF jsonb_typeof(upper) = 'string' AND jsonb_typeof(lower) = 'string' THEN
        -- Of strings the order is the column's; equal they are in any.
        RETURN NOT strictly AND upper = lower;
    ELSIF jsonb_typeof(upper) <> 'number' OR jsonb_typeof(lower) <> 'number' THEN
        RETURN false;
    END IF;
    u := upper::numeric;
    l := lower::numeric;
    IF NOT strictly THEN
        RETURN u >= l;
    END IF;
    -- Two numbers may be one in a column of floating point.
    RETURN CASE WHEN pgsim._filter_fits('real', u) AND pgsim._filter_fits('real', l) THEN u::float8 > l::float8 AND u::real > l::real ELSE false END;
END
$$;
COMMENT ON FUNCTION pgsim._filter_beyond IS 'Whether one value of a filter is at least another (strictly: more), in a column of any type; false when unsure.';
