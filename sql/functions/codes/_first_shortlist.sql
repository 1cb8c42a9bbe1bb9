CREATE FUNCTION pgsim._first_shortlist(k int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(50, 3 * k);
COMMENT ON FUNCTION pgsim._first_shortlist IS 'How many rows a scan of codes ranks exactly at first; the codes of the best of them say how much further to look.';
