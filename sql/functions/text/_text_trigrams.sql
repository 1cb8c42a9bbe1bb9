CREATE FUNCTION pgsim._text_trigrams(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT pg_catalog.substr(' ' || word || ' ', i, 3) FROM pg_catalog.generate_series(1, pg_catalog.length(word)) AS i);
COMMENT ON FUNCTION pgsim._text_trigrams IS 'The trigrams of a word, a space before and after it. An index is made of it, so it never changes.';
