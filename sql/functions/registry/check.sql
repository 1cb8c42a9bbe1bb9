CREATE FUNCTION pgsim."check"(collection text = NULL) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    v record;
    problems text;
BEGIN
    PERFORM pgsim._require_registrar();
    IF collection IS NOT NULL AND NOT EXISTS (SELECT FROM pgsim._collection AS s WHERE s.name = "check".collection) THEN
        PERFORM pgsim._collection_row(collection);
    END IF;
    FOR c IN SELECT * FROM pgsim._collection AS s WHERE s.name = "check".collection OR "check".collection IS NULL ORDER BY s.name LOOP
        object := format('collection %s', c.name);
        IF NOT EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
            RETURN QUERY SELECT 'error', object, 'its table was dropped', format('SELECT pgsim.drop_collection(%L)', c.name);
            CONTINUE;
        END IF;
        SELECT string_agg(DISTINCT quote_ident(n), ', ') INTO problems
        FROM (SELECT unnest(c.key_columns || c.text_columns || c.filter_columns)
              UNION SELECT unnest(e.source_columns) FROM pgsim._embedding AS e WHERE e.collection_id = c.id
              UNION SELECT w.column_name FROM pgsim._version AS w JOIN pgsim._embedding AS e ON e.id = w.embedding_id
              WHERE e.collection_id = c.id AND w.adopted) AS s (n)
        WHERE NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = s.n AND a.attnum > 0 AND NOT a.attisdropped);
        IF problems IS NOT NULL THEN
            RETURN QUERY SELECT 'error', object, format('%s has no column %s any more', c.relation, problems),
                'Name the columns as they were, or register the table anew.';
            CONTINUE;
        END IF;
        RETURN QUERY
            SELECT 'error', object, 'changes are not captured as they should be: ' || string_agg(format('%s on %s is %s', d.name, d.relation,
                       CASE WHEN d.definition IS NULL THEN 'left over' WHEN d.present THEN 'disabled or out of date' ELSE 'missing' END), ', '),
                   format('SELECT pgsim.sync_privileges(%1$L)', c.name) || coalesce(
                       (SELECT string_agg(format('; SELECT pgsim.enqueue_missing(%L, %L, %L)', w.collection, w.model, w.embedding), '' ORDER BY w.id)
                        FROM pgsim.versions AS w JOIN pgsim.embeddings AS e ON e.collection = w.collection AND e.name = w.embedding
                        WHERE w.collection = c.name AND w.state <> 'retired' AND e.source_columns <> '{}' AND EXISTS (SELECT FROM pgsim._version AS s WHERE s.id = w.id AND s.follows IS NULL)), '')
            FROM pgsim._trigger_drift(c) AS d HAVING count(*) > 0;
        RETURN QUERY SELECT * FROM pgsim._text_problems(c, object);
        FOR v IN SELECT w.*, e.name AS embedding, r.relowner, CASE WHEN w.follows IS NULL THEN b.relowner ELSE s.nspowner END AS base_owner, r.oid IS NULL AS gone, m.name AS model
                 FROM pgsim._version AS w JOIN pgsim._embedding AS e ON e.id = w.embedding_id JOIN pgsim._model AS m ON m.id = w.model_id
                 LEFT JOIN pg_class AS r ON r.oid = w.relation JOIN pg_class AS b ON b.oid = c.relation JOIN pg_namespace AS s ON s.nspname = 'pgsim'
                 WHERE e.collection_id = c.id ORDER BY w.id LOOP
            object := format('collection %s, embedding %s, model %s', c.name, v.embedding, v.model);
            IF v.gone THEN
                RETURN QUERY SELECT 'error', object, 'its version table was dropped',
                    format('SELECT pgsim.drop_version(%L, %L, %L, force => true)', c.name, v.model, v.embedding);
                CONTINUE;
            END IF;
            IF NOT v.adopted THEN
                IF v.relowner <> v.base_owner THEN
                    RETURN QUERY SELECT 'error', object, format('%s belongs to %I, and should to %I%s', v.relation, pg_get_userbyid(v.relowner), pg_get_userbyid(v.base_owner), CASE WHEN v.follows IS NULL THEN format(', as %s does', c.relation) ELSE '' END),
                        format('SELECT pgsim.sync_privileges(%L)', c.name);
                END IF;
                IF NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = v.relation AND k.contype = 'f' AND k.confrelid = c.relation) THEN
                    RETURN QUERY SELECT 'error', object, format('%s has lost its foreign key: vectors of deleted rows stay', v.relation),
                        format('SELECT pgsim.drop_version(%L, %L, %L, force => true), and create it again', c.name, v.model, v.embedding);
                END IF;
                SELECT string_agg(format('%s %s %s', CASE WHEN d.missing THEN 'lacks' ELSE 'has beyond it' END, d.privilege, d.grantee), ', ') INTO problems
                FROM pgsim._privilege_drift(c.relation, v.relation, CASE WHEN v.follows IS NULL THEN '{SELECT,INSERT,UPDATE,DELETE}' ELSE '{SELECT}' END::text[]) AS d;
                IF problems IS NOT NULL THEN
                    RETURN QUERY SELECT 'error', object, format('%s has other grants than %s: it %s', v.relation, c.relation, problems),
                        format('SELECT pgsim.sync_privileges(%L)', c.name);
                END IF;
                IF pgsim._security_drift(c.relation, v.relation) THEN
                    RETURN QUERY SELECT 'error', object, format('row-level security of %s differs from that of %s', v.relation, c.relation),
                        format('SELECT pgsim.sync_privileges(%L)', c.name);
                END IF;
            END IF;
            RETURN QUERY
                SELECT 'error', object, format('index %s is %s', i.name, CASE WHEN x.indexrelid IS NULL THEN 'gone' ELSE 'invalid: its build failed or is under way' END),
                    CASE WHEN x.indexrelid IS NULL THEN format('SELECT pgsim.create_index(%L, %L, embedding => %L, dims => %s, element => %L, method => %L, where_filter => %L, options => %L)',
                                                                   c.name, v.model, v.embedding, i.dims, i.element, i.method, i.where_filter, i.options)
                         ELSE format('REINDEX INDEX CONCURRENTLY %s', x.indexrelid::regclass) END
                FROM pgsim._index AS i
                LEFT JOIN (pg_index AS x JOIN pg_class AS k ON k.oid = x.indexrelid) ON x.indrelid = v.relation AND k.relname = i.name
                WHERE i.version_id = v.id AND i.method NOT IN ('codes', 'inverted') AND x.indisvalid IS NOT TRUE;
            RETURN QUERY SELECT * FROM pgsim._codes_problems(c, v.id, object);
            RETURN QUERY SELECT * FROM pgsim._version_problems(v.id, object);
            RETURN QUERY SELECT * FROM pgsim._inverted_problems(c, v.id, object);
            RETURN QUERY SELECT * FROM pgsim._map_problems(c, v.id, object);
            RETURN QUERY SELECT * FROM pgsim._backfill_problems(c, v.id, v.model, v.embedding, object);
            RETURN QUERY
                SELECT 'warning', object, format('%s changes wait to be embedded since %s', p.pending, p.oldest::timestamptz(0)), 'Run a worker: pgsim backfill or embed on the command line, Database.embed in Python, or one of yours over pgsim.next_batch.'
                FROM (SELECT sum(cardinality(q.keys)) AS pending, min(q.queued_at) AS oldest FROM pgsim._queue AS q WHERE q.version_id = v.id) AS p
                WHERE p.oldest < now() - interval '1 hour';
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim."check" IS
$$Says what is wrong with one collection, or with all: nothing, when it returns no rows.

It compares the registry with the catalogue: dropped tables and columns, change capture that is missing or disabled, owners,
grants and row-level security of version tables and codes that differ from the base table's, indexes and codes that are gone or
invalid, a text index that is not open to the same roles or does not agree with the table, a queue that nobody drains, an embedding without an active version, and newest vectors (of a sample) that look like those of another model. Each row has severity (error, warning), object, problem, and a hint: SQL to be run, or what to
do. Errors: PS001, PS032.$$;
