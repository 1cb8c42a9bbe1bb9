CREATE FUNCTION pgsim._codes_problems(c pgsim._collection, version_id int, subject text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    k record;
    problems text;
    again text;
BEGIN
    RETURN QUERY
        SELECT 'warning', subject, format('codes %s are %s', i.name, CASE i.place WHEN 'beside' THEN 'being made in place of others, or were left by what ended before they were whole' ELSE 'no longer used: others took their place' END),
               format('SELECT pgsim.drop_index(%L)', i.relation::text)
        FROM pgsim._index AS i JOIN pg_class AS r ON r.oid = i.relation
        WHERE i.version_id = _codes_problems.version_id AND i.method = 'codes' AND i.place <> 'serving';
    SELECT i.*, r.oid IS NULL AS gone, v.model, v.embedding INTO k
    FROM pgsim._index AS i JOIN pgsim.versions AS v ON v.id = i.version_id LEFT JOIN pg_class AS r ON r.oid = i.relation
    WHERE i.version_id = _codes_problems.version_id AND i.method = 'codes' AND i.place = 'serving';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    again := format('SELECT pgsim.create_index(%L, %L, embedding => %L, method => ''codes'')', c.name, k.model, k.embedding);
    IF k.gone THEN
        RETURN QUERY SELECT 'error', subject, format('codes %s are gone', k.name), format('DELETE FROM pgsim._index WHERE id = %s; SELECT pgsim.sync_privileges(%L); %s', k.id, c.name, again);
        RETURN;
    END IF;
    again := format('SELECT pgsim.drop_index(%L); %s', k.relation::text, again);
    IF NOT k.complete THEN
        RETURN QUERY SELECT 'error', subject, format('codes %s are not complete: their build failed or is under way, or a column that they mirror was renamed', k.name), again;
    END IF;
    IF k.complete AND NOT pgsim._codes_kept(c.relation, version_id, pgsim._codes_columns(c.key_columns, c.filter_columns)) THEN
        RETURN QUERY SELECT 'error', subject, format('codes %s are not told of changes of all columns that they mirror, and serve no search', k.name), again;
    END IF;
    SELECT string_agg(format('%s %s %s', CASE WHEN d.missing THEN 'lack' ELSE 'have beyond it' END, d.privilege, d.grantee), ', ') INTO problems
    FROM pgsim._privilege_drift(c.relation, k.relation, '{SELECT}') AS d;
    IF problems IS NOT NULL OR pgsim._codes_security_drift(c.relation, k.relation) THEN
        RETURN QUERY SELECT 'error', subject, format('codes %s are not as open as %s is: they %s', k.name, c.relation, coalesce(problems, 'differ in row-level security')),
            format('SELECT pgsim.sync_privileges(%L)', c.name);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._codes_problems IS 'What is wrong with the codes of a version, for pgsim.check.';
