CREATE FUNCTION pgsim.eject(collection text, embedding text = 'default', column_name text = NULL, table_name text = NULL, reason text = NULL) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    c pgsim._collection;
    of_embedding int := pgsim._lock_embedding(collection, embedding);
    others text;
    given_name text;
    place text;
    result regclass;
BEGIN
    c := pgsim._collection_row(collection);
    t := pgsim._target(collection, NULL, embedding);
    SELECT string_agg(quote_literal(m.name), ', ' ORDER BY v.id) INTO others
    FROM pgsim._version AS v JOIN pgsim._model AS m ON m.id = v.model_id WHERE v.embedding_id = of_embedding AND v.id <> t.version_id;
    IF others IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('embedding %L of %L has more versions than the active one', embedding, collection),
            DETAIL = 'Under: ' || others, HINT = 'Drop them with pgsim.drop_version first: they would be lost without a word.';
    END IF;
    IF t.adopted AND (table_name IS NOT NULL OR column_name <> t.column_name) OR num_nonnulls(column_name, table_name) = 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = CASE WHEN t.adopted THEN format('the vectors of %L are in column %I of %s, and stay there', collection, t.column_name, t.base_sql)
                                                                ELSE 'column_name and table_name are both given' END,
            HINT = 'Name a column of the table for the vectors to go to, or a table of their own, or neither.';
    END IF;
    IF table_name = '' OR octet_length(table_name) > 63 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS011', MESSAGE = format('table_name is %s; a table''s name has 1 to 63 bytes', quote_literal(left(table_name, 80))), HINT = 'Leave it out for one made of the base table''s name.';
    END IF;
    PERFORM pgsim._record_transition(t.version_id, 'eject', t.state, NULL, reason);

    IF t.adopted THEN
        PERFORM pgsim._detach_version(t);
        result := t.base;
    ELSIF column_name IS NOT NULL THEN
        PERFORM pgsim._check_vector_column(t, column_name);
        PERFORM pgsim._require_all_rows(t);
        -- No vector is stored from here on that would be lost; searches go on.
        EXECUTE format('LOCK TABLE %s IN SHARE MODE', t.version_sql);
        EXECUTE format('UPDATE %s AS b SET %I = v.embedding FROM %s AS v WHERE %s AND record_image_ne(ROW(b.%2$I), ROW(v.embedding))',
                       t.base_sql, column_name, t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true));
        PERFORM pgsim._drop_version(t.version_id);
        result := t.base;
    ELSE
        given_name := table_name;
        IF given_name IS NULL THEN
            SELECT left(r.relname, 40) || CASE embedding WHEN 'default' THEN '' ELSE '_' || left(embedding, 12) END || '_vectors' INTO given_name FROM pg_class AS r WHERE r.oid = t.base;
        END IF;
        place := format('%s.%I', t.base_schema, given_name);
        IF EXISTS (SELECT FROM pg_class AS r WHERE r.relnamespace = t.base_schema AND r.relname = given_name) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('there is a relation %s already', place), HINT = 'Name the table for the vectors: table_name => ''...''.';
        END IF;
        PERFORM pgsim._detach_version(t);
        EXECUTE format('DROP TRIGGER IF EXISTS note_removal ON %1$s; DROP TRIGGER IF EXISTS note_truncation ON %1$s', t.version_sql);
        EXECUTE format('ALTER TABLE %s DROP COLUMN provisional, DROP COLUMN source_hash', t.version_sql);
        BEGIN
            EXECUTE format('ALTER TABLE %s RENAME TO %I', t.version_sql, given_name);
            EXECUTE format('ALTER TABLE pgsim_data.%I SET SCHEMA %s', given_name, t.base_schema);
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not make a table in schema %s: %s', current_user, t.base_schema, SQLERRM),
                    HINT = format('GRANT CREATE ON SCHEMA %s TO %I, or copy the vectors into a column: column_name => ''...''.', t.base_schema, current_user);
            WHEN duplicate_table THEN
                RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('%s cannot be made: %s', place, SQLERRM), HINT = 'Name the table for the vectors: table_name => ''...''.';
        END;
        result := t.version;
    END IF;
    PERFORM pgsim._sync_triggers(c);
    IF NOT EXISTS (SELECT FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id WHERE e.collection_id = c.id)
       AND NOT EXISTS (SELECT FROM pgsim._text AS x WHERE x.collection_id = c.id) AND NOT EXISTS (SELECT FROM pgsim._text_backend AS x WHERE x.collection_id = c.id) THEN
        PERFORM pgsim.drop_collection(eject.collection);
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION pgsim.eject IS
$$Gives the vectors of the active version back as plain pgvector, and takes them out of pgsim's care; returns the table where they are.

An adopted column stays where it is, with its indexes. A version's own table moves beside the base table as it stands, indexes, grants and foreign key
included, as table_name (default the base table's name and _vectors): a change of the catalogue, whatever its size. column_name: its vectors go into that
column of the base table instead, of which it copies what pgsim.copy_vectors has not; index the column yourself, best before, CONCURRENTLY.
Nothing is changed when it fails. Other versions of the embedding have to be dropped first. reason stands in pgsim.history. When nothing else is left of the collection, that is
forgotten, too, with its triggers and its history, reason included. Errors: PS001, PS003 to PS006, PS010 to PS012, PS020, PS032, PS035.$$;
