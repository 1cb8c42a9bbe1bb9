CREATE FUNCTION pgsim._map_components(what text, given vector[], width int) RETURNS int
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows int := cardinality(given);
    other int;
BEGIN
    IF coalesce(rows, 0) = 0 OR array_ndims(given) > 1 OR rows > 16000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('%s is %s; it is a plain list of 1 to 16000 vectors, one for each number that comes out', what, coalesce('a list of ' || rows, 'NULL')),
            HINT = 'The i-th number of a mapped vector is its inner product with the i-th of them.';
    END IF;
    FOR i IN 1 .. rows LOOP
        other := CASE WHEN given[i] IS NULL THEN 0 ELSE cardinality(given[i]::real[]) END;
        IF other <> width THEN
            RAISE EXCEPTION USING ERRCODE = 'PS055',
                MESSAGE = format('component %s of %s %s, and the model it maps from has %s dimensions', i, what, CASE other WHEN 0 THEN 'is NULL' ELSE format('has %s numbers', other) END, width),
                HINT = 'A matrix is given by its rows: as many of them as numbers come out, each as wide as the model.';
        END IF;
    END LOOP;
    RETURN rows;
END
$$;
COMMENT ON FUNCTION pgsim._map_components IS 'How many components a map has; PS055 unless each is as wide as the model that it maps from. (pgvector itself refuses NaN and infinity.)';
