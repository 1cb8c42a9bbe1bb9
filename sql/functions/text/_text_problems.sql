CREATE FUNCTION pgsim._text_problems(c pgsim._collection, subject text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x pgsim._text;
    problems text;
    again text := format('SELECT pgsim.disable_text(%L), pgsim.enable_text(%1$L)', c.name);
BEGIN
    SELECT * INTO x FROM pgsim._text AS s WHERE s.collection_id = c.id;
    IF NOT FOUND THEN
        RETURN QUERY SELECT * FROM pgsim._text_backend_problems(c, subject);
        RETURN;
    END IF;
    IF (SELECT count(*) FROM pg_class AS r WHERE r.oid IN (x.documents, x.vocabulary, x.changes)) < 3 THEN
        RETURN QUERY SELECT 'error', subject, 'tables of its text index were dropped', again;
        RETURN;
    ELSIF NOT x.complete THEN
        RETURN QUERY SELECT 'error', subject, 'its text index is not kept up: a column that it reads was renamed or dropped, or its triggers were off', again;
        RETURN;
    ELSIF NOT x.built THEN
        RETURN QUERY SELECT 'error', subject, 'its text index is not complete: its making failed or is under way', again;
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM unnest(pgsim._text_functions(x)) AS f WHERE to_regprocedure(f) IS NULL) THEN
        RETURN QUERY SELECT 'error', subject, 'functions of its text index were dropped', format('SELECT pgsim.sync_privileges(%L)', c.name);
    END IF;
    SELECT string_agg(format('%s %s %s', CASE WHEN d.missing THEN 'lacks' ELSE 'has beyond it' END, d.privilege, d.grantee), ', ') INTO problems
    FROM unnest(ARRAY[x.documents, x.vocabulary, x.changes]) AS t (held) CROSS JOIN LATERAL pgsim._privilege_drift(c.relation, t.held, '{SELECT}') AS d;
    IF problems IS NOT NULL OR pgsim._text_security_drift(c, x) THEN
        RETURN QUERY SELECT 'error', subject, format('its text index is not as open as %s is: it %s', c.relation, coalesce(problems, 'differs in row-level security')),
            format('SELECT pgsim.sync_privileges(%L)', c.name);
    END IF;
    problems := pgsim._text_drift(c, x);
    IF problems IS NOT NULL THEN
        RETURN QUERY SELECT 'error', subject, 'its text index does not agree with the table: ' || problems, again;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._text_problems IS 'What is wrong with the text index of a collection, for pgsim.check.';
