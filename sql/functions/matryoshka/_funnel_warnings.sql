CREATE FUNCTION pgsim._funnel_warnings(t pgsim._target, funnels pgsim._funnel[]) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN (SELECT coalesce(pg_catalog.array_agg(pg_catalog.format('the first %s of %s dimensions as %s: a thousand candidates hold %s%% of the nearest ten', f.dims, t.dim, f.element, pg_catalog.round(100 * f.reached::numeric, 1)) ORDER BY f.dims, f.element), '{}')
        FROM pg_catalog.unnest(funnels) AS f WHERE f.share = 1 AND f.reached < .98);
COMMENT ON FUNCTION pgsim._funnel_warnings IS 'Which prefixes were measured to tell too little for a high recall.';
