CREATE FUNCTION pgsim._choose_funnel(p pgsim._search_plan, c pgsim._calibration, n float8, reachable float8) RETURNS pgsim._funnel_choice
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    r pgsim._search_request := p.request;
    by_hand boolean := coalesce(cardinality(r.dims) > 1, false);
    best pgsim._funnel_choice;
    x record;
    f pgsim._funnel;
    line pgsim._calibration := c;
    held float8;
    matches float8;
    among float8;
    ef float8;
    keep float8;
    seconds float8;
BEGIN
    FOR x IN SELECT * FROM pgsim._funnels(t, c, r.filter, CASE WHEN by_hand THEN r.dims[1] END, p.predicate IS NOT NULL) LOOP
        f := x.funnel;
        held := greatest(CASE WHEN x.covering AND x.rows >= 0 THEN x.rows ELSE reachable END, 1);
        matches := least(n, held);
        among := p.depth * greatest(1, held / greatest(matches, 1) * CASE WHEN p.predicate IS NULL THEN 1 ELSE 1.3 END);
        line.ef_intercepts := f.ef_intercepts;
        line.ef_slope := f.ef_slope;
        ef := pgsim._expected_ef(line, p.recall, among);
        keep := ceil(greatest(p.depth, f.share * ef * matches / held));
        IF r.oversample IS NOT NULL THEN
            keep := p.depth::float8 * r.oversample;
            -- The index alone is left to miss something.
            ef := greatest(keep, pgsim._expected_ef(c, p.recall, among));
        ELSIF ef > 1000 AND NOT by_hand THEN
            CONTINUE;
        END IF;
        -- A search by hand may ask of an index more than it gives at once; then it goes on from there.
        seconds := CASE WHEN r.oversample IS NULL AND (ef > 20000 OR f.reached < p.recall) THEN 'Infinity'
                        ELSE (f.start + coalesce(f.ef_looks, 1) * ef * f.candidate) * p.parts + keep * f.rank_row END;
        IF best.seconds IS NULL OR seconds < best.seconds THEN
            best.ladder := coalesce(r.dims, CASE WHEN f.dims < t.dim THEN ARRAY[f.dims, t.dim] ELSE ARRAY[t.dim] END);
            best.element := f.element;
            best.index_name := x.name;
            best.covering := x.covering;
            best.reachable := held;
            best.ef := least(ef, 1000);
            best.keep := least(keep, 100000);
            best.seconds := seconds;
            best.candidate := f.candidate;
            best.far := CASE WHEN f.ef_far > 0 AND r.oversample IS NULL AND best.ladder[cardinality(best.ladder)] = t.dim THEN f.ef_far END;
            line.ef_typical := f.ef_typical;
            best.typical := CASE WHEN f.ef_far > 0 THEN pgsim._typical_distance(line, among) END;
            best.reason := format('%s of %s as %s, %s kept of ef %s%s', f.dims, t.dim, f.element, best.keep, best.ef, CASE WHEN f.reached IS NULL THEN ' (by default)' ELSE '' END);
        END IF;
    END LOOP;
    IF best.seconds IS NULL AND by_hand THEN
        -- Without an index the prefixes of all matches are compared.
        f := pgsim._default_funnel(t, c, r.dims[1], t.element, 1);
        line.ef_intercepts := f.ef_intercepts;
        line.ef_slope := f.ef_slope;
        best.ladder := r.dims;
        best.ef := 1000;
        best.keep := least(100000, p.depth::float8 * coalesce(r.oversample, ceil(pgsim._expected_ef(line, p.recall, p.depth) / p.depth)));
        best.seconds := 'Infinity';
    END IF;
    RETURN best;
END
$$;
COMMENT ON FUNCTION pgsim._choose_funnel IS 'The funnel that costs least at the recall asked for when n rows match; NULL where none serves. One that dims names is taken whatever it costs.';
