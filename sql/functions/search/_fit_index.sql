CREATE FUNCTION pgsim._fit_index(
    measured jsonb[], OUT ef_intercepts float8[], OUT ef_slope float8, OUT ef_far float8, OUT ef_looks float8, OUT ef_typical float8[], OUT ann_start float8, OUT ann_candidate float8, OUT queries int
)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    depths int[];
    places float8[];
    efs float8[];
    missed float8[];
    asked boolean[];
    middle float8;
    spread float8;
    slope float8 := 1;
    growth float8 := 0;
    h record;
    det float8;
    share float8;
    reach float8;
    best_share float8;
    best_cost float8;
BEGIN
    queries := coalesce((SELECT count(*) FROM unnest(measured) AS m WHERE m ->> 'depth' = '10' AND m ->> 'ef' = '40'), 0);
    IF queries = 0 THEN
        RETURN;
    END IF;
    SELECT greatest(0, regr_intercept(s.seconds, s.ef)), greatest(1e-7, regr_slope(s.seconds, s.ef)) INTO ann_start, ann_candidate
    FROM (SELECT (m ->> 'ef')::float8 AS ef, percentile_cont(.5) WITHIN GROUP (ORDER BY (m ->> 'seconds')::float8) AS seconds
          FROM unnest(measured) AS m WHERE m ->> 'depth' = '10' AND m ->> 'seconds' IS NOT NULL GROUP BY 1) AS s;
    SELECT avg((m ->> 'distance')::float8), greatest(1e-9, stddev_pop((m ->> 'distance')::float8)) INTO middle, spread FROM unnest(measured) AS m;
    SELECT array_agg((m ->> 'depth')::int), array_agg(((m ->> 'distance')::float8 - middle) / spread), array_agg(ln((m ->> 'ef')::float8)), array_agg(1 - (m ->> 'recall')::float8),
           array_agg((m ->> 'asked')::boolean)
    INTO depths, places, efs, missed, asked FROM unnest(measured) AS m;

    -- Poisson regression: what is missed is exp(a of the depth + growth * distance - slope * ln ef). Given each depth's misses, a drops out, and Newton's
    -- steps find the other two. A prior of growth 0 and slope 1, as heavy as a query or two, holds them where next to nothing is missed.
    FOR i IN 1 .. 30 LOOP
        SELECT sum(g.yd - g.y * g.d) - growth AS to_growth, sum(g.y * g.x - g.yx) - 4 * (slope - 1) AS to_slope,
               sum(g.y * (g.dd - g.d * g.d)) + 1 AS growth_growth, sum(g.y * (g.xx - g.x * g.x)) + 4 AS slope_slope, sum(g.y * (g.d * g.x - g.dx)) AS growth_slope
        INTO h
        FROM (SELECT sum(r.y) AS y, sum(r.y * r.d) AS yd, sum(r.y * r.x) AS yx, sum(r.w * r.d) / sum(r.w) AS d, sum(r.w * r.x) / sum(r.w) AS x,
                     sum(r.w * r.d * r.d) / sum(r.w) AS dd, sum(r.w * r.d * r.x) / sum(r.w) AS dx, sum(r.w * r.x * r.x) / sum(r.w) AS xx
              FROM (SELECT u.*, exp(growth * u.d - slope * u.x) AS w FROM unnest(depths, places, efs, missed) AS u (depth, d, x, y)) AS r GROUP BY r.depth) AS g;
        det := h.growth_growth * h.slope_slope - h.growth_slope * h.growth_slope;
        EXIT WHEN abs(h.to_growth) + abs(h.to_slope) < 1e-9;
        growth := least(5, greatest(0, growth + least(1, greatest(-1, (h.slope_slope * h.to_growth - h.growth_slope * h.to_slope) / det))));
        slope := least(2.5, greatest(.2, slope + least(.5, greatest(-.5, (h.growth_growth * h.to_slope - h.growth_slope * h.to_growth) / det))));
    END LOOP;

    -- Queries whose last row lies beyond the reach of the first look have a second one, by an ef that grows by growth / slope: so much misses as much of a far query as of
    -- a near one. A second look is by .6 more in the logarithm at least, else it is not worth its start. How many queries the first one is to serve, most of them or all, is
    -- what costs least for the same rows missed.
    FOREACH share IN ARRAY '{0.6,0.75,0.9,1}'::float8[] LOOP
        SELECT percentile_cont(share) WITHIN GROUP (ORDER BY u.d) INTO reach FROM unnest(depths, places, asked) AS u (depth, d, asked) WHERE u.depth = 10 AND u.asked;
        SELECT avg(CASE WHEN u.d <= reach THEN 1 ELSE 1 + exp(least(3, .6 + growth / slope * (u.d - reach))) END) AS looks, avg(exp(growth * least(u.d, reach) - CASE WHEN u.d <= reach THEN 0 ELSE .6 * slope END)) AS missed
        INTO h FROM unnest(depths, places, asked) AS u (depth, d, asked) WHERE u.depth = 10 AND u.asked;
        IF best_share IS NULL OR h.looks * power(h.missed, 1 / slope) < best_cost THEN
            best_cost := h.looks * power(h.missed, 1 / slope);
            best_share := share;
            ef_looks := h.looks;
        END IF;
    END LOOP;
    ef_slope := slope;
    ef_far := CASE WHEN best_share < 1 THEN growth / slope / spread ELSE 0 END;
    WITH taken AS (
        SELECT u.depth, percentile_cont(best_share) WITHIN GROUP (ORDER BY u.d) FILTER (WHERE u.asked) AS typical, sum(u.y) AS y, sum(exp(growth * u.d - slope * u.x)) AS w,
               array_agg(u.d) FILTER (WHERE u.asked) AS ds
        FROM unnest(depths, places, efs, missed, asked) AS u (depth, d, x, y, asked) GROUP BY u.depth
    ), line AS (
        -- What was never missed is taken for half a row missed.
        SELECT t.depth, middle + spread * t.typical AS typical,
               ln(greatest(t.y, .5 / t.depth) / t.w) + ln((SELECT avg(exp(CASE WHEN d <= t.typical THEN growth * d ELSE growth * t.typical - .6 * slope END)) FROM unnest(t.ds) AS d)) AS intercept
        FROM taken AS t
    )
    SELECT array_agg(l.intercept ORDER BY d.ordinal), array_agg(l.typical ORDER BY d.ordinal) INTO ef_intercepts, ef_typical
    FROM unnest(pgsim._depths()) WITH ORDINALITY AS d (depth, ordinal)
    -- A table of fewer rows than the depth has the line of the deepest that it has.
    CROSS JOIN LATERAL (SELECT * FROM line AS l WHERE l.depth <= d.depth ORDER BY l.depth DESC LIMIT 1) AS l;
END
$$;
COMMENT ON FUNCTION pgsim._fit_index IS 'From what an index was measured to find: how what it misses falls with ef and grows with the distance of the last row asked for, and the line of the time over ef.';
