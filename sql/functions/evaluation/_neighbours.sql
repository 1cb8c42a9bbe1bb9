CREATE FUNCTION pgsim._neighbours(vectors vector[], metric text, k int) RETURNS TABLE (item bigint, neighbour bigint, distance float8, rank bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 10000
BEGIN ATOMIC
    WITH v AS MATERIALIZED (
        SELECT g.ordinal, CASE _neighbours.metric WHEN 'cosine' THEN l2_normalize(g.v) ELSE g.v END AS v
        FROM unnest(_neighbours.vectors) WITH ORDINALITY AS g (v, ordinal)
    )
    SELECT a.ordinal, n.ordinal, n.distance, row_number() OVER (PARTITION BY a.ordinal ORDER BY n.distance, n.ordinal)
    FROM v AS a
    CROSS JOIN LATERAL (
        SELECT b.ordinal, CASE _neighbours.metric WHEN 'ip' THEN a.v <#> b.v WHEN 'l1' THEN a.v <+> b.v ELSE a.v <-> b.v END AS distance
        FROM v AS b WHERE b.ordinal <> a.ordinal
        ORDER BY 2, 1 LIMIT _neighbours.k
    ) AS n;
END;
COMMENT ON FUNCTION pgsim._neighbours IS
    'The k nearest of each vector among the others, exactly, by their places in the array. Under cosine the distance is that of the directions, sqrt(2 - 2 cos): the order is the same, and it is a distance.';
