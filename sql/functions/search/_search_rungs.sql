CREATE FUNCTION pgsim._search_rungs(t pgsim._target, k int, ladder int[], keep int, exact boolean, first_element text) RETURNS pgsim._rungs
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r pgsim._rungs;
    candidates int := greatest(k, coalesce(keep, k + 10));
    rungs int;
BEGIN
    r.dims := coalesce(ladder, ARRAY[t.dim]);
    IF exact THEN
        -- Whoever ranks every match has no use for the shorter ones.
        r.dims := r.dims[cardinality(r.dims):];
    END IF;
    rungs := cardinality(r.dims);
    r.elements := array_fill(t.element, ARRAY[rungs]);
    IF NOT exact THEN
        r.elements[1] := coalesce(first_element, t.element);
        IF r.elements[rungs] <> t.element THEN
            -- What an index of narrower elements found is ranked by the stored ones.
            r.dims := r.dims || r.dims[rungs];
            r.elements := r.elements || t.element;
            rungs := rungs + 1;
        END IF;
    END IF;
    -- From the first rung's candidates down to k, by the same factor at each step.
    r.keep := array_fill(k, ARRAY[rungs]);
    FOR i IN 1 .. rungs - 1 LOOP
        r.keep[i] := ceil(k * power(candidates::float8 / k, (rungs - i)::float8 / (rungs - 1)));
    END LOOP;
    RETURN r;
END
$$;
COMMENT ON FUNCTION pgsim._search_rungs IS 'The rungs of a search for k rows: the model''s full width, or the prefix lengths of a ladder, of which the first keeps so many candidates.';
