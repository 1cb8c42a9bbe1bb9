CREATE FUNCTION pgsim._vector_of(given text) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN given::vector;
COMMENT ON FUNCTION pgsim._vector_of IS 'A vector read from its text, wherever the extension lives.';
