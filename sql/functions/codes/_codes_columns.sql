CREATE FUNCTION pgsim._codes_columns(key_columns text[], filter_columns text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN key_columns || ARRAY(SELECT f.name FROM pg_catalog.unnest(filter_columns) WITH ORDINALITY AS f (name, ordinal) WHERE f.name <> ALL (key_columns) ORDER BY f.ordinal);
COMMENT ON FUNCTION pgsim._codes_columns IS 'The columns of a base table that codes mirror: its key, and the declared filter columns.';
