CREATE FUNCTION pgsim._require_all_texts(c pgsim._collection) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF row_security_active(c.relation) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('row-level security hides rows of %s from role %I, and a text index holds all', c.relation, current_user),
            HINT = format('Call it as the owner of the table where row-level security is not forced, or have an administrator run ALTER ROLE %I BYPASSRLS.', current_user);
    ELSIF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('in a %s transaction a text index would lack what others have committed since it began', current_setting('transaction_isolation')),
            HINT = 'Make it in a READ COMMITTED transaction.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._require_all_texts IS 'Raises PS032 or PS035 where the caller would not see each row of a collection as it is now, as the making of a text index must.';
