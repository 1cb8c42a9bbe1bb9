CREATE FUNCTION pgsim._is_fuzzy_word(word text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN length(word) BETWEEN 3 AND 24 AND translate(word, '0123456789._-/:@+', '') = word;
END
$$;
COMMENT ON FUNCTION pgsim._is_fuzzy_word IS
    'Whether a word is looked for by its like: numbers, versions, addresses and names of files are meant as they are written. An index is made of it, so it never changes. (Inlined into a query it is not known again as the condition of that index.)';
