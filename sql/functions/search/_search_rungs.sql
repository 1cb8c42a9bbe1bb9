CREATE FUNCTION pgsim._search_rungs(t pgsim._target, k int, wanted int[], oversample int, exact boolean, first_element text) RETURNS pgsim._rungs
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r pgsim._rungs;
    candidates int := least(100000, k * coalesce(oversample, 8));
    rungs int;
BEGIN
    r.dims := coalesce(wanted, ARRAY[t.dim]);
    rungs := cardinality(r.dims);
    r.elements := array_fill(t.element, ARRAY[rungs]);
    IF NOT exact THEN
        -- A rung takes the element type of the index made for it, if there is one, and that of the model otherwise.
        FOR i IN 1 .. rungs LOOP
            r.elements[i] := coalesce(CASE WHEN i = 1 THEN first_element END, (
                SELECT x.element FROM pgsim._index AS x WHERE x.version_id = t.version_id AND x.dims = r.dims[i] AND x.where_filter IS NULL AND x.method <> 'codes'
                ORDER BY x.element <> t.element, x.id LIMIT 1), t.element);
        END LOOP;
        IF r.elements[rungs] <> t.element THEN
            -- What an index of narrower elements found is ranked by the stored ones.
            r.dims := r.dims || r.dims[rungs];
            r.elements := r.elements || t.element;
            IF rungs = 1 THEN
                candidates := k + 10;
            END IF;
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
COMMENT ON FUNCTION pgsim._search_rungs IS 'The rungs of a search for k rows: the model''s full width, or the prefix lengths wanted.';
