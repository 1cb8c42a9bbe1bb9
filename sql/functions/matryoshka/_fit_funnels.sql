CREATE FUNCTION pgsim._fit_funnels(measured jsonb[]) RETURNS pgsim._funnel[]
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fitted pgsim._funnel[];
    x record;
    f pgsim._funnel;
BEGIN
    FOR x IN
        SELECT (m ->> 'dims')::int AS dims, m ->> 'element' AS element, (m ->> 'share')::float8 AS share, array_agg(m) AS measured,
               avg((m ->> 'recall')::float8) FILTER (WHERE m ->> 'depth' = '10' AND m ->> 'ef' = '1000' AND (m ->> 'asked')::boolean) AS reached,
               percentile_cont(.5) WITHIN GROUP (ORDER BY (m ->> 'rank_row')::float8) FILTER (WHERE m ->> 'depth' = '10' AND (m ->> 'ef')::int >= 320 AND m ->> 'rank_row' IS NOT NULL) AS rank_row
        FROM unnest(measured) AS m GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 DESC
    LOOP
        SELECT x.dims, x.element, x.share, i.ef_intercepts, i.ef_slope, i.ef_far, i.ef_looks, i.ef_typical, i.ann_start, i.ann_candidate, greatest(x.rank_row, 1e-7), x.reached
        INTO f FROM pgsim._fit_index(x.measured) AS i;
        CONTINUE WHEN f.ef_intercepts IS NULL OR f.start IS NULL OR f.rank_row IS NULL;
        fitted := fitted || f;
    END LOOP;
    RETURN fitted;
END
$$;
COMMENT ON FUNCTION pgsim._fit_funnels IS 'From what funnels were measured to find: a line of what each misses over ef_search, by the index and the prefix together, and what it costs.';
