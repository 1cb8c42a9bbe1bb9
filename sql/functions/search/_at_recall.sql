CREATE FUNCTION pgsim._at_recall(recall float8, curve float8[]) RETURNS float8
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    levels CONSTANT float8[] := pgsim._recall_levels();
    i int := 1;
BEGIN
    WHILE i < cardinality(levels) - 1 AND levels[i + 1] < recall LOOP
        i := i + 1;
    END LOOP;
    IF curve[i] = 'Infinity' OR curve[i + 1] = 'Infinity' THEN
        RETURN 'Infinity';
    END IF;
    -- Each ten times fewer misses cost about as much again: linear in the logarithm of what is missed.
    RETURN curve[i] + (curve[i + 1] - curve[i]) * ln((1 - levels[i]) / greatest(1 - recall, 1e-4)) / ln((1 - levels[i]) / (1 - levels[i + 1]));
END
$$;
COMMENT ON FUNCTION pgsim._at_recall IS 'A curve over pgsim._recall_levels() read at a recall: interpolated between its points, and beyond them extended.';
