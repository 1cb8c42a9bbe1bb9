CREATE FUNCTION pgsim._not_moved(t pgsim._target) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN t.adopted THEN format('%s.%I IS NULL', t.base_sql, t.column_name)
                ELSE format('NOT EXISTS (SELECT FROM %s AS pgsim_moved WHERE %s)', t.version_sql, pgsim._key_join(t.base_sql || '.', 'pgsim_moved.', t.key_columns, true)) END;
END;
COMMENT ON FUNCTION pgsim._not_moved IS 'The condition over the base table, under its full name, that a row has no vector in a version.';
