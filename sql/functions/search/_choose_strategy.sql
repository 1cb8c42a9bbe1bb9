CREATE FUNCTION pgsim._choose_strategy(p pgsim._search_plan, thorough boolean) RETURNS pgsim._search_plan
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    r pgsim._search_request := p.request;
    c pgsim._calibration;
    n float8 := least(p.expected, p.reachable);
    exact_seconds float8;
    codes_seconds float8 := 'Infinity';
    ann_seconds float8 := 'Infinity';
    cheapest float8;
    index record;
    funnel pgsim._funnel_choice;
    -- Of all rows, before a partial index narrows them.
    reachable CONSTANT float8 := p.reachable;
    funnel_seconds float8 := 'Infinity';
    covering boolean := false;
    interval_of float8[];
BEGIN
    c := pgsim._calibrated(t);
    p.bound := NULL;
    p.far := NULL;
    p.ladder := NULL;
    p.keep := NULL;
    IF p.no_codes IS NULL THEN
        p.no_codes := pgsim._codes_serve(t, p.predicate, p.columns);
        IF p.no_codes IS NULL AND r.where_sql IS NOT NULL THEN
            p.no_codes := pgsim._codes_refusal(p);
        END IF;
    END IF;
    p.doubtful := p.predicate IS NOT NULL AND (cardinality(p.columns) IS DISTINCT FROM 1 OR strpos(p.predicate, 'EXISTS (SELECT') > 0);
    exact_seconds := p.scanned * c.scan_row + n * c.exact_row;
    p.margin := pgsim._at_recall(1 - .4 * (1 - p.recall), c.margins);
    p.shortlist := pgsim._last_shortlist(p.depth, 1 - .4 * (1 - p.recall), n);
    p.codes_second := p.no_codes IS NULL AND p.margin < 'Infinity' AND r.dims IS NULL;
    IF p.codes_second THEN
        codes_seconds := pgsim._codes_seconds(c, n, p.depth, p.margin, t.codes_element);
    END IF;
    -- No index answers before its first forty candidates.
    cheapest := least(exact_seconds, codes_seconds);
    IF thorough OR r.mode = 'ann' OR cheapest > c.ann_start + 40 * c.ann_candidate THEN
        p.ef := pgsim._expected_ef(c, p.recall, pgsim._among(p, n));
    END IF;
    -- What index there is, is looked up only where a plain one would be the better choice, or a partial one may be.
    IF r.mode = 'ann' OR p.doubtful AND n * 10 > p.reachable / 20
       OR p.recall < 1 AND cheapest > c.ann_start + 40 * c.ann_candidate AND (cheapest > c.ann_start + p.ef * c.ann_candidate OR pgsim._has_partial(t.version_id) OR pgsim._has_funnel(t.version_id)) THEN
        index := pgsim._usable_index(t, coalesce(r.dims[1], t.dim), r.filter);
        p.index_name := index.name;
        p.element := index.element;
        p.method := index.method;
        covering := coalesce(index.covering, false);
        IF covering AND index.rows >= 0 THEN
            p.reachable := greatest(index.rows, 1);
            n := least(n, p.reachable);
        ELSIF p.doubtful AND r.mode = 'auto' AND index.name IS NOT NULL AND cheapest > .004
              AND (pgsim._ann_seconds(c, p, least(10 * n, p.reachable)) < pgsim._codes_seconds(c, least(10 * n, p.reachable), p.depth, p.margin, t.codes_element))
                  <> (pgsim._ann_seconds(c, p, n / 10) < pgsim._codes_seconds(c, n / 10, p.depth, p.margin, t.codes_element)) THEN
            -- Statistics of single columns may be off by ten where several meet, and here that would decide.
            interval_of := pgsim._sampled_share(CASE WHEN p.codes_second THEN t.codes_sql ELSE t.base_sql END, t.base, p.predicate, p.given, p.settings);
            IF n / p.reachable NOT BETWEEN interval_of[1] AND interval_of[2] THEN
                n := p.reachable * (interval_of[1] + interval_of[2]) / 2;
                p.expected := n;
                exact_seconds := p.scanned * c.scan_row + n * c.exact_row;
                codes_seconds := CASE WHEN p.codes_second THEN pgsim._codes_seconds(c, n, p.depth, p.margin, t.codes_element) ELSE 'Infinity' END;
            END IF;
        END IF;
        p.ef := pgsim._expected_ef(c, p.recall, pgsim._among(p, n));
        IF p.method = 'ivfflat' THEN
            p.probes := greatest(least(10, index.lists),
                ceil(index.lists * least(1, pgsim._at_recall(p.recall, '{0.005,0.015,0.03,0.06,0.1,0.15,0.2,0.4}') * (1 + ln(greatest(1, p.reachable / greatest(n, 1)))))));
            ann_seconds := c.ann_start + p.reachable * p.probes / index.lists * c.exact_row;
        ELSIF p.method = 'hnsw' THEN
            ann_seconds := pgsim._ann_seconds(c, p, n);
            IF c.ef_far > 0 AND r.dims IS NULL THEN
                p.far := c.ef_far;
                p.typical := pgsim._typical_distance(c, p.depth * greatest(1, greatest(t.rows, p.reachable) / greatest(n, 1)));
                p.worth_ef := CASE WHEN p.codes_second THEN (codes_seconds - c.ann_start) / c.ann_candidate END;
            END IF;
        END IF;
        IF r.dims IS NULL AND index.funnels IS NOT FALSE OR cardinality(r.dims) > 1 THEN
            funnel := pgsim._choose_funnel(p, c, least(p.expected, reachable), reachable);
            funnel_seconds := coalesce(funnel.seconds, 'Infinity');
        END IF;
        IF cardinality(r.dims) > 1 OR funnel_seconds < ann_seconds THEN
            -- Of one by hand over ivfflat only the candidates are reckoned; how that index is read stands above.
            IF index.method = 'ivfflat' AND funnel.index_name IS NULL THEN
                funnel.element := index.element;
                funnel_seconds := ann_seconds + funnel.keep * c.keep_row;
            ELSE
                p.method := 'hnsw';
                p.index_name := funnel.index_name;
                covering := coalesce(funnel.covering, false);
            END IF;
            p.ladder := funnel.ladder;
            p.keep := funnel.keep;
            p.element := funnel.element;
            p.ef := funnel.ef;
            p.far := funnel.far;
            p.typical := funnel.typical;
            p.worth_ef := CASE WHEN p.codes_second THEN (codes_seconds - c.ann_start) / funnel.candidate END;
            p.reachable := coalesce(funnel.reachable, reachable);
            n := least(p.expected, p.reachable);
            ann_seconds := CASE WHEN cardinality(r.dims) > 1 THEN 'Infinity' ELSE ann_seconds END;
        END IF;
        p.covering := covering;
    END IF;
    IF p.far > 0 AND p.ef < 40 THEN
        -- More than was needed reaches farther.
        p.typical := p.typical + ln(40.0 / greatest(p.ef, 1)) / p.far;
    END IF;
    p.ef := greatest(40, least(p.ef, 1000));
    -- Fewer matches among the nearest than a third of the expected ones say that the filter and the query disagree.
    p.wanted := greatest(p.depth, CASE WHEN p.predicate IS NOT NULL AND least(ann_seconds, funnel_seconds) < 'Infinity' THEN p.ef * n / greatest(p.reachable, 1) / 3 ELSE 0 END);
    -- Each candidate brings some fourteen others to be looked at. When they have cost what the next best would, that takes over.
    p.tuples := least(1e9, greatest(20 * p.ef, 20 * p.keep, 14 * least(exact_seconds, codes_seconds) / coalesce(funnel.candidate, c.ann_candidate)));
    IF r.mode = 'codes' AND NOT p.codes_second THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('mode is codes, and codes cannot answer: %s', coalesce(p.no_codes, 'they tell the rows of this table apart too little')),
            HINT = 'Leave mode out. Codes are made by pgsim.create_index(..., method => ''codes'') and mirror the columns named in filter_columns.';
    ELSIF r.mode <> 'auto' THEN
        p.strategy := CASE r.mode WHEN 'ann' THEN pgsim._index_strategy(p, covering) ELSE r.mode END;
    ELSIF p.few THEN
        p.strategy := 'exact';
        p.bound := 1000;
    ELSIF p.recall = 1 OR r.after IS NOT NULL AND NOT r.after ? 'rank' THEN
        -- After a place without a rank, any number of rows may come before.
        p.strategy := 'exact';
    ELSE
        p.strategy := CASE WHEN exact_seconds <= least(codes_seconds, ann_seconds, funnel_seconds) THEN 'exact' WHEN codes_seconds <= least(ann_seconds, funnel_seconds) THEN 'codes'
                           ELSE pgsim._index_strategy(p, covering) END;
        -- An estimate may be far too low. Then the search stops at so many matches, and what is made for many takes over.
        IF p.strategy = 'exact' AND p.predicate IS NOT NULL AND p.depth <= 1000 AND r.distinct_on IS NULL AND r.after IS NULL AND (p.codes_second OR pgsim._ann_seconds(c, p, p.reachable) < p.reachable * c.exact_row / 4) THEN
            p.bound := least(1e9, greatest(1000, 4 * n, 4 * p.depth));
        END IF;
    END IF;
    IF p.strategy = 'codes' AND NOT pgsim._codes_kept(t.base, t.version_id, t.codes_columns) THEN
        p.no_codes := 'they are not told of every change; see pgsim.check';
        RETURN pgsim._choose_strategy(p, thorough);
    END IF;
    IF thorough THEN
        p.costs := jsonb_strip_nulls(jsonb_build_object('exact', exact_seconds, 'codes', nullif(codes_seconds, 'Infinity'), 'ann', nullif(ann_seconds, 'Infinity'), 'funnel', nullif(funnel_seconds, 'Infinity')));
        p.reason := CASE
            WHEN r.mode <> 'auto' THEN format('mode is %s', r.mode)
            WHEN p.few THEN format('about %s rows match: so few are ranked before anything else has begun', n::bigint)
            WHEN p.recall = 1 THEN 'recall is 1'
            WHEN r.after IS NOT NULL AND NOT r.after ? 'rank' THEN 'after has no rank, so any number of rows may come before'
            ELSE format('about %s of %s rows match%s; milliseconds expected: exact %s, codes %s, index %s', n::bigint, p.reachable::bigint, CASE WHEN interval_of IS NOT NULL THEN ' (sampled)' END,
                        pgsim._milliseconds(exact_seconds), CASE WHEN p.no_codes IS NULL THEN pgsim._milliseconds(codes_seconds) ELSE format('no (%s)', p.no_codes) END,
                        pgsim._milliseconds(ann_seconds))
                 || CASE WHEN funnel.reason IS NOT NULL THEN format(', funnel %s (%s)', pgsim._milliseconds(funnel_seconds), funnel.reason) ELSE '' END END;
    END IF;
    RETURN p;
END
$$;
COMMENT ON FUNCTION pgsim._choose_strategy IS 'Decides between ranking every match, codes and a vector index: by what each is expected to cost at the recall asked for. thorough: costs and reason are wanted too.';
