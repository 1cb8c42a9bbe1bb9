CREATE FUNCTION pgsim._text_backend_index(c pgsim._collection, t pgsim._text_backend) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT i.indexrelid::regclass
    FROM pg_index AS i JOIN pg_class AS r ON r.oid = i.indexrelid JOIN pg_am AS m ON m.oid = r.relam
    JOIN pg_depend AS d ON d.classid = 'pg_am'::regclass AND d.objid = m.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    JOIN pg_extension AS e ON e.oid = d.refobjid
    WHERE i.indrelid = c.relation AND r.relname = t.index_name AND e.extname = t.backend;
END;
COMMENT ON FUNCTION pgsim._text_backend_index IS 'The index that another extension ranks a collection''s texts by; NULL when it is gone.';
