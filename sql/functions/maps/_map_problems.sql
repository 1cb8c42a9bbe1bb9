CREATE FUNCTION pgsim._map_problems(c pgsim._collection, version_id int, object text) RETURNS TABLE (severity text, object_ text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    b pgsim._target;
    missing bigint;
BEGIN
    SELECT (pgsim._target(v.collection, v.model, v.embedding)).* INTO t FROM pgsim.versions AS v JOIN pgsim._version AS s ON s.id = v.id
    WHERE v.id = version_id AND s.follows IS NOT NULL;
    IF NOT FOUND OR row_security_active(c.relation) THEN
        RETURN;
    END IF;
    b := pgsim._followed(t);
    EXECUTE format('SELECT count(*) FROM %s AS r WHERE NOT EXISTS (SELECT FROM %s AS d WHERE %s) AND r.%I IS NOT NULL%s', b.version_sql, t.version_sql,
                   CASE WHEN b.adopted THEN pgsim._key_join('r.', 'd.', t.key_columns, true) ELSE pgsim._own_key_join('r.', 'd.', t.key_columns) END, b.column_name,
                   -- What has no direction has no image.
                   CASE b.metric WHEN 'cosine' THEN format(' AND %s.vector_norm(r.%I::%1$s.vector) > 0', b.vector_schema, b.column_name) ELSE '' END)
    INTO missing;
    IF missing > 0 THEN
        RETURN QUERY SELECT 'warning', object, format('%s rows of model %s are not mapped', missing, b.model), format('SELECT * FROM pgsim.fill_version(%L, %L, %L), until it fills none', t.collection, t.model, (SELECT v.embedding FROM pgsim.versions AS v WHERE v.id = version_id));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._map_problems IS 'Whether a derived version lacks rows of the one that it follows.';
