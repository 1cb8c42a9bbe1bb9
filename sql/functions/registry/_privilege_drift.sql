CREATE FUNCTION pgsim._privilege_drift(base regclass, version regclass, privileges text[] = '{SELECT,INSERT,UPDATE,DELETE}')
RETURNS TABLE (privilege text, grantee text, missing boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH held AS (
        SELECT r.oid, r.relowner, r.relnamespace, g.grantee, g.privilege_type
        FROM pg_class AS r
        CROSS JOIN LATERAL aclexplode(coalesce(r.relacl, acldefault('r', r.relowner))) AS g
        WHERE r.oid IN (base, version) AND g.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    ),
    wanted AS (
        -- A grant on a table is worth nothing without USAGE on its schema; pgsim's own schema is open to all.
        SELECT h.grantee, h.privilege_type FROM held AS h
        WHERE h.oid = base AND h.privilege_type = ANY (privileges) AND CASE h.grantee WHEN 0 THEN has_schema_privilege('public', h.relnamespace, 'USAGE')
                                              ELSE has_schema_privilege(h.grantee, h.relnamespace, 'USAGE') END
        EXCEPT SELECT h.relowner, h.privilege_type FROM held AS h WHERE h.oid = version
    ),
    present AS (
        SELECT h.grantee, h.privilege_type FROM held AS h WHERE h.oid = version AND h.grantee <> h.relowner
    )
    SELECT d.privilege_type, CASE WHEN d.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(d.grantee)) END, d.missing
    FROM (
        SELECT w.grantee, w.privilege_type, true AS missing FROM wanted AS w
        WHERE NOT EXISTS (SELECT FROM present AS p WHERE p.grantee = w.grantee AND p.privilege_type = w.privilege_type)
        UNION ALL
        SELECT p.grantee, p.privilege_type, false FROM present AS p
        WHERE NOT EXISTS (SELECT FROM wanted AS w WHERE w.grantee = p.grantee AND w.privilege_type = p.privilege_type)
    ) AS d
    ORDER BY 2, 1;
END;
COMMENT ON FUNCTION pgsim._privilege_drift IS 'Grants that a version table or codes lack beside their base table (missing), or have beyond it, of those privileges that they should share.';
