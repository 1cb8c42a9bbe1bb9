CREATE FUNCTION pgsim._text_backend_problems(c pgsim._collection, subject text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'error', subject, pgsim._text_backend_problem(c, t), pgsim._text_backend_again(c, t)
    FROM pgsim._text_backend AS t WHERE t.collection_id = c.id AND pgsim._text_backend_problem(c, t) IS NOT NULL;
END;
COMMENT ON FUNCTION pgsim._text_backend_problems IS 'What pgsim.check says of a text index of another extension''s.';
