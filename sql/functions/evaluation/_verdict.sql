CREATE FUNCTION pgsim._verdict(value float8, note_above float8, warning_above float8) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value > warning_above THEN 'warning' WHEN value <= note_above THEN 'ok' ELSE 'note' END;
COMMENT ON FUNCTION pgsim._verdict IS 'What pgsim.health makes of a value that is better the lower it is: ok, note or warning. What could not be measured is a note.';
