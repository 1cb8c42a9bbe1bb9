CREATE FUNCTION pgsim._text_security_drift(c pgsim._collection, x pgsim._text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT count(*) < 3 OR bool_or(t.relrowsecurity <> r.relrowsecurity
        OR r.relrowsecurity <> EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = t.oid AND p.polname = 'pgsim_read'
               AND (t.oid <> x.documents OR EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refobjid = r.oid)))
        OR (r.relrowsecurity AND NOT r.relforcerowsecurity)
           <> EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = t.oid AND p.polname = 'pgsim_owner' AND p.polroles = ARRAY[r.relowner])
        OR EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = t.oid AND p.polname NOT IN ('pgsim_read', 'pgsim_owner')))
    FROM pg_class AS r JOIN pg_class AS t ON t.oid IN (x.documents, x.vocabulary, x.changes)
    WHERE r.oid = c.relation;
END;
COMMENT ON FUNCTION pgsim._text_security_drift IS 'Whether the row-level security of a text index is other than what its base table''s asks for.';
