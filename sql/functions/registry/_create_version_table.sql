CREATE FUNCTION pgsim._create_version_table(c pgsim._collection, table_name text, vector_type text) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key_definitions text;
BEGIN
    -- Vectors of up to 8 kB stay in their rows: ranking one reads one page, where out of line it reads an index and several chunks.
    key_definitions := pgsim._column_definitions(c.relation, c.key_columns, pgsim._key_names(c.key_columns, true));
    EXECUTE format(
        'CREATE %7$s TABLE pgsim_data.%1$I (%2$s, embedding %3$s NOT NULL, provisional boolean NOT NULL DEFAULT false, source_hash bytea, '
        'embedded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (%4$s), '
        'FOREIGN KEY (%4$s) REFERENCES %5$s (%6$s) ON UPDATE CASCADE ON DELETE CASCADE) WITH (toast_tuple_target = 8160)',
        table_name, key_definitions, vector_type, pgsim._key_list('', c.key_columns, true), c.relation, pgsim._key_list('', c.key_columns, false),
        (SELECT CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED' END FROM pg_class AS r WHERE r.oid = c.relation));
    EXECUTE format('CREATE TRIGGER note_removal AFTER DELETE OR TRUNCATE ON pgsim_data.%I FOR EACH STATEMENT EXECUTE FUNCTION pgsim._note_removal()', table_name);
    RETURN format('pgsim_data.%I', table_name)::regclass;
END
$$;
COMMENT ON FUNCTION pgsim._create_version_table IS 'Makes a version table: the base key, the vector, whether it is provisional, the hash of the text it was made from, and when.';
