CREATE FUNCTION pgsim._create_codes(t pgsim._target, fill boolean, dims int = NULL, element text = NULL, options jsonb = '{}', beside boolean = false) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    columns text[];
    table_name text;
    first_name text;
    number int := 1;
    codes regclass;
    x record;
    map_id int := (SELECT m.id FROM pgsim._map AS m WHERE m.name = options ->> 'map');
BEGIN
    dims := coalesce(dims, t.dim);
    element := coalesce(element, 'bit');
    SELECT * INTO c FROM pgsim._collection AS s WHERE s.id = t.collection_id;
    columns := pgsim._codes_columns(c.key_columns, c.filter_columns);
    beside := beside AND EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes' AND i.place = 'serving');
    IF beside AND EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes' AND i.place = 'beside') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('codes %s are being made in place of those of collection %L under model %L already', (SELECT i.relation FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes' AND i.place = 'beside'), t.collection, t.model),
            HINT = 'Wait for them. Where whoever made them is gone, drop them with pgsim.drop_index.';
    ELSIF NOT beside AND EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes' AND i.place <> 'leaving') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('collection %L has codes under model %L already', t.collection, t.model),
            HINT = 'Use them, or drop them first with pgsim.drop_index.';
    ELSIF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = t.base AND r.relkind = 'p') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is partitioned, and codes are for ordinary tables', t.base_sql),
            HINT = 'Filter by the partition key: a search that needs one partition uses that partition''s own index.';
    ELSIF 'code' = ANY (columns) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('a key or filter column of %s is called code, as the codes themselves are', t.base_sql),
            HINT = 'Rename the column, or register the table without it among filter_columns.';
    ELSIF EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.base AND a.attname = ANY (columns) AND a.attgenerated = 'v') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('a filter column of %s is generated and not stored, so that nothing tells when it changes', t.base_sql),
            HINT = 'Make it GENERATED ALWAYS AS (...) STORED, or register the table without it among filter_columns.';
    ELSIF fill AND current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('in a %s transaction codes would lack what others have committed since it began', current_setting('transaction_isolation')),
            HINT = 'Make codes in a READ COMMITTED transaction.';
    END IF;
    PERFORM pgsim._check_columns(t.base, 'filter_columns', columns);
    PERFORM pgsim._require_all_rows(t);
    first_name := pgsim._version_name(t.collection, NULL, t.model, t.version_id) || '_codes';
    table_name := first_name;
    WHILE to_regclass(format('pgsim_data.%I', table_name)) IS NOT NULL LOOP
        number := number + 1;
        table_name := first_name || number;
    END LOOP;
    EXECUTE format(
        'CREATE %s TABLE pgsim_data.%I (%s, code %s(%s), PRIMARY KEY (%s))',
        (SELECT CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED' END FROM pg_class AS r WHERE r.oid = t.base), table_name,
        pgsim._codes_definitions(t.base, columns), CASE element WHEN 'bit' THEN 'bit' ELSE format('%s.halfvec', t.vector_schema) END, dims, pgsim._key_list('', t.key_columns, false));
    codes := format('pgsim_data.%I', table_name)::regclass;
    EXECUTE format('COMMENT ON TABLE %s IS %L', codes, format('Codes of collection %s under model %s: pgsim keeps them, and reads them for filtered searches.', t.collection, t.model));
    INSERT INTO pgsim._index (version_id, name, method, dims, element, options, relation, columns, map_id, complete, place)
    VALUES (t.version_id, table_name, 'codes', dims, element, coalesce(options, '{}'), codes, columns, map_id, fill, CASE WHEN beside THEN 'beside' ELSE 'serving' END);
    IF fill THEN
        -- Writers wait from here until the transaction ends. A build that must not keep them waiting fills the codes first: with the
        -- triggers there, who changes a row that was just filled would wait for the filling transaction.
        PERFORM pgsim._sync_triggers(c);
        PERFORM pgsim._fill_codes(t, codes, c.filter_columns);
    END IF;
    FOR x IN SELECT * FROM pgsim._codes_indexes(t.base, codes, c.filter_columns) AS i WHERE i.method IS NOT NULL AND i.column_name <> ALL (t.key_columns) LOOP
        EXECUTE format('CREATE INDEX ON %s USING %s (%I)', codes, x.method, x.column_name);
    END LOOP;
    PERFORM pgsim._sync_codes_privileges(c, codes);
    IF fill THEN
        PERFORM pgsim._calibrate_margins(t, dims, element, map_id);
    END IF;
    RETURN codes;
END
$$;
COMMENT ON FUNCTION pgsim._create_codes IS
    'Makes the codes of a version: a narrow table of key, filter columns and code, its indexes and the triggers that keep it. fill false leaves it empty and unused, for pgsim._fill_codes and pgsim._finish_codes; beside, in place of those that serve.';
