CREATE FUNCTION pgsim._expected_ef(c pgsim._calibration, recall float8, among float8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    depths CONSTANT int[] := pgsim._depths();
    -- Somewhat better than asked: a hundred queries tell what is missed only to a third or so.
    missed float8 := ln(greatest(.8 * (1 - recall), 1e-4));
    i int := 1;
    narrow float8;
    wide float8;
BEGIN
    -- More rows need no less, whatever was measured.
    narrow := exp(least(20, (c.ef_intercepts[1] - missed) / c.ef_slope));
    wide := greatest(narrow, exp(least(20, (c.ef_intercepts[2] - missed) / c.ef_slope)));
    WHILE i < cardinality(depths) - 1 AND depths[i + 1] < among LOOP
        i := i + 1;
        narrow := wide;
        wide := greatest(narrow, exp(least(20, (c.ef_intercepts[i + 1] - missed) / c.ef_slope)));
    END LOOP;
    RETURN least(1e9, ceil(CASE WHEN among <= depths[1] THEN narrow
                     WHEN among > depths[i + 1] THEN wide * least(1e4, among / depths[i + 1])
                     ELSE narrow + (wide - narrow) * (among - depths[i]) / (depths[i + 1] - depths[i]) END));
END
$$;
COMMENT ON FUNCTION pgsim._expected_ef IS
    'The hnsw.ef_search at which an index finds a recall of so many nearest rows, among which the wanted ones match, where queries whose last row lies beyond ef_typical look again.';
