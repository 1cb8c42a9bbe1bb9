CREATE FUNCTION pgsim._index_settings(p pgsim._search_plan) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p.method = 'ivfflat' THEN
        RETURN jsonb_build_object('ivfflat.iterative_scan', 'relaxed_order', 'ivfflat.probes', p.probes::text);
    END IF;
    RETURN jsonb_build_object('hnsw.iterative_scan', 'relaxed_order', 'hnsw.ef_search', coalesce(p.ef, 100)::text, 'hnsw.max_scan_tuples', coalesce(p.tuples, 20000)::text);
END
$$;
COMMENT ON FUNCTION pgsim._index_settings IS 'pgvector''s settings for a search by a vector index.';
