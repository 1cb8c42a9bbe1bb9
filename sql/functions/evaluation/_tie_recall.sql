CREATE FUNCTION pgsim._tie_recall(found float8[], truth float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN coalesce(cardinality(truth), 0) = 0 THEN 1 ELSE (
    SELECT least(count(*) FILTER (WHERE f.distance <= t.farthest + 1e-6 * greatest(1, abs(t.farthest)))::float8 / cardinality(truth), 1)
    FROM (SELECT max(d) AS farthest FROM unnest(truth) AS d) AS t
    LEFT JOIN unnest(found) AS f (distance) ON true
) END;
COMMENT ON FUNCTION pgsim._tie_recall IS
    'The share of an exact answer that an answer found, by distances: a row as near as the farthest of the exact ones, within 1e-6, is as good as they are, for rows may tie. 1 where nothing is to be found.';
