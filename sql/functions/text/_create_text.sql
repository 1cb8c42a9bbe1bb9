CREATE FUNCTION pgsim._create_text(c pgsim._collection, text_config text, columns text[], weights float8[], k1 float8, b float8) RETURNS pgsim._text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x pgsim._text;
    stem text := pgsim._version_name(c.name, NULL, 'text', c.id);
    persistence text := (SELECT CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END FROM pg_class AS r WHERE r.oid = c.relation);
    made regclass;
BEGIN
    EXECUTE format('CREATE %sTABLE pgsim_data.%I (%s, length real NOT NULL, average real NOT NULL, impacts %s.sparsevec(1000000000) NOT NULL, PRIMARY KEY (%s))',
        persistence, stem || '_documents', pgsim._column_definitions(c.relation, c.key_columns, pgsim._key_names(c.key_columns, true)), pgsim._vector_schema(),
        pgsim._key_list('', c.key_columns, true));
    EXECUTE format('CREATE %sTABLE pgsim_data.%I (lexeme text COLLATE "C" NOT NULL, term int GENERATED ALWAYS AS IDENTITY (MAXVALUE 1000000000), docs int NOT NULL, top real NOT NULL)',
        persistence, stem || '_vocabulary');
    EXECUTE format('CREATE %sTABLE pgsim_data.%I (term int NOT NULL, docs int NOT NULL, top real NOT NULL, length numeric)', persistence, stem || '_changes');
    SELECT c.id, format('pgsim_data.%I', stem || '_documents'), format('pgsim_data.%I', stem || '_vocabulary'), format('pgsim_data.%I', stem || '_changes'),
           format('pgsim_data.%I', stem || '_words'), format('pgsim_data.%I', stem || '_best'), c.relation::text, _create_text.text_config, _create_text.columns, _create_text.weights, _create_text.k1, _create_text.b, true, false, NULL::xid8, NULL::xid[], now()
    INTO x;
    INSERT INTO pgsim._text VALUES (x.*);
    FOREACH made IN ARRAY ARRAY[x.documents, x.vocabulary, x.changes] LOOP
        EXECUTE format('COMMENT ON TABLE %s IS %L', made, format('Text index of collection %s: pgsim keeps it, and reads it for text searches.', c.name));
    END LOOP;
    EXECUTE format('CREATE INDEX ON %s (term)', x.changes);
    PERFORM pgsim._sync_text_privileges(c);
    RETURN x;
END
$$;
COMMENT ON FUNCTION pgsim._create_text IS
    'Makes the tables of a text index, empty: a row of impacts for each document, a row for each word with its count at first, and the changes of these counts.';
