CREATE FUNCTION pgsim._turned(v vector, seed int) RETURNS vector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given float4[] := v::float4[];
    noise float8[] := ARRAY(
        -- A normal number of two uniform ones (Box and Muller 1958), the uniform ones of a hash: the same each time.
        SELECT sqrt(-2 * ln((hashint8extended(i, seed)::numeric / 18446744073709551616 + 0.5000001)::float8))
               * cos(2 * pi() * (hashint8extended(i, seed + 1000003)::numeric / 18446744073709551616 + 0.5)::float8)
        FROM generate_series(1, cardinality(given)) AS i);
    scale float8 := (SELECT sqrt(sum(g::float8 ^ 2)) FROM unnest(given) AS g) / (SELECT sqrt(sum(n ^ 2)) FROM unnest(noise) AS n);
BEGIN
    RETURN (SELECT array_agg(((given[i] + scale * noise[i]) / sqrt(2))::float4 ORDER BY i) FROM generate_series(1, cardinality(given)) AS i);
END
$$;
COMMENT ON FUNCTION pgsim._turned IS 'A vector of about the same length, some 45 degrees away in a random direction; the same for the same seed.';
