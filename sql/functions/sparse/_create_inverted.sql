CREATE FUNCTION pgsim._create_inverted(t pgsim._target, dims int, element text, where_filter jsonb, options jsonb, fill boolean) RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    table_name text := pgsim._version_name(t.collection, NULL, t.model, t.version_id) || '_terms';
    terms regclass;
    new_id int;
BEGIN
    PERFORM pgsim._require_owner(t.version);
    SELECT * INTO c FROM pgsim._collection AS s WHERE s.id = t.collection_id;
    IF t.element <> 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('method is inverted; model %L is dense, and every row would be under every term', t.model), HINT = 'Use method => ''hnsw''.';
    ELSIF t.metric NOT IN ('ip', 'cosine') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('an inverted index finds rows that share something with a query, and by metric %s every row has a distance', t.metric), HINT = 'Use method => ''hnsw'', or a model of metric ip.';
    ELSIF coalesce(dims, t.dim) <> t.dim OR coalesce(element, 'sparsevec') <> 'sparsevec' OR where_filter IS NOT NULL OR coalesce(options, '{}') <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'dims, element, where_filter and options do not go with an inverted index, which holds every row', HINT = 'Leave them out.';
    ELSIF EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'inverted') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('collection %L has an inverted index under model %L already', t.collection, t.model), HINT = 'Use it, or drop it first with pgsim.drop_index.';
    ELSIF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = t.version AND r.relkind = 'p') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is partitioned, and an inverted index is for ordinary tables', t.version_sql), HINT = 'Give the vectors a version table of their own: create_version without column_name.';
    ELSIF EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.version AND a.attname = t.column_name AND a.attgenerated = 'v') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('column %I is generated and not stored, so that nothing tells when it changes', t.column_name), HINT = 'Make it GENERATED ALWAYS AS (...) STORED.';
    ELSIF fill AND current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('in a %s transaction an inverted index would lack what others have committed since it began', current_setting('transaction_isolation')),
            HINT = 'Make it in a READ COMMITTED transaction.';
    END IF;
    PERFORM pgsim._require_all_rows(t);
    EXECUTE format('CREATE %s TABLE pgsim_data.%I (term int NOT NULL, docs int NOT NULL, top real NOT NULL, length numeric)',
                   (SELECT CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED' END FROM pg_class AS r WHERE r.oid = t.version), table_name);
    terms := format('pgsim_data.%I', table_name)::regclass;
    EXECUTE format('CREATE INDEX ON %s (term)', terms);
    EXECUTE format('COMMENT ON TABLE %s IS %L', terms, format('Terms of collection %s under model %s: in how many rows each is, and its greatest weight; pgsim keeps it, and reads it for sparse searches.', t.collection, t.model));
    INSERT INTO pgsim._index (version_id, name, method, dims, element, options, relation, complete)
    VALUES (t.version_id, pgsim._free_name(t.version, (SELECT left(r.relname, 30) || CASE WHEN t.adopted THEN '_' || left(t.column_name, 12) ELSE '' END FROM pg_class AS r WHERE r.oid = t.version) || '_inverted'), 'inverted', t.dim, 'sparsevec', '{}', terms, false) RETURNING id INTO new_id;
    PERFORM pgsim._sync_codes_privileges(c, terms);
    -- Writers wait from here until the transaction ends. What they add after that is counted as they add it.
    PERFORM pgsim._sync_triggers(c);
    IF fill THEN
        PERFORM pgsim._fill_inverted(t, terms);
        EXECUTE format('CREATE INDEX %I ON %s %s', (SELECT i.name FROM pgsim._index AS i WHERE i.id = new_id), t.version, pgsim._inverted_definition(t));
        PERFORM pgsim._finish_inverted(t, new_id);
    END IF;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION pgsim._create_inverted IS
    'Makes an inverted index of sparse vectors: a GIN index of their terms, and a table of each term''s rows and greatest weight with the triggers that keep it. fill false leaves it empty and unused, for _fill_inverted, CREATE INDEX CONCURRENTLY and _finish_inverted. Returns its id.';
