CREATE FUNCTION pgsim._require_all_rows(t pgsim._target) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF row_security_active(t.base) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032',
            MESSAGE = format('row-level security hides rows of %s from role %I, and what is hidden would be taken for deleted', t.base_sql, current_user),
            HINT = format('Call it as the owner of the table where row-level security is not forced, or have an administrator run ALTER ROLE %I BYPASSRLS.', current_user);
    END IF;
    PERFORM pgsim._check_columns(t.base, 'key_columns', t.key_columns);
END
$$;
COMMENT ON FUNCTION pgsim._require_all_rows IS 'Raises PS032 where row-level security keeps rows of the base table from the caller, and PS005 where a column of its key is gone: for what compares all rows.';
