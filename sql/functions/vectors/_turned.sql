CREATE FUNCTION pgsim._turned(v vector, others vector[], far float8) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT (l2_normalize(v) + l2_normalize(n.noise) * array_fill(far::real, ARRAY[vector_dims(v)])::vector)
           * array_fill((vector_norm(v) / sqrt(1 + far * far))::real, ARRAY[vector_dims(v)])::vector
    FROM (SELECT sum(o.o) FILTER (WHERE o.ordinal % 2 = 0) - sum(o.o) FILTER (WHERE o.ordinal % 2 = 1) AS noise FROM unnest(others) WITH ORDINALITY AS o (o, ordinal)) AS n
);
COMMENT ON FUNCTION pgsim._turned IS
    'A vector of about the same length, at an angle whose tangent is far, in a direction that others of its kind vary in: half of them less the other half. (Measured: of such at one distance from their neighbours an index misses as many as of questions at that distance; its own rows, or rows with noise of no direction, it finds more easily, or not at all.)';
