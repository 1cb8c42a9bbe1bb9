CREATE FUNCTION pgsim._text_terms(impacts sparsevec) RETURNS int[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.string_to_array(pg_catalog.regexp_replace(pg_catalog.ltrim(pg_catalog.split_part(impacts::text, '}', 1), '{'), ':[^,]+', '', 'g'), ',')::int[];
COMMENT ON FUNCTION pgsim._text_terms IS
    'The ids of a row''s words. An index is made of it, so it never changes. (A column of their own beside the impacts would take a fifth more of all bytes.)';
