CREATE FUNCTION pgsim._search_fused(
    r pgsim._search_request, query vector, text_query text, sparse_query sparsevec, h pgsim._fusion_request, explained boolean,
    OUT keys text[], OUT scores float8[], OUT distances float8[], OUT metric text, OUT details jsonb, OUT row_details jsonb[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- More rows than any table of vectors has: all that match.
    everything CONSTANT int := 50000000;
    started CONSTANT timestamptz := clock_timestamp();
    leg_started timestamptz;
    c pgsim._collection := pgsim._collection_row(r.collection);
    legs pgsim._search_leg[] := pgsim._search_legs(query IS NOT NULL, text_query,
        -- Beside a dense query model and embedding are that query's.
        CASE WHEN sparse_query IS NOT NULL THEN jsonb_build_object('sparse_query', sparse_query::text)
            || CASE WHEN query IS NULL THEN jsonb_build_object('model', r.model, 'embedding', r.embedding) ELSE '{}' END END, h);
    weighed record;
    f pgsim._fusion;
    method text;
    weights float8[];
    l pgsim._search_leg;
    p pgsim._search_plan;
    t pgsim._target;
    leg_request pgsim._search_request;
    executed record;
    list pgsim.leg;
    lists pgsim.leg[];
    fused record;
    told jsonb;
    found_keys text[];
    dense_keys text[];
    dense_distances float8[];
    compiled record;
    predicate text;
    finders int;
    single boolean;
    grouped boolean;
    exhausted boolean;
    whole boolean;
    depth int;
    places int[];
    rank_constant float8;
BEGIN
    weighed := pgsim._fused_weights(c, legs, h);
    f := weighed.fusion;
    method := weighed.method;
    weights := weighed.weights;
    rank_constant := weighed.rank_constant;
    legs := ARRAY(SELECT ROW(g.name, g.kind, g.spec, g.weight)::pgsim._search_leg FROM unnest(legs, weights) WITH ORDINALITY AS g (name, kind, spec, none, weight, ordinal)
                  WHERE g.weight > 0 ORDER BY g.kind = 'prior', g.ordinal);
    weights := ARRAY(SELECT g.weight FROM unnest(legs) AS g);
    finders := (SELECT count(*) FROM unnest(legs) AS g WHERE g.kind <> 'prior');
    IF finders = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights is %s, which leaves out every leg that finds rows', h.weights), HINT = 'Give one of them a weight above 0.';
    END IF;

    single := cardinality(legs) = 1 AND coalesce(h.per_group, 1) = 1;
    grouped := r.distinct_on IS NOT NULL AND NOT (single AND legs[1].kind = 'dense');
    PERFORM pgsim._check_fused(r, h, legs, query IS NOT NULL, sparse_query IS NOT NULL, single);
    t.base := c.relation;
    leg_request := r;
    leg_request.dims := NULL;
    leg_request.oversample := NULL;
    leg_request.after := NULL;
    PERFORM pgsim._check_search(t, leg_request);
    PERFORM pgsim._require_select(c.relation, c.relation);

    IF finders < cardinality(legs) OR EXISTS (SELECT FROM unnest(legs) AS g WHERE g.kind IN ('text', 'sparse')) THEN
        compiled := pgsim._compile_filter(c.relation, r.filter, coalesce(r.where_values, '{}'), false);
        predicate := CASE WHEN r.where_sql IS NULL THEN compiled.predicate ELSE concat_ws(' AND ', compiled.predicate, format(E'(%s\n)', r.where_sql)) END;
    END IF;
    whole := cardinality(c.key_columns) = 1 AND (SELECT a.atttypid IN (20, 21, 23) FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = c.key_columns[1]);
    depth := CASE WHEN single AND NOT grouped THEN r.k ELSE coalesce(h.candidates, CASE WHEN f.candidates IS NOT NULL THEN greatest(f.candidates, r.k) END, least(greatest(200, 2 * r.k), greatest(10000, r.k))) END;
    LOOP
        lists := '{}';
        told := '{}';
        exhausted := true;
        FOREACH l IN ARRAY legs LOOP
            leg_started := clock_timestamp();
            list := NULL;
            list.name := l.name;
            IF l.kind = 'dense' THEN
                leg_request := pgsim._leg_request(r, l);
                leg_request.k := depth;
                IF NOT single OR grouped THEN
                    leg_request.distinct_on := NULL;
                END IF;
                IF depth > 10000 THEN
                    leg_request.mode := 'exact';
                    leg_request.dims := NULL;
                    leg_request.oversample := NULL;
                END IF;
                p := pgsim._plan_search(leg_request, explained, l.spec ->> 'slice');
                t := p.target;
                executed := pgsim._execute_search(p, pgsim._leg_vector(l, query, t), explained);
                IF t.record_share > 0 OR t.audit_share > 0 THEN
                    PERFORM pgsim._record_some(p, pgsim._leg_vector(l, query, t), executed.keys, executed.distances, executed.details, leg_started);
                END IF;
                list.keys := executed.keys;
                list.scores := ARRAY(SELECT pgsim.score(t.metric, d.distance) FROM unnest(executed.distances) WITH ORDINALITY AS d (distance, ordinal) ORDER BY d.ordinal);
                list.minimum := CASE t.metric WHEN 'cosine' THEN -1 WHEN 'ip' THEN NULL ELSE 0 END;
                IF l.name = 'dense' THEN
                    dense_keys := executed.keys;
                    dense_distances := executed.distances;
                    metric := t.metric;
                END IF;
            ELSIF l.kind = 'text' THEN
                executed := pgsim._run_text(c, l.spec ->> 'text_query', depth, predicate, compiled."values", explained, coalesce(l.spec ->> 'text_form', 'any'), CASE WHEN r.where_sql IS NOT NULL THEN r.search_path END);
                list.keys := executed.keys;
                list.scores := executed.scores;
                list.minimum := 0;
            ELSIF l.kind = 'sparse' THEN
                leg_request := pgsim._leg_request(r, l);
                leg_request.k := depth;
                leg_request.distinct_on := NULL;
                leg_request.after := NULL;
                IF query IS NOT NULL AND leg_request.mode = 'codes' AND NOT l.spec ? 'mode' THEN
                    leg_request.mode := 'auto';
                END IF;
                executed := pgsim._run_sparse(leg_request, l.spec ->> 'sparse_query', predicate, compiled."values", explained);
                list.keys := executed.keys;
                list.scores := ARRAY(SELECT pgsim.score(executed.metric, d.distance) FROM unnest(executed.distances) WITH ORDINALITY AS d (distance, ordinal) ORDER BY d.ordinal);
                list.minimum := 0;
                IF query IS NULL AND l.name = 'sparse' THEN
                    dense_keys := executed.keys;
                    dense_distances := executed.distances;
                END IF;
            ELSE
                SELECT array_agg(u.key ORDER BY CASE WHEN whole THEN u.key::numeric END, u.key COLLATE "C") INTO found_keys
                FROM (SELECT DISTINCT n AS key FROM unnest(lists) AS g CROSS JOIN unnest(g.keys) AS n) AS u;
                list := pgsim._prior(c, l, found_keys);
            END IF;
            exhausted := exhausted AND (l.kind = 'prior' OR coalesce(cardinality(list.keys), 0) < depth);
            IF method = 'tmm' AND NOT single AND (list.minimum IS NULL OR list.minimum > (SELECT min(s) FROM unnest(list.scores) AS s)) THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L has no least score that is known, or one above its scores, and tmm needs it', l.name),
                    HINT = 'An inner product and the bare value of a column have none; a prior may give its minimum. Or fuse by minmax.';
            END IF;
            lists := lists || list;
            IF explained THEN
                told := told || jsonb_build_object(l.name, jsonb_strip_nulls(jsonb_build_object(
                    'kind', l.kind, 'slice', l.spec ->> 'slice', 'weight', CASE WHEN NOT single THEN l.weight END, 'rows', coalesce(cardinality(list.keys), 0), 'seconds', extract(epoch FROM clock_timestamp() - leg_started),
                    'details', CASE WHEN l.kind <> 'prior' THEN executed.details END)));
            END IF;
        END LOOP;
        IF single THEN
            keys := list.keys;
            scores := list.scores;
            row_details := NULL;
            IF l.kind IN ('text', 'sparse') THEN
                row_details := ARRAY(SELECT jsonb_build_object(l.name, jsonb_strip_nulls(jsonb_build_object('rank', s.ordinal, 'score', s.score, 'strategy', CASE l.kind WHEN 'sparse' THEN executed.details -> 'strategy' END))) FROM unnest(list.scores) WITH ORDINALITY AS s (score, ordinal) ORDER BY s.ordinal);
            END IF;
        ELSE
            fused := pgsim._fuse(lists, method, weights, rank_constant, CASE WHEN NOT grouped THEN r.k END, whole);
            keys := fused.keys;
            scores := fused.scores;
            row_details := fused.details;
        END IF;
        EXIT WHEN NOT grouped;
        places := pgsim._capped(c, r.distinct_on, keys, h.per_group, r.k);
        IF cardinality(places) >= r.k OR exhausted OR depth >= everything THEN
            keys := ARRAY(SELECT keys[n.place] FROM unnest(places) WITH ORDINALITY AS n (place, ordinal) ORDER BY n.ordinal);
            scores := ARRAY(SELECT scores[n.place] FROM unnest(places) WITH ORDINALITY AS n (place, ordinal) ORDER BY n.ordinal);
            row_details := ARRAY(SELECT row_details[n.place] FROM unnest(places) WITH ORDINALITY AS n (place, ordinal) ORDER BY n.ordinal);
            EXIT;
        END IF;
        depth := CASE WHEN depth >= 10000 THEN everything ELSE least(4 * depth, 10000) END;
    END LOOP;

    IF single AND l.kind = 'dense' AND NOT explained THEN
        details := executed.details;
        distances := executed.distances;
        metric := t.metric;
        RETURN;
    END IF;
    IF explained THEN
        details := jsonb_strip_nulls(jsonb_build_object(
            'strategy', CASE WHEN single THEN l.kind ELSE 'fusion' END, 'collection', c.name,
            'fusion', CASE WHEN NOT single THEN jsonb_build_object('name', f.name, 'method', method, 'rank_constant', CASE method WHEN 'rrf' THEN rank_constant END, 'candidates', depth) END,
            'legs', told, 'rows', coalesce(cardinality(keys), 0), 'complete', coalesce(cardinality(keys), 0) >= r.k OR exhausted, 'filter', predicate,
            'seconds', jsonb_build_object('search', extract(epoch FROM clock_timestamp() - started))));
        RETURN;
    END IF;
    SELECT array_agg(d.distance ORDER BY n.ordinal),
           array_agg(jsonb_build_object('strategy', CASE WHEN single THEN l.kind ELSE 'fusion' END, 'legs', n.told) || CASE WHEN single THEN '{}' ELSE jsonb_build_object('fusion', coalesce(f.name, method)) END ORDER BY n.ordinal)
    INTO distances, row_details
    FROM unnest(keys, row_details) WITH ORDINALITY AS n (key, told, ordinal)
    LEFT JOIN unnest(dense_keys, dense_distances) AS d (key, distance) ON d.key = n.key;
END
$$;
COMMENT ON FUNCTION pgsim._search_fused IS
    'A search by more than one vector: runs its legs, fuses what they gave, and keeps to distinct_on. A leg alone is not fused. With distinct_on the legs go deeper until k rows are found or nothing is left.';
