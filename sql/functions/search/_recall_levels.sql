CREATE FUNCTION pgsim._recall_levels() RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{0.5,0.8,0.9,0.95,0.98,0.99,0.995,0.999}'::float8[];
COMMENT ON FUNCTION pgsim._recall_levels IS 'The recalls at which a calibration is kept; between them it is interpolated.';
