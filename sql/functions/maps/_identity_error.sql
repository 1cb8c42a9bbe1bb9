CREATE FUNCTION pgsim._identity_error(components vector[], others vector[]) RETURNS float8
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN (
    -- A vector of signs tells of every pair of components at once, in a time that grows by the square of their number and not by its
    -- cube (R. Freivalds, Probabilistic machines can use less running time, 1977). Three are drawn, and the worst of them counts.
    SELECT pg_catalog.max(pg_catalog.abs(b.back - b.sign))
    FROM (
        SELECT unnest(pgsim._mapped(others, NULL, false, pgsim._unmapped(components, s.signs::vector))::real[]) AS back, unnest(s.signs) AS sign
        FROM (SELECT pg_catalog.array_agg(CASE WHEN pg_catalog.random() < 0.5 THEN -1 ELSE 1 END)::real[] AS signs
              FROM pg_catalog.generate_series(1, 3) AS attempt CROSS JOIN pg_catalog.generate_series(1, cardinality(components)) GROUP BY attempt) AS s
    ) AS b
);
COMMENT ON FUNCTION pgsim._identity_error IS 'The greatest difference, on three vectors of ones and minus ones, between a vector and what comes of adding up components by it and taking the inner products with others: next to nothing where each component has the inner product 1 with its own other and 0 with the rest.';
