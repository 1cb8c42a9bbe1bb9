CREATE FUNCTION pgsim._map_missing(t pgsim._target) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    b pgsim._target := pgsim._followed(t);
    missing bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s AS r WHERE NOT EXISTS (SELECT FROM %s AS d WHERE %s) AND r.%I IS NOT NULL%s', b.version_sql, t.version_sql,
                   CASE WHEN b.adopted THEN pgsim._key_join('r.', 'd.', t.key_columns, true) ELSE pgsim._own_key_join('r.', 'd.', t.key_columns) END, b.column_name,
                   -- What has no direction has no image.
                   CASE b.metric WHEN 'cosine' THEN format(' AND %s.vector_norm(r.%I::%1$s.vector) > 0', b.vector_schema, b.column_name) ELSE '' END)
    INTO missing;
    RETURN missing;
END
$$;
COMMENT ON FUNCTION pgsim._map_missing IS 'How many rows of the version that a derived one follows it lacks.';
