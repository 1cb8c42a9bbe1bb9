CREATE FUNCTION pgsim._run_sparse(
    r pgsim._search_request, query text, predicate text, given jsonb, explained boolean,
    OUT keys text[], OUT distances float8[], OUT metric text, OUT details jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    started timestamptz := clock_timestamp();
    stage_started timestamptz;
    t pgsim._target := pgsim._sparse_target(r.collection, r.model, r.embedding);
    p pgsim._search_plan;
    vector text;
    -- A row that shares nothing with the query has this distance: it does not match.
    apart float8 := CASE t.metric WHEN 'ip' THEN 0 WHEN 'cosine' THEN 1 END;
    statement text;
    previous jsonb;
    found int;
    stages jsonb := '[]';
    fallbacks text[] := '{}';
BEGIN
    PERFORM pgsim._require_select(t.base, t.version);
    BEGIN
        PERFORM pgsim._check_sparse(pgsim._sparse_of(query), 'the query', t.model, t.dim, t.metric);
        vector := pgsim._sparse_of(query);
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('the sparse query is no sparse vector: %s', SQLERRM),
            HINT = format('Give pgvector''s text, indices from 1 and the width after a slash: {1:0.5,7:1.25}/%s.', t.dim);
    END;
    IF r.mode NOT IN ('auto', 'exact', 'ann') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('mode is %L; of sparse vectors it is auto, exact or ann', r.mode), HINT = 'Leave it out: auto takes what costs least.';
    END IF;
    metric := t.metric;
    p.target := t;
    p.request := r;
    p.predicate := predicate;
    p.given := given || jsonb_build_object('$sparse', vector);
    p.depth := r.k;
    p.recall := coalesce(r.recall, .95);
    p.settings := CASE WHEN current_setting('jit') = 'on' THEN '{"jit": "off"}' ELSE '{}' END::jsonb;
    IF r.where_sql IS NOT NULL THEN
        p.settings := p.settings || jsonb_build_object('search_path', concat_ws(', ', 'pg_catalog', nullif(r.search_path, '')));
    END IF;
    p.through_base := t.adopted OR predicate IS NOT NULL OR row_security_active(t.base);
    p.strategy := 'exact';
    statement := pgsim._search_statement(p);
    previous := pgsim._set(p.settings);
    stage_started := clock_timestamp();
    EXECUTE statement INTO keys, distances USING p.given, NULL::text;
    IF explained THEN
        stages := stages || (jsonb_build_object('strategy', p.strategy, 'seconds', extract(epoch FROM clock_timestamp() - stage_started)) || pgsim._explain_stage(p, statement, p.settings, NULL));
    END IF;
    PERFORM pgsim._set(previous);
    -- A row without a vector has no distance, and one of zeros no direction: NULL and NaN come last.
    found := (SELECT count(*) FROM unnest(distances) AS d WHERE d < coalesce(apart, 'NaN'));
    keys := coalesce(keys[:found], '{}');
    distances := coalesce(distances[:found], '{}');
    details := jsonb_build_object('strategy', p.strategy, 'model', t.model);
    IF fallbacks <> '{}' THEN
        details := details || jsonb_build_object('fallbacks', to_jsonb(fallbacks));
    END IF;
    IF explained THEN
        details := details || jsonb_build_object('version', t.version_id, 'recall', p.recall, 'stages', stages, 'statement', statement,
                                                 'seconds', jsonb_build_object('search', extract(epoch FROM clock_timestamp() - started)));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._run_sparse IS
    'Searches sparse vectors. By an inner product or cosine a row matches when that is above zero; by a distance every row does. Fewer than k rows come only where fewer match.';
