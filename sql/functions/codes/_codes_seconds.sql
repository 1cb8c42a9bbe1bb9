CREATE FUNCTION pgsim._codes_seconds(c pgsim._calibration, n float8, depth int, margin float8) RETURNS float8
LANGUAGE sql IMMUTABLE
RETURN 0.3e-3 + n * c.code_row + least(n, pgsim._expected_shortlist(depth, margin)) * c.keep_row;
COMMENT ON FUNCTION pgsim._codes_seconds IS 'What a search by codes is expected to cost when n rows match.';
