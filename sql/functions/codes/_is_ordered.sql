CREATE FUNCTION pgsim._is_ordered(type oid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT FROM pg_catalog.pg_type AS t
    WHERE t.oid = type AND t.typtype IN ('b', 'e', 'r', 'd') AND t.typcategory <> 'A'
      AND EXISTS (SELECT FROM pg_catalog.pg_opclass AS o JOIN pg_catalog.pg_am AS m ON m.oid = o.opcmethod
                  WHERE m.amname = 'btree' AND o.opcdefault
                    AND o.opcintype IN (t.oid, t.typbasetype, CASE t.typtype WHEN 'e' THEN 'anyenum'::pg_catalog.regtype WHEN 'r' THEN 'anyrange'::pg_catalog.regtype
                                                              ELSE CASE t.typname WHEN 'varchar' THEN 'text'::pg_catalog.regtype END END))
);
COMMENT ON FUNCTION pgsim._is_ordered IS 'Whether a btree can hold a type; arrays are left to GIN.';
