CREATE FUNCTION pgsim._sync_version_privileges(c pgsim._collection, version regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base pg_class;
    base_row text;
    drift record;
    policy text;
    may_create boolean;
    -- Only the trigger that keeps a derived version writes it, and runs as the owner of pgsim.
    derived boolean := EXISTS (SELECT FROM pgsim._version AS v WHERE v.relation = version AND v.follows IS NOT NULL);
BEGIN
    SELECT * INTO base FROM pg_class AS r WHERE r.oid = c.relation;
    IF derived THEN
        EXECUTE format('ALTER TABLE %s OWNER TO %I', version, (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace AS n WHERE n.nspname = 'pgsim'));
        -- The base table is truncated with what refers to it, or not at all.
        EXECUTE format('GRANT TRUNCATE ON %s TO %I', version, pg_get_userbyid(base.relowner));
    ELSIF base.relowner <> (SELECT r.relowner FROM pg_class AS r WHERE r.oid = version) THEN
        -- PostgreSQL asks that a new owner may create tables in the schema: it may, for this moment. One at a time.
        PERFORM pg_advisory_xact_lock('pg_namespace'::regclass::oid::int, 'pgsim_data'::regnamespace::oid::int);
        may_create := has_schema_privilege(base.relowner, 'pgsim_data', 'CREATE');
        IF NOT may_create THEN
            EXECUTE format('GRANT CREATE ON SCHEMA pgsim_data TO %I', pg_get_userbyid(base.relowner));
        END IF;
        EXECUTE format('ALTER TABLE %s OWNER TO %I', version, pg_get_userbyid(base.relowner));
        IF NOT may_create THEN
            EXECUTE format('REVOKE CREATE ON SCHEMA pgsim_data FROM %I', pg_get_userbyid(base.relowner));
        END IF;
    END IF;
    FOR drift IN SELECT * FROM pgsim._privilege_drift(c.relation, version, CASE WHEN derived THEN '{SELECT}' ELSE '{SELECT,INSERT,UPDATE,DELETE}' END::text[]) LOOP
        EXECUTE format(CASE WHEN drift.missing THEN 'GRANT %s ON %s TO %s' ELSE 'REVOKE %s ON %s FROM %s' END, drift.privilege, version, drift.grantee);
    END LOOP;

    IF NOT pgsim._security_drift(c.relation, version) THEN
        RETURN;
    END IF;
    FOR policy IN SELECT p.polname FROM pg_policy AS p WHERE p.polrelid = version LOOP
        EXECUTE format('DROP POLICY %I ON %s', policy, version);
    END LOOP;
    EXECUTE format('ALTER TABLE %s %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY', version,
                   CASE WHEN base.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END,
                   CASE WHEN base.relforcerowsecurity AND NOT derived THEN 'FORCE' ELSE 'NO FORCE' END);
    IF base.relrowsecurity THEN
        base_row := format('SELECT FROM %s AS b WHERE %s', c.relation,
                           pgsim._key_join('b.', version || '.', c.key_columns, true));
        EXECUTE format('CREATE POLICY pgsim_read ON %s FOR SELECT USING (EXISTS (%s))', version, base_row);
        -- A locking clause brings the base table's policies for UPDATE in: who may not change a row may not change its vector.
        base_row := base_row || ' FOR KEY SHARE';
        EXECUTE format('CREATE POLICY pgsim_insert ON %s FOR INSERT WITH CHECK (EXISTS (%s))', version, base_row);
        EXECUTE format('CREATE POLICY pgsim_update ON %s FOR UPDATE USING (EXISTS (%s))', version, base_row);
        EXECUTE format('CREATE POLICY pgsim_delete ON %s FOR DELETE USING (EXISTS (%s))', version, base_row);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._sync_version_privileges IS
    'Gives a version table the owner and the grants of its base table and, under row-level security, policies that ask the base table.';
