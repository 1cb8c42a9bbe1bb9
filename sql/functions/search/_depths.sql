CREATE FUNCTION pgsim._depths() RETURNS int[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{10,20,50,100,200}'::int[];
COMMENT ON FUNCTION pgsim._depths IS 'Among how many nearest rows the recall of an index is measured; between them it is interpolated.';
