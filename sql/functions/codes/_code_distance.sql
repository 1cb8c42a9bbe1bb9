CREATE FUNCTION pgsim._code_distance(vector_schema text, element text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN format('OPERATOR(%s.%s)', vector_schema, CASE element WHEN 'bit' THEN '<~>' ELSE '<#>' END);
COMMENT ON FUNCTION pgsim._code_distance IS 'The operator that compares codes: how many bits differ, or the negative cosine.';
