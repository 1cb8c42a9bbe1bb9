CREATE FUNCTION pgsim._last_shortlist(depth int, recall float8, n float8) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(1, least(100000, greatest(1, ln(1 / greatest(1 - recall, 1e-4)) / ln(100)) * greatest(1000 * power(greatest(depth, 10) / 10.0, 0.6), least(n / 10, 10000))));
COMMENT ON FUNCTION pgsim._last_shortlist IS 'How many rows a scan of codes lists at most. (Measured: few queries need more, and a longer list costs the others its sorting.)';
