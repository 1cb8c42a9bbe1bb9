CREATE FUNCTION pgsim._text_usable(x pgsim._text, relation regclass, key_columns text[]) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
-- A column that was renamed is not found by its old name; nothing keeps a text search configuration from being dropped.
RETURN key_columns || x.columns <@ ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped)
       AND EXISTS (SELECT FROM pg_ts_config AS f JOIN pg_namespace AS n ON n.oid = f.cfgnamespace WHERE format('%I.%I', n.nspname, f.cfgname) = x.text_config);
COMMENT ON FUNCTION pgsim._text_usable IS 'Whether the columns and the configuration that a text index reads are still there, under their names.';
