CREATE FUNCTION pgsim._longer_than(components vector[], bound float8) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT min(c.ordinal) FROM unnest(components) WITH ORDINALITY AS c (component, ordinal) WHERE vector_norm(c.component) > bound);
COMMENT ON FUNCTION pgsim._longer_than IS 'The number of the first component of a map that is longer than that, or NULL.';
