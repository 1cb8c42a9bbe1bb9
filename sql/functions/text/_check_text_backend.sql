CREATE FUNCTION pgsim._check_text_backend(c pgsim._collection, backend text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known constant text := 'supported are pgsim, pg_textsearch and pg_search';
    leave constant text := 'Leave backend out for the text index that pgsim keeps itself, which needs no extension.';
    held text;
BEGIN
    IF backend = 'pgsim' THEN
        RETURN;
    ELSIF backend = 'vchord_bm25' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend %s is not supported yet; %s', backend, known), HINT = leave;
    ELSIF backend IS NULL OR backend NOT IN ('pg_textsearch', 'pg_search') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend is %s; %s', coalesce(quote_literal(left(backend, 80)), 'NULL'), known), HINT = leave;
    ELSIF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = backend) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('backend %s needs the extension of that name, which database %I has not', backend, current_database()),
            HINT = CASE WHEN EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = backend)
                        THEN format('Have an administrator run CREATE EXTENSION %s, with %1$s in shared_preload_libraries; or leave backend out.', backend)
                        ELSE 'The server has no such extension to create: have it installed, or leave backend out for the text index that pgsim keeps itself.' END;
    END IF;
    PERFORM pgsim._require_text_backend(backend);
    IF EXISTS (SELECT FROM pg_partitioned_table AS p WHERE p.partrelid = c.relation) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is partitioned, and backend %s scores each partition by the words of that partition alone', c.relation, backend),
            HINT = 'Leave backend out: the text index that pgsim keeps itself counts all partitions together.';
    END IF;
    IF backend = 'pg_search' THEN
        IF cardinality(c.key_columns) > 1 OR c.key_columns[1] LIKE '%.%' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend %s needs a key of one column, without a dot in its name; that of collection %L is %s',
                    backend, c.name, (SELECT string_agg(quote_ident(k), ', ') FROM unnest(c.key_columns) AS k)), HINT = leave;
        ELSIF (SELECT r.relpersistence <> 'p' FROM pg_class AS r WHERE r.oid = c.relation) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is unlogged, and backend %s indexes no such table', c.relation, backend), HINT = leave;
        END IF;
        SELECT i.indexrelid::regclass::text INTO held
        FROM pg_index AS i JOIN pg_class AS r ON r.oid = i.indexrelid
        JOIN pg_depend AS d ON d.classid = 'pg_am'::regclass AND d.objid = r.relam AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        JOIN pg_extension AS e ON e.oid = d.refobjid
        WHERE i.indrelid = c.relation AND e.extname = backend LIMIT 1;
        IF held IS NOT NULL AND NOT EXISTS (SELECT FROM pgsim._text_backend AS t WHERE t.collection_id = c.id) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('%s has the index %s of extension %s, which allows a table one', c.relation, held, backend),
                HINT = format('DROP INDEX %s, or leave backend out for the text index that pgsim keeps itself.', held);
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_text_backend IS 'Raises PS010 for a backend of text searches that pgsim does not support for a collection, PS020 where the table has its index, and PS035 for one whose extension is not there.';
