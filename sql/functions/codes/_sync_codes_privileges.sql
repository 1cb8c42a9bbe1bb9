CREATE FUNCTION pgsim._sync_codes_privileges(c pgsim._collection, codes regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registrar name := (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace AS n WHERE n.nspname = 'pgsim');
    secured boolean := (SELECT r.relrowsecurity FROM pg_class AS r WHERE r.oid = c.relation);
    drift record;
BEGIN
    -- Only the trigger that keeps them writes codes; it runs as the owner of pgsim.
    EXECUTE format('ALTER TABLE %s OWNER TO %I', codes, registrar);
    FOR drift IN SELECT * FROM pgsim._privilege_drift(c.relation, codes, '{SELECT}') LOOP
        EXECUTE format(CASE WHEN drift.missing THEN 'GRANT %s ON %s TO %s' ELSE 'REVOKE %s ON %s FROM %s' END, drift.privilege, codes, drift.grantee);
    END LOOP;
    IF NOT pgsim._codes_security_drift(c.relation, codes) THEN
        RETURN;
    END IF;
    EXECUTE format('DROP POLICY IF EXISTS pgsim_read ON %s', codes);
    EXECUTE format('ALTER TABLE %s %s ROW LEVEL SECURITY', codes, CASE WHEN secured THEN 'ENABLE' ELSE 'DISABLE' END);
    IF secured THEN
        -- Codes know nothing of policies, so whoever is bound by one does not see them, and is answered without them.
        EXECUTE format('CREATE POLICY pgsim_read ON %s FOR SELECT USING (NOT pg_catalog.row_security_active(%L::pg_catalog.regclass))', codes, c.relation);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._sync_codes_privileges IS
    'Gives codes to the owner of pgsim, with the grants to read of their base table; under row-level security nobody bound by it sees them.';
