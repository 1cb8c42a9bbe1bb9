CREATE FUNCTION pgsim._sparse_of(given text) RETURNS sparsevec
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN given::sparsevec;
COMMENT ON FUNCTION pgsim._sparse_of IS 'A sparse vector read from its text, wherever the extension lives.';
