CREATE FUNCTION pgsim._typical_distance(c pgsim._calibration, among float8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    depths CONSTANT int[] := pgsim._depths();
    i int := 1;
BEGIN
    WHILE i < cardinality(depths) - 1 AND depths[i + 1] < among LOOP
        i := i + 1;
    END LOOP;
    -- Distances grow with the logarithm of the depth, about; beyond the last depth too.
    RETURN c.ef_typical[i] + (c.ef_typical[i + 1] - c.ef_typical[i]) * ln(greatest(among, depths[1]) / depths[i]) / ln(depths[i + 1]::float8 / depths[i]);
END
$$;
COMMENT ON FUNCTION pgsim._typical_distance IS 'Up to which distance of the last of so many nearest rows the first look suffices; NULL where that was not measured.';
