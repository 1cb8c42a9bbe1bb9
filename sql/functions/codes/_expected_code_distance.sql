CREATE FUNCTION pgsim._expected_code_distance(cosine_distance float8, dims int, element text, margin float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE element WHEN 'bit' THEN pgsim._expected_bits(cosine_distance, dims, margin) ELSE cosine_distance - 1 + margin END;
COMMENT ON FUNCTION pgsim._expected_code_distance IS
    'How far apart the codes of two vectors at a cosine distance are at most, but for a margin: of bits in standard deviations, of directions in cosine distance.';
