CREATE FUNCTION pgsim._security_drift(base regclass, version regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT b.relrowsecurity <> v.relrowsecurity OR (b.relforcerowsecurity AND NOT EXISTS (SELECT FROM pgsim._version AS d WHERE d.relation = v.oid AND d.follows IS NOT NULL)) <> v.relforcerowsecurity OR EXISTS (
        SELECT
        FROM (VALUES ('pgsim_read', 'r'), ('pgsim_insert', 'a'), ('pgsim_update', 'w'), ('pgsim_delete', 'd')) AS w (name, command)
        FULL JOIN (SELECT p.* FROM pg_policy AS p WHERE p.polrelid = v.oid) AS p ON p.polname = w.name AND b.relrowsecurity
        WHERE (w.name IS NULL OR b.relrowsecurity)
          AND (w.name IS NULL OR p.polname IS NULL OR p.polcmd::text <> w.command OR NOT p.polpermissive OR p.polroles <> '{0}'
               -- A policy that was altered may not ask the base table any more.
               OR NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refobjid = b.oid)))
    FROM pg_class AS b CROSS JOIN pg_class AS v
    WHERE b.oid = base AND v.oid = version;
END;
COMMENT ON FUNCTION pgsim._security_drift IS 'Whether a version table''s row-level security is other than what its base table''s asks for.';
