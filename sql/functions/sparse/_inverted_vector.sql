CREATE FUNCTION pgsim._inverted_vector(metric text, column_name text, vector_schema text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.format(CASE metric WHEN 'cosine' THEN '%2$s.l2_normalize(r.%1$I)' ELSE 'r.%1$I' END, column_name, vector_schema);
COMMENT ON FUNCTION pgsim._inverted_vector IS 'The vector whose weights bound what a term can add to a score: under cosine that of length 1.';
