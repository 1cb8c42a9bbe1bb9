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
    ), line AS (
        -- Least squares, each point as heavy as what it misses: of few misses a share is not known well.
        SELECT s.depth, s.x, s.y, greatest(.5, least(2.5, -s.xy / nullif(s.xx, 0))) AS slope
        FROM (SELECT c.depth, mean.x, mean.y, sum(exp(c.missed) * (c.ef - mean.x) * (c.missed - mean.y)) AS xy, sum(exp(c.missed) * (c.ef - mean.x) ^ 2) AS xx
              FROM curve AS c
              JOIN (SELECT w.depth, sum(exp(w.missed) * w.ef) / sum(exp(w.missed)) AS x, sum(exp(w.missed) * w.missed) / sum(exp(w.missed)) AS y FROM curve AS w GROUP BY w.depth) AS mean USING (depth)
              GROUP BY c.depth, mean.x, mean.y) AS s
    )
    SELECT array_agg(l.y + coalesce(l.slope, 1) * l.x ORDER BY d.ordinal), array_agg(coalesce(l.slope, 1) ORDER BY d.ordinal)
    INTO ef_intercepts, ef_slopes
    FROM unnest(pgsim._depths()) WITH ORDINALITY AS d (depth, ordinal)
    -- A table of fewer rows than the depth has the line of the deepest that it has.
    CROSS JOIN LATERAL (SELECT * FROM line AS l WHERE l.depth <= d.depth ORDER BY l.depth DESC LIMIT 1) AS l;
END
$$;
COMMENT ON FUNCTION pgsim._fit_index IS 'From what an index was measured to find: for each depth the line of the logarithm of what is missed over that of ef, and the line of the time over ef.';
