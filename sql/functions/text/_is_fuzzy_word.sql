CREATE FUNCTION pgsim._is_fuzzy_word(word text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.length(word) BETWEEN 3 AND 24 AND pg_catalog.translate(word, '0123456789._-/:@+', '') OPERATOR(pg_catalog.=) word;
COMMENT ON FUNCTION pgsim._is_fuzzy_word IS
    'Whether a word is looked for by its like: numbers, versions, addresses and names of files are meant as they are written. An index is made of it, so it never changes.';
