CREATE FUNCTION pgsim._unmapped(components vector[], v vector) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT sum(c.component * pg_catalog.array_fill(c.number, ARRAY[vector_dims(c.component)])::vector)
    FROM (SELECT unnest(components) AS component, unnest(v::real[]) AS number) AS c
);
COMMENT ON FUNCTION pgsim._unmapped IS 'The components added up, each as often as the vector says: the reverse of a map whose full-width scores are kept.';
