CREATE FUNCTION pgsim._default_funnel(t pgsim._target, c pgsim._calibration, dims int, element text, share float8) RETURNS pgsim._funnel
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f pgsim._funnel;
    -- How much noise is in a distance by the prefix alone: the fewer dimensions, and the more are left out, the more. A sign tells about a third of a number.
    -- Of narrow vectors each number tells more, and a sign no more.
    noise float8 := greatest(1e-5, CASE element WHEN 'bit' THEN 3.0 / dims - 1.0 / t.dim ELSE (1.0 / dims - 1.0 / t.dim) * least(1, t.dim / 384.0) END);
    -- Each e-fold of candidates misses so many e-folds less; a prefix that the model was trained for holds more.
    slope float8 := least(3, power(.0052 / noise, .8) * CASE WHEN dims = ANY (t.matryoshka) THEN 1.7 ELSE 1 END);
    near float8;
    near_missed float8;
    depths CONSTANT int[] := pgsim._depths();
BEGIN
    f.dims := dims;
    f.element := element;
    f.share := share;
    f.start := c.ann_start;
    f.candidate := 5.6e-6 + CASE element WHEN 'bit' THEN 2e-9 WHEN 'halfvec' THEN 9e-9 ELSE 18e-9 END * dims;
    f.rank_row := .8e-6 + 2e-9 * t.dim + CASE WHEN t.dim * CASE t.element WHEN 'halfvec' THEN 2 ELSE 4 END > 2000 THEN 8e-6 ELSE 0 END;
    f.ef_intercepts := '{}';
    FOR i IN 1 .. cardinality(c.ef_intercepts) LOOP
        -- A line through what both stages miss at four times the depth, and at a hundred times.
        near := 4 * depths[i] / share;
        near_missed := least(.9, exp(-slope * (1 + ln(4)))) + exp(c.ef_intercepts[i] - c.ef_slope * ln(near));
        IF i = 1 THEN
            f.ef_slope := ln(near_missed / (exp(-slope * (1 + ln(100))) + exp(c.ef_intercepts[i] - c.ef_slope * ln(25 * near)))) / ln(25);
        END IF;
        f.ef_intercepts := f.ef_intercepts || (ln(near_missed) + f.ef_slope * ln(near));
    END LOOP;
    RETURN f;
END
$$;
COMMENT ON FUNCTION pgsim._default_funnel IS
    'What a funnel is expected to find and to cost where nothing was measured. (Fitted to the Debian corpus: prefixes of 32 to 192 of 384 dimensions as they are and after a rotation, bits; the slope is within a half of what was measured.)';
