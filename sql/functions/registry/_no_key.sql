CREATE FUNCTION pgsim._no_key(base regclass, key_columns text[]) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgsim._check_columns(base, 'key_columns', key_columns);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._no_key IS 'Raises PS005 for a key of which a column was renamed or dropped since.';
