CREATE FUNCTION pgsim._codes_seconds(c pgsim._calibration, n float8, depth int, margin float8, element text) RETURNS float8
LANGUAGE sql IMMUTABLE
-- Directions differ by distances, which mean the more the wider they scatter. (Fitted on prefixes of 64 to 192 of 384 dimensions, as they are and rotated, among 17000 to 131000 rows.)
RETURN 0.3e-3 + n * c.code_row + least(n, pgsim._expected_shortlist(depth, CASE element WHEN 'halfvec' THEN 11 * (margin - c.margins[1]) ELSE margin END)) * c.keep_row;
COMMENT ON FUNCTION pgsim._codes_seconds IS 'What a search by codes is expected to cost when n rows match.';
