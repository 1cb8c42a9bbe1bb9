CREATE FUNCTION pgsim._stored_vector(t pgsim._target, operand text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN t.slice IS NULL THEN operand
            ELSE pg_catalog.format('(%1$s.subvector(%2$s, %3$s, %4$s))::%1$s.%5$I(%4$s)', t.vector_schema, operand, pg_catalog.lower(t.slice), t.dim, t.element) END;
COMMENT ON FUNCTION pgsim._stored_vector IS 'A stored vector, or the slice of it that is searched. The index of a slice is on this expression, to the letter.';
