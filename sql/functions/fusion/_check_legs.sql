CREATE FUNCTION pgsim._check_legs(legs pgsim.leg[], method text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    l pgsim.leg;
    names text[] := '{}';
BEGIN
    IF legs IS NULL OR array_ndims(legs) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'legs is NULL or an array of arrays', HINT = 'Give a list: ARRAY[pgsim.leg(''dense'', keys, scores), pgsim.leg(''text'', keys, scores)].';
    END IF;
    FOREACH l IN ARRAY legs LOOP
        PERFORM pgsim._check_name('leg', l.name);
        IF l.name = ANY (names) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('two legs are called %L', l.name), HINT = 'Give each a name of its own.';
        END IF;
        names := names || l.name;
        IF array_ndims(l.keys) > 1 OR array_ndims(l.scores) > 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the keys or scores of leg %L are arrays of arrays', l.name), HINT = 'Give a list of keys and one of scores.';
        END IF;
        IF array_position(l.keys, NULL) IS NOT NULL OR (SELECT count(DISTINCT k) FROM unnest(l.keys) AS k) <> cardinality(l.keys) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('leg %L holds a key twice, or NULL', l.name), HINT = 'Give each key once, at its best rank.';
        END IF;
        IF cardinality(l.keys) > 0 AND (l.scores IS NOT NULL OR method <> 'rrf') AND cardinality(l.scores) IS DISTINCT FROM cardinality(l.keys) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L has %s keys and %s scores', l.name, cardinality(l.keys), coalesce(cardinality(l.scores), 0)),
                HINT = 'Give a score for each key, or fuse by rrf, which needs none.';
        END IF;
        IF EXISTS (SELECT FROM unnest(l.scores) AS s WHERE s IS NULL OR NOT s BETWEEN -1e100 AND 1e100) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('a score of leg %L is NULL, NaN or beyond 1e100', l.name), HINT = 'Leave such rows out.';
        END IF;
        IF l.maximum IS NOT NULL AND (l.minimum IS NULL OR NOT l.minimum BETWEEN -1e100 AND 1e100 OR NOT l.maximum BETWEEN -1e100 AND 1e100 OR l.maximum <= l.minimum OR EXISTS (SELECT FROM unnest(l.scores) AS s WHERE s NOT BETWEEN l.minimum AND l.maximum)) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L has the scale %s to %s, and scores %s to %s', l.name, coalesce(l.minimum::text, 'NULL'), l.maximum,
                                                                      (SELECT min(s) FROM unnest(l.scores) AS s), (SELECT max(s) FROM unnest(l.scores) AS s)),
                HINT = 'A scale has a minimum and a greater maximum, and all scores lie between; without a maximum the scale is what was found.';
        END IF;
        IF method = 'tmm' AND (l.minimum IS NULL OR l.minimum IN ('NaN', 'Infinity', '-Infinity') OR l.minimum > (SELECT min(s) FROM unnest(l.scores) AS s)) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the minimum of leg %L is %s, and its least score %s', l.name, coalesce(l.minimum::text, 'not known'), (SELECT min(s) FROM unnest(l.scores) AS s)),
                HINT = 'tmm needs the least score that is possible: 0 of BM25, -1 of a cosine similarity; minmax does not.';
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._check_legs IS 'Raises PS010, PS011 or PS016 for lists that cannot be fused by a method.';
