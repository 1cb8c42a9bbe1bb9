CREATE FUNCTION pgsim._text_functions(x pgsim._text) RETURNS text[]
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
RETURN ARRAY[x.words_function || '(text[])', x.best_function || '(text[], int, boolean)'];
COMMENT ON FUNCTION pgsim._text_functions IS 'The functions of a text index with their arguments, as DROP FUNCTION takes them.';
