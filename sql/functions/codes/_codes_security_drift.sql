CREATE FUNCTION pgsim._codes_security_drift(base regclass, codes regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT b.relrowsecurity <> k.relrowsecurity OR b.relrowsecurity <> EXISTS (
        SELECT FROM pg_policy AS p JOIN pg_depend AS d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
        WHERE p.polrelid = codes AND p.polname = 'pgsim_read' AND d.refobjid = base)
    FROM pg_class AS b CROSS JOIN pg_class AS k
    WHERE b.oid = base AND k.oid = codes;
END;
COMMENT ON FUNCTION pgsim._codes_security_drift IS 'Whether codes are open to those whom row-level security of their base table binds.';
