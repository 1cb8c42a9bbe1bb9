CREATE FUNCTION pgsim._execute_search(p pgsim._search_plan, query vector, explained boolean, OUT keys text[], OUT distances float8[], OUT details jsonb, OUT started timestamptz)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    r pgsim._search_request := p.request;
    stage_started timestamptz;
    statement text;
    settings jsonb;
    previous jsonb;
    stage jsonb;
    found bigint;
    listed bigint;
    complete boolean;
    doubt text;
    farther boolean;
    needed float8;
    fallbacks text[] := '{}';
    stages jsonb := '[]';
BEGIN
    IF explained THEN
        started := clock_timestamp();
    END IF;
    IF pgsim._vector_problem(query, t.dim, t.metric, t.element) IS NOT NULL THEN
        PERFORM pgsim._check_vector(query, 'the query', t.model, t.dim, t.metric, t.element);
    END IF;
    IF r.dims IS NOT NULL AND (t.metric = 'cosine' AND pgsim._prefix_is_zero(query, r.dims[1]) OR r.dims[cardinality(r.dims)] < t.dim AND pgsim._prefix_is_zero(query, r.dims[cardinality(r.dims)])) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('the first %s dimensions of the query are all zeros: such a prefix has no direction', r.dims[CASE t.metric WHEN 'cosine' THEN 1 ELSE cardinality(r.dims) END]),
            HINT = 'Search by a longer prefix, or leave dims out.';
    END IF;
    LOOP
        IF p.strategy = 'codes' AND (CASE WHEN t.codes_map IS NOT NULL THEN pgsim._image_is_zero(t.codes_map, t.codes_dims, query)
                                          ELSE (t.metric <> 'cosine' OR t.codes_dims < t.dim) AND pgsim._prefix_is_zero(query, t.codes_dims) END) THEN
            fallbacks := fallbacks || 'what codes compare is all zeros in the query: it has no direction, and they tell of nothing else'::text;
            p.strategy := 'exact';
            p.bound := NULL;
        END IF;
        settings := p.settings;
        IF p.ladder IS NOT NULL AND p.strategy = 'funnel' AND p.shallow_query IS NULL AND pgsim._prefix_is_zero(query, p.ladder[1]) THEN
            fallbacks := fallbacks || format('the first %s dimensions of the query are all zeros: they have no direction', p.ladder[1]);
            p.strategy := 'exact';
        END IF;
        IF p.strategy = 'funnel' AND p.shallow_query IS NOT NULL THEN
            p.rungs := ROW(p.ladder, ARRAY[p.element, t.element], ARRAY[p.keep, p.depth])::pgsim._rungs;
        ELSIF r.dims IS NOT NULL OR p.strategy NOT IN ('exact', 'codes') AND (p.ladder IS NOT NULL OR p.element <> t.element) THEN
            p.rungs := pgsim._search_rungs(t, p.depth, coalesce(p.ladder, r.dims), p.keep, p.strategy = 'exact', p.element);
            IF p.strategy <> 'exact' THEN
                IF 'halfvec' = ANY ((p.rungs).elements) AND pgsim._half_problem(query, t.metric, (p.rungs).dims[1]) IS NOT NULL THEN
                    fallbacks := fallbacks || 'the query does not fit the half precision of the index'::text;
                    p.strategy := 'exact';
                    CONTINUE;
                END IF;
                -- pgvector gives no more than ef_search candidates at once.
                p.ef := greatest(p.ef, least(1000, CASE WHEN p.ladder IS NOT NULL THEN p.keep WHEN r.dims IS NOT NULL THEN greatest(100, 2 * r.k) END));
            END IF;
        ELSE
            p.rungs := NULL;
        END IF;
        IF p.strategy NOT IN ('exact', 'codes') THEN
            settings := settings || pgsim._index_settings(p);
        END IF;
        statement := pgsim._search_statement(p);
        IF settings <> '{}' THEN
            previous := pgsim._set(settings);
        END IF;
        IF p.covering AND p.strategy IN ('partial', 'funnel') AND r.mode = 'auto' AND NOT pgsim._plan_indexes(pgsim._plan(statement, p.given, query)) ? p.index_name THEN
            -- By another index the rows that match lie farther apart than was reckoned with.
            PERFORM pgsim._set(previous);
            fallbacks := fallbacks || format('PostgreSQL does not take the partial index %s', p.index_name);
            p.strategy := CASE WHEN p.codes_second AND pgsim._codes_kept(t.base, t.version_id, t.codes_columns) THEN 'codes' ELSE 'exact' END;
            CONTINUE;
        END IF;
        IF explained THEN
            stage_started := clock_timestamp();
            EXECUTE statement INTO keys, distances, found, listed USING p.given, query, p.shallow_query;
            stage := jsonb_build_object('seconds', extract(epoch FROM clock_timestamp() - stage_started)) || pgsim._explain_stage(p, statement, settings, query);
        ELSE
            EXECUTE statement INTO keys, distances, found, listed USING p.given, query, p.shallow_query;
        END IF;
        IF settings <> '{}' THEN
            PERFORM pgsim._set(previous);
        END IF;
        complete := coalesce(cardinality(keys), 0) >= r.k
            -- Rows beyond the distance asked for are there, so none within it is missing for want of rows.
            OR coalesce(distances[cardinality(distances)] > r.max_distance, false)
            OR CASE p.strategy
                   WHEN 'exact' THEN coalesce(found <= p.bound, true)
                   -- Codes that list fewer rows than they may have listed all that match.
                   WHEN 'codes' THEN coalesce(listed, 0) < p.shortlist AND coalesce(found = listed, true) AND r.after IS NULL AND r.distinct_on IS NULL
                   ELSE false END;
        doubt := CASE
            WHEN p.strategy = 'exact' THEN CASE WHEN found > p.bound THEN format('more than %s rows match, where %s were expected', p.bound, p.expected::bigint) END
            WHEN NOT complete AND p.strategy = 'codes' THEN format('codes gave %s of %s rows', coalesce(cardinality(keys), 0), r.k)
            WHEN p.strategy = 'codes' THEN NULL
            WHEN NOT complete THEN format('the index gave %s of %s rows', coalesce(cardinality(keys), 0), r.k)
            WHEN r.mode = 'auto' AND found < p.wanted THEN format('of the rows that the index found nearest only %s match, where %s were expected', found, p.wanted)
        END;
        farther := doubt IS NULL AND p.far > 0 AND p.strategy NOT IN ('exact', 'codes') AND distances[cardinality(distances)] > p.typical;
        IF explained THEN
            stages := stages || jsonb_strip_nulls(stage || jsonb_build_object('strategy', p.strategy, 'fallback', doubt,
                'farther', CASE WHEN farther THEN format('the last row lies at %s, which is beyond %s', distances[cardinality(distances)]::real, p.typical::real) END));
        END IF;
        IF farther THEN
            -- The neighbours of a query that lies far from all are harder to find. How far it lies is known only now, and most need no second look.
            needed := p.ef * exp(least(10, .6 + p.far * (distances[cardinality(distances)] - p.typical)));
            p.far := NULL;
            p.keep := least(100000, p.keep * needed / p.ef);
            p.ef := least(1000, needed);
            p.tuples := greatest(p.tuples, 20 * p.ef);
            IF r.mode = 'auto' AND needed > p.worth_ef AND pgsim._codes_kept(t.base, t.version_id, t.codes_columns) THEN
                p.strategy := 'codes';
            END IF;
            CONTINUE;
        END IF;
        EXIT WHEN doubt IS NULL;
        fallbacks := fallbacks || doubt;
        IF p.strategy = 'exact' THEN
            -- Each time more are reckoned with, and the next bound is beyond them.
            p.few := false;
            p.expected := 10.0 * p.bound;
            p.reachable := greatest(p.reachable, p.expected);
            p.scanned := greatest(p.scanned, p.expected);
            p := pgsim._choose_strategy(p, explained);
        ELSE
            p.strategy := CASE WHEN p.strategy <> 'codes' AND p.codes_second AND pgsim._codes_kept(t.base, t.version_id, t.codes_columns) THEN 'codes' ELSE 'exact' END;
            p.bound := NULL;
        END IF;
    END LOOP;
    IF r.max_distance IS NOT NULL THEN
        WHILE distances[cardinality(distances)] > r.max_distance LOOP
            keys := trim_array(keys, 1);
            distances := trim_array(distances, 1);
        END LOOP;
    END IF;

    details := jsonb_build_object('strategy', p.strategy, 'model', t.model);
    IF r.dims IS NOT NULL OR p.strategy = 'funnel' THEN
        details := details || jsonb_build_object('dims', to_jsonb(coalesce((p.rungs).dims, ARRAY[t.dim])));
    END IF;
    IF fallbacks <> '{}' THEN
        details := details || jsonb_build_object('fallbacks', to_jsonb(fallbacks));
    END IF;
    IF explained THEN
        details := details || jsonb_build_object(
            'collection', t.collection, 'version', t.version_id, 'dims', to_jsonb(coalesce((p.rungs).dims, ARRAY[t.dim])),
            'reason', p.reason, 'recall', p.recall, 'rows', coalesce(cardinality(keys), 0),
            'estimated_matches', p.estimated, 'matches', pgsim._count(t.base_sql, p.predicate, p.given), 'filter', p.predicate, 'values', p.given,
            'costs', p.costs, 'rungs', CASE WHEN p.strategy = 'funnel' THEN to_jsonb(p.rungs) END, 'stages', stages, 'index', stages -> -1 -> 'index', 'ef', stages -> -1 -> 'ef', 'keep', stages -> -1 -> 'keep',
            'tuples', stages -> -1 -> 'tuples', 'statement', statement, 'settings', settings, 'complete', complete,
            'calibration', pgsim._calibration_state(t),
            'seconds', jsonb_build_object('search', extract(epoch FROM clock_timestamp() - started)));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._execute_search IS
    'Runs a planned search: its strategy, and what takes over when that gives fewer rows than match, or too few to be trusted. The settings it changes are as they were when it returns; an error undoes them with the transaction.';
