CREATE FUNCTION pgsim._sync_text_privileges(c pgsim._collection) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x pgsim._text := pgsim._text_row(c);
    registrar name := (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace AS n WHERE n.nspname = 'pgsim');
    base pg_class;
    held regclass;
    policy text;
    drift record;
BEGIN
    SELECT * INTO base FROM pg_class AS r WHERE r.oid = c.relation;
    -- Only the trigger that keeps it writes a text index; it runs as the owner of pgsim.
    FOREACH held IN ARRAY ARRAY[x.documents, x.vocabulary, x.changes] LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO %I', held, registrar);
        FOR drift IN SELECT * FROM pgsim._privilege_drift(c.relation, held, '{SELECT}') LOOP
            EXECUTE format(CASE WHEN drift.missing THEN 'GRANT %s ON %s TO %s' ELSE 'REVOKE %s ON %s FROM %s' END, drift.privilege, held, drift.grantee);
        END LOOP;
    END LOOP;
    PERFORM pgsim._make_text_functions(c, x);
    IF NOT pgsim._text_security_drift(c, x) THEN
        RETURN;
    END IF;
    FOREACH held IN ARRAY ARRAY[x.documents, x.vocabulary, x.changes] LOOP
        FOR policy IN SELECT p.polname FROM pg_policy AS p WHERE p.polrelid = held LOOP
            EXECUTE format('DROP POLICY %I ON %s', policy, held);
        END LOOP;
        EXECUTE format('ALTER TABLE %s %s ROW LEVEL SECURITY', held, CASE WHEN base.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END);
        CONTINUE WHEN NOT base.relrowsecurity;
        -- Of documents each sees those whose rows it sees. Words, and which of them came together, nobody sees who is bound by a policy; how many rows have a
        -- word that it names, a function tells.
        EXECUTE format('CREATE POLICY pgsim_read ON %s FOR SELECT USING (%s)', held, CASE held
            WHEN x.documents THEN format('EXISTS (SELECT FROM %s AS b WHERE %s)', c.relation, pgsim._key_join('b.', held || '.', c.key_columns, true))
            ELSE 'false' END);
        -- A condition that is plainly true leaves the owner, whom the policies of the base table do not bind, the use of indexes.
        IF NOT base.relforcerowsecurity THEN
            EXECUTE format('CREATE POLICY pgsim_owner ON %s FOR SELECT TO %I USING (true)', held, pg_get_userbyid(base.relowner));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._sync_text_privileges IS
    'Gives a text index to the owner of pgsim, with the grants to read of its base table; under row-level security who is bound by it sees the documents of the rows it may see.';
