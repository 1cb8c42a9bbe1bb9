CREATE FUNCTION pgsim._calibration_sample(t pgsim._target) RETURNS int
LANGUAGE sql IMMUTABLE
RETURN greatest(60, least(200, 200 * 2e5 / greatest(t.rows, 1)))::int;
COMMENT ON FUNCTION pgsim._calibration_sample IS 'How many rows a calibration takes for queries: each is compared with every row.';
