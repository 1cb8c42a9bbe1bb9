CREATE FUNCTION pgsim._check_vector_column(t pgsim._target, column_name text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := format('%s.%I(%s)', t.vector_schema, t.element, t.dim);
    given text;
BEGIN
    PERFORM pgsim._check_columns(t.base, 'column_name', ARRAY[column_name]);
    SELECT format('%s.%I%s', y.typnamespace::regnamespace, y.typname, CASE WHEN a.atttypmod > 0 THEN format('(%s)', a.atttypmod) ELSE '' END) INTO given
    FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = t.base AND a.attname = _check_vector_column.column_name AND NOT a.attisdropped;
    IF given <> wanted THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('column %I of %s is %s; model %L has %s', column_name, t.base_sql, given, t.model, wanted),
            HINT = format('Add one: ALTER TABLE %s ADD COLUMN embedding %s.', t.base_sql, wanted);
    END IF;
    IF EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.base AND a.attname = _check_vector_column.column_name AND a.attgenerated <> '') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('column %I of %s is generated, and takes no vectors', column_name, t.base_sql), HINT = format('Add one: ALTER TABLE %s ADD COLUMN embedding %s.', t.base_sql, wanted);
    END IF;
    IF EXISTS (SELECT FROM pgsim._version AS v WHERE v.adopted AND v.relation = t.base AND v.column_name = _check_vector_column.column_name AND v.id <> t.version_id) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('column %I of %s holds the vectors of another version', column_name, t.base_sql), HINT = 'Name a column of its own.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_vector_column IS 'Raises PS005, PS010, PS012 or PS020 for a column of the base table that cannot take a version''s vectors.';
