CREATE FUNCTION pgsim._inverted_problems(c pgsim._collection, version_id int, subject text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x record;
    problems text;
    again text;
    beyond bigint;
BEGIN
    SELECT i.*, v.model, v.embedding, v.relation AS version, v.column_name, m.metric, r.oid IS NULL AS gone, k.indexrelid IS NULL AS lacking INTO x
    FROM pgsim._index AS i JOIN pgsim.versions AS v ON v.id = i.version_id JOIN pgsim._model AS m ON m.name = v.model LEFT JOIN pg_class AS r ON r.oid = i.relation
    LEFT JOIN (pg_index AS k JOIN pg_class AS n ON n.oid = k.indexrelid) ON k.indrelid = v.relation AND n.relname = i.name AND k.indisvalid
    WHERE i.version_id = _inverted_problems.version_id AND i.method = 'inverted';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    again := format('SELECT pgsim._drop_inverted(%s); SELECT pgsim.create_index(%L, %L, embedding => %L, method => ''inverted'')', x.id, c.name, x.model, x.embedding);
    IF x.gone OR x.lacking THEN
        RETURN QUERY SELECT 'error', subject, format('inverted index %s is gone, or a part of it', x.name), again;
        RETURN;
    ELSIF NOT x.complete THEN
        RETURN QUERY SELECT 'error', subject, format('inverted index %s is not complete: its build failed or is under way, or the column of its vectors was renamed', x.name), again;
        RETURN;
    END IF;
    SELECT string_agg(format('%s %s %s', CASE WHEN d.missing THEN 'lack' ELSE 'have beyond it' END, d.privilege, d.grantee), ', ') INTO problems
    FROM pgsim._privilege_drift(c.relation, x.relation, '{SELECT}') AS d;
    IF problems IS NOT NULL OR pgsim._codes_security_drift(c.relation, x.relation) THEN
        RETURN QUERY SELECT 'error', subject, format('the terms of inverted index %s are not as open as %s is: they %s', x.name, c.relation, coalesce(problems, 'differ in row-level security')),
            format('SELECT pgsim.sync_privileges(%L)', c.name);
    END IF;
    IF row_security_active(c.relation) THEN
        RETURN;
    END IF;
    -- Some thousand rows stand for all, or a table of millions would take minutes. (A bound may be too high: that costs time alone.)
    EXECUTE format('SELECT count(*) FROM (SELECT r.* FROM %s AS r ORDER BY r.ctid DESC LIMIT 2000) AS r CROSS JOIN LATERAL pgsim._sparse_entries(%s) AS e '
                   'WHERE NOT EXISTS (SELECT FROM %s AS h WHERE h.term = e.term AND h.top >= (abs(e.weight) * (1 - 1e-6))::real)',
                   x.version, pgsim._inverted_vector(x.metric, x.column_name, pgsim._vector_schema()), x.relation) INTO beyond;
    IF beyond > 0 THEN
        RETURN QUERY SELECT 'error', subject, format('inverted index %s does not know how great %s weights are, and may leave rows out: its triggers were off', x.name, beyond), again;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._inverted_problems IS 'What is wrong with the inverted index of a version, for pgsim.check.';
