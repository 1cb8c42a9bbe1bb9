CREATE FUNCTION pgsim._check_reach(t pgsim._target, r pgsim._search_request) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    floor CONSTANT float8 := .8;
    reached float8;
BEGIN
    IF r.dims[1] = t.dim OR r.dims[1] = ANY (t.matryoshka) THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.dims = r.dims[1] AND i.method <> 'codes' AND NOT i.options ? 'slice') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010',
            MESSAGE = format('dims begins with %s; model %L declares no prefixes, and no index of %L is on one of this length', r.dims[1], t.model, t.collection),
            DETAIL = coalesce('Indexed: ' || (SELECT string_agg(DISTINCT i.dims::text, ', ') FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.dims < t.dim AND i.method <> 'codes' AND NOT i.options ? 'slice'), 'No prefix is indexed.'),
            HINT = format('Make one with pgsim.create_index(%L, %L, dims => %s), or declare prefixes with the model: create_model(matryoshka => ...).', t.collection, t.model, r.dims[1]);
    END IF;
    SELECT max(f.reached) INTO reached FROM pgsim._calibration AS k CROSS JOIN LATERAL unnest(k.funnels) AS f WHERE k.version_id = t.version_id AND f.dims = r.dims[1];
    IF reached < floor AND r.mode = 'auto' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS050',
            MESSAGE = format('the first %s of %s dimensions of model %L tell too little: even a thousand candidates hold %s%% of the nearest ten, and %s%% are the least', r.dims[1], t.dim, t.model, round(100 * reached::numeric, 1), 100 * floor),
            HINT = 'Calibration measured it. Take a longer prefix, leave dims out, or say mode => ''ann'' to have it all the same.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_reach IS 'Refuses a search by a prefix that a model without declared prefixes has no index on (PS010), or that was measured to be worth too little (PS050).';
