CREATE FUNCTION pgsim._inverted_definition(t pgsim._target) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- Without a list of pending entries, which each search would read through.
RETURN pg_catalog.format('USING gin (pgsim._text_terms(%I)) WITH (fastupdate = off)', t.column_name);
COMMENT ON FUNCTION pgsim._inverted_definition IS 'How the GIN index of an inverted index is declared.';
