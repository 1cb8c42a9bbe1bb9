CREATE FUNCTION pgsim._sparse_ann(p pgsim._search_plan, rows float8, matches float8) RETURNS pgsim._search_plan
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    index record := pgsim._usable_index(t, t.dim, (p.request).filter);
    kept int;
    ef float8;
BEGIN
    IF index.name IS NULL THEN
        RETURN p;
    END IF;
    p.reachable := CASE WHEN index.covering AND index.rows >= 0 THEN greatest(index.rows, 1) ELSE rows END;
    SELECT (i.options ->> 'top_weights')::int INTO kept FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.name = index.name;
    -- Four times what dense vectors need. (Measured: learned weights are found then, those of words alone to some 85%.)
    ef := greatest(40, 4 * pgsim._expected_ef(pgsim._calibrated(t), p.recall, pgsim._among(p, matches)));
    IF (p.request).mode <> 'ann' AND (ef > 1000 OR .5e-3 + 25e-6 * ef > matches * CASE WHEN p.predicate IS NULL THEN .5e-6 ELSE 1.5e-6 END) THEN
        RETURN p;
    END IF;
    p.strategy := 'ann';
    p.method := 'hnsw';
    p.ef := least(1000, ef);
    p.wanted := p.depth;
    p.tuples := greatest(20000, 20 * p.ef);
    IF kept IS NOT NULL THEN
        -- What the greatest weights found is ranked by all of them.
        p.rungs.dims := ARRAY[t.dim, t.dim];
        p.rungs.elements := ARRAY['top_' || kept, 'sparsevec'];
        p.rungs.keep := ARRAY[least(100000, 4 * p.depth + 10), p.depth];
        p.ef := greatest(p.ef, least(1000, 4 * p.depth + 10));
    END IF;
    RETURN p;
END
$$;
COMMENT ON FUNCTION pgsim._sparse_ann IS 'A search of sparse vectors by an HNSW index, where there is one that can find the recall asked for; else the plan as it was.';
