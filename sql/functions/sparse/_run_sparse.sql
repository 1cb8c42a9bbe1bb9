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
    x pgsim._index;
    inverted record;
    settings jsonb;
    stage jsonb;
    doubt text;
    rows float8;
    matches float8;
    stages jsonb := '[]';
    fallbacks text[] := '{}';
BEGIN
    PERFORM pgsim._require_select(t.base, t.version);
    IF t.state = 'retired' THEN
        PERFORM pgsim._refuse_retired(t);
    END IF;
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
    rows := (SELECT k.reltuples FROM pg_class AS k WHERE k.oid = t.version);
    IF rows < 0 THEN
        -- Of a table that was never analyzed PostgreSQL knows how many pages it has.
        rows := (pgsim._plan(format('SELECT FROM %s', t.version), NULL, NULL) ->> 'Plan Rows')::float8;
    END IF;
    matches := rows;
    IF predicate IS NOT NULL OR row_security_active(t.base) THEN
        previous := pgsim._set(p.settings);
        matches := least((pgsim._plan(format('SELECT FROM %s', t.base_sql) || coalesce(E' WHERE ' || predicate, ''), p.given, NULL) ->> 'Plan Rows')::float8, rows);
        PERFORM pgsim._set(previous);
    END IF;
    p.strategy := 'exact';
    IF r.mode <> 'exact' AND r.k <= 10000 AND (r.mode = 'ann' OR matches > 500) THEN
        x := pgsim._inverted_row(t);
        IF x.id IS NULL AND p.recall < 1 OR r.mode = 'ann' THEN
            p := pgsim._sparse_ann(p, rows, matches);
        END IF;
        -- By its key a row of the table is looked at some four times as slowly as in a scan of those that match.
        IF p.strategy = 'exact' AND x.id IS NOT NULL AND 4 * matches > least(rows, 300 + 30 * r.k * rows / greatest(matches, 1)) THEN
            p.strategy := 'inverted';
        END IF;
    END IF;
    LOOP
        settings := p.settings;
        doubt := NULL;
        IF p.strategy = 'ann' THEN
            settings := settings || pgsim._index_settings(p);
        ELSIF p.strategy = 'inverted' THEN
            -- A scan of all rows would have the terms taken from each.
            settings := settings || '{"enable_seqscan": "off"}';
        END IF;
        previous := pgsim._set(settings);
        stage_started := clock_timestamp();
        IF p.strategy = 'inverted' THEN
            inverted := pgsim._search_inverted(p, x.relation, rows);
            keys := inverted.keys;
            distances := inverted.distances;
            statement := inverted.statement;
            stage := jsonb_build_object('rounds', inverted.rounds, 'candidates', inverted.candidates, 'index', jsonb_build_array(x.name));
            IF inverted.given_up THEN
                doubt := 'the terms of the query are in so many rows that ranking every row costs less';
            END IF;
        ELSE
            statement := pgsim._search_statement(p);
            EXECUTE statement INTO keys, distances USING p.given, NULL::text;
            stage := CASE WHEN explained THEN pgsim._explain_stage(p, statement, settings, NULL) ELSE '{}' END;
        END IF;
        PERFORM pgsim._set(previous);
        found := (SELECT count(*) FROM unnest(distances) AS d WHERE d < coalesce(apart, 'NaN'));
        IF p.strategy = 'ann' AND found < r.k THEN
            doubt := format('the index gave %s of %s rows', found, r.k);
        END IF;
        IF explained THEN
            stages := stages || jsonb_strip_nulls(stage || jsonb_build_object('strategy', p.strategy, 'seconds', extract(epoch FROM clock_timestamp() - stage_started), 'fallback', doubt));
        END IF;
        EXIT WHEN doubt IS NULL;
        fallbacks := fallbacks || doubt;
        p.strategy := CASE WHEN p.strategy = 'ann' AND x.id IS NOT NULL THEN 'inverted' ELSE 'exact' END;
        p.rungs := NULL;
    END LOOP;
    -- A row without a vector has no distance, and one of zeros no direction: NULL and NaN came last.
    keys := coalesce(keys[:found], '{}');
    distances := coalesce(distances[:found], '{}');
    details := jsonb_build_object('strategy', p.strategy, 'model', t.model);
    IF fallbacks <> '{}' THEN
        details := details || jsonb_build_object('fallbacks', to_jsonb(fallbacks));
    END IF;
    IF explained THEN
        details := details || jsonb_build_object('version', t.version_id, 'recall', p.recall, 'estimated_matches', matches, 'stages', stages, 'statement', statement,
                                                 'seconds', jsonb_build_object('search', extract(epoch FROM clock_timestamp() - started)));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._run_sparse IS
    'Searches sparse vectors. By an inner product or cosine a row matches when that is above zero; by a distance every row does. Fewer than k rows come only where fewer match.';
