CREATE FUNCTION pgsim._require_text_backend(backend text) RETURNS name
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    extension_schema name := (SELECT CASE backend WHEN 'pg_search' THEN 'pdb' ELSE n.nspname END FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = backend);
BEGIN
    -- Its library cannot be loaded later than the server; that of pg_search can since PostgreSQL 17.
    IF (CASE backend WHEN 'pg_search' THEN current_setting('server_version_num')::int < 170000 AND current_setting('paradedb.enable_custom_scan', true) IS NULL
                    ELSE current_setting('pg_textsearch.library_version', true) IS NULL END) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('extension %s is there, but the server was started without its library', backend),
            HINT = format('Have an administrator add %s to shared_preload_libraries, and restart the server.', backend);
    ELSIF NOT has_schema_privilege(extension_schema, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not use schema %I, in which extension %s is', current_user, extension_schema, backend),
            HINT = format('GRANT USAGE ON SCHEMA %I TO %I.', extension_schema, current_user);
    END IF;
    RETURN extension_schema;
END
$$;
COMMENT ON FUNCTION pgsim._require_text_backend IS 'The schema of an extension that text searches run on; PS035 where its library is not loaded, PS032 where the caller may not use it.';
