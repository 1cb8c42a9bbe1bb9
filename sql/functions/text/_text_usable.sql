CREATE FUNCTION pgsim._text_usable(x pgsim._text, relation regclass, key_columns text[]) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A column that was renamed is not found by its old name; nothing keeps a text search configuration from being dropped.
    RETURN NOT EXISTS (SELECT FROM unnest(key_columns || x.columns) AS n (name)
                       WHERE NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = n.name AND NOT a.attisdropped))
       AND EXISTS (SELECT FROM pg_ts_config AS f JOIN pg_namespace AS n ON n.oid = f.cfgnamespace WHERE n.nspname = (parse_ident(x.text_config))[1] AND f.cfgname = (parse_ident(x.text_config))[2]);
END
$$;
COMMENT ON FUNCTION pgsim._text_usable IS 'Whether the columns and the configuration that a text index reads are still there, under their names.';
