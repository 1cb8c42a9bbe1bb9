CREATE FUNCTION pgsim._ann_seconds(c pgsim._calibration, p pgsim._search_plan, n float8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ef float8 := pgsim._expected_ef(c, p.recall, pgsim._among(p, n));
BEGIN
    -- pgvector takes no more than 1000. Those that lie far off look again.
    RETURN CASE WHEN ef > 1000 THEN 'Infinity' ELSE (c.ann_start + coalesce(c.ef_looks, 1) * ef * c.ann_candidate) * p.parts + greatest(p.depth, ef * n / greatest(p.reachable, 1) / 3) * c.keep_row END;
END
$$;
COMMENT ON FUNCTION pgsim._ann_seconds IS 'What a search by an HNSW index is expected to cost when n rows match; infinite where it cannot find the recall asked for.';
