CREATE FUNCTION pgsim._fit_index(measured jsonb[], OUT ef_intercepts float8[], OUT ef_slopes float8[], OUT ann_start float8, OUT ann_candidate float8, OUT queries int)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    queries := coalesce((SELECT count(*) FROM unnest(measured) AS m WHERE m ->> 'depth' = '10' AND m ->> 'ef' = '40'), 0);
    IF queries = 0 THEN
        RETURN;
    END IF;
    SELECT greatest(0, regr_intercept(s.seconds, s.ef)), greatest(1e-7, regr_slope(s.seconds, s.ef)) INTO ann_start, ann_candidate
    FROM (SELECT (m ->> 'ef')::float8 AS ef, percentile_cont(.5) WITHIN GROUP (ORDER BY (m ->> 'seconds')::float8) AS seconds
          FROM unnest(measured) AS m WHERE m ->> 'depth' = '10' GROUP BY 1) AS s;
    -- What was never missed is taken for half a row missed.
    WITH curve AS (
        SELECT (m ->> 'depth')::int AS depth, ln((m ->> 'ef')::float8) AS ef, ln(greatest(1 - avg((m ->> 'recall')::float8), 0.5 / (count(*) * (m ->> 'depth')::int))) AS missed
        FROM unnest(measured) AS m GROUP BY 1, m ->> 'ef', m ->> 'depth'
    ), steep AS (
        -- Beyond where next to nothing is missed a curve is flat, and tells nothing of how it got there.
        SELECT c.* FROM curve AS c WHERE NOT EXISTS (SELECT FROM curve AS b WHERE b.depth = c.depth AND b.ef < c.ef AND b.missed < ln(0.004))
    ), line AS (
        SELECT c.depth, regr_slope(c.missed, c.ef) AS slope, regr_intercept(c.missed, c.ef) AS intercept, avg(c.missed) AS missed, avg(c.ef) AS ef
        FROM steep AS c GROUP BY c.depth
    )
    -- A graph so small that ef makes no difference has no slope to speak of; it is taken for the usual one.
    SELECT array_agg(CASE WHEN l.slope < -.5 THEN l.intercept ELSE l.missed + l.ef END ORDER BY d.ordinal), array_agg(CASE WHEN l.slope < -.5 THEN -l.slope ELSE 1 END ORDER BY d.ordinal)
    INTO ef_intercepts, ef_slopes
    FROM unnest(pgsim._depths()) WITH ORDINALITY AS d (depth, ordinal)
    CROSS JOIN LATERAL (SELECT * FROM line AS l WHERE l.depth <= d.depth ORDER BY l.depth DESC LIMIT 1) AS l;
END
$$;
COMMENT ON FUNCTION pgsim._fit_index IS 'From what an index was measured to find: for each depth the line of the logarithm of what is missed over that of ef, and the line of the time over ef.';
