CREATE FUNCTION pgsim._codes_serve(t pgsim._target, predicate text, columns text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE
        WHEN t.codes_sql IS NULL THEN 'there are none'
        WHEN t.codes_sql ~ '^\d' OR NOT has_table_privilege(t.codes_sql::regclass, 'SELECT') THEN 'they may not be read'
        WHEN predicate IS NOT NULL AND columns IS NULL THEN 'the columns that where_sql reads are not named in where_columns'
        WHEN NOT columns <@ t.codes_columns THEN 'the filter reads columns that are not declared in filter_columns'
        WHEN row_security_active(t.base) THEN 'row-level security is active' END;
END
$$;
COMMENT ON FUNCTION pgsim._codes_serve IS 'Why codes cannot answer a search, or NULL when they can: they mirror the declared filter columns alone, and know nothing of policies.';
