CREATE FUNCTION pgsim._repair_mapped(t pgsim._target) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    b pgsim._target := pgsim._followed(t);
BEGIN
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', b.version_sql);
    EXECUTE format('DELETE FROM %s AS d WHERE NOT EXISTS (SELECT FROM %s AS r WHERE %s)', t.version_sql, b.version_sql,
                   CASE WHEN b.adopted THEN pgsim._key_join('r.', 'd.', t.key_columns, true) ELSE pgsim._own_key_join('r.', 'd.', t.key_columns) END);
    RETURN pgsim._map_rows(t, b, NULL);
END
$$;
COMMENT ON FUNCTION pgsim._repair_mapped IS 'Maps every row of a derived version anew, after a time in which nothing kept it. Writers wait.';
