CREATE FUNCTION pgsim._codes_code(t pgsim._target, codes regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pgsim._code_expression(format('%s.%I', CASE WHEN t.adopted THEN 'b' ELSE 'v' END, t.column_name), t.vector_schema, t.dim, i.dims, i.element, i.map_id)
    FROM pgsim._index AS i
    WHERE i.version_id = t.version_id AND i.relation = codes;
END;
COMMENT ON FUNCTION pgsim._codes_code IS 'The expression that codes hold of a row: b is the base table, v the version table.';
