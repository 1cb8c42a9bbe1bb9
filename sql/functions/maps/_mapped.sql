CREATE FUNCTION pgsim._mapped(components vector[], bias vector, normalized boolean, v vector) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    -- Components that are read from a variable cost half of those read from their table for every vector. A number beyond real is none.
    SELECT CASE WHEN pg_catalog.max(abs(c.number)) <= 3.4e38 THEN pg_catalog.array_agg(c.number)::vector + coalesce(bias, pg_catalog.array_fill(0::real, ARRAY[cardinality(components)])::vector) END
    FROM (SELECT -(unnest(components) <#> n.v) AS number FROM (SELECT CASE WHEN normalized THEN l2_normalize(_mapped.v) ELSE _mapped.v END AS v OFFSET 0) AS n) AS c
);
COMMENT ON FUNCTION pgsim._mapped IS 'A vector mapped: its inner products with the components, and the bias added; NULL where that leaves what a vector holds.';
