CREATE FUNCTION pgsim._directed(vectors vector[], metric text) RETURNS vector[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT coalesce(pg_catalog.array_agg(g.v ORDER BY g.ordinal), '{}')
    FROM unnest(vectors) WITH ORDINALITY AS g (v, ordinal)
    WHERE vector_norm(g.v) > 0 OR metric <> 'cosine' AND g.v IS NOT NULL
);
COMMENT ON FUNCTION pgsim._directed IS 'Those vectors that have a distance to others: not NULL, and under cosine not zero.';
