CREATE FUNCTION pgsim._turned(v vector, others vector[]) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT (l2_normalize(v) + l2_normalize(n.noise) * array_fill(0.7::real, ARRAY[vector_dims(v)])::vector)
           * array_fill((vector_norm(v) / 1.22)::real, ARRAY[vector_dims(v)])::vector
    FROM (SELECT sum(o.o) FILTER (WHERE o.ordinal % 2 = 0) - sum(o.o) FILTER (WHERE o.ordinal % 2 = 1) AS noise FROM unnest(others) WITH ORDINALITY AS o (o, ordinal)) AS n
);
COMMENT ON FUNCTION pgsim._turned IS
    'A vector of about the same length, some 35 degrees away, in a direction that others of its kind vary in: half of them less the other half. (Measured: an index finds the neighbours of such as well as those of questions; those of its own rows, or of rows with noise of no direction, it finds more easily, or not at all.)';
