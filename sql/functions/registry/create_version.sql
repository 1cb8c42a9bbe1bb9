CREATE FUNCTION pgsim.create_version(collection text, model text, embedding text = 'default', column_name text = NULL) RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    m pgsim._model;
    e pgsim._embedding;
    new_id int;
    table_name text;
    version_relation regclass;
    given_type text;
    wanted_type text;
    base_version pgsim._version;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    m := pgsim._model_row(model);
    e := pgsim._embedding_row(c, embedding);
    -- One at a time for an embedding, so that just one version is the first.
    PERFORM FROM pgsim._embedding AS s WHERE s.id = e.id FOR UPDATE;
    IF EXISTS (SELECT FROM pgsim._version AS v WHERE v.embedding_id = e.id AND v.model_id = m.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('embedding %L of collection %L has a version under model %L already', embedding, collection, model),
            HINT = 'Use it, or drop it first with pgsim.drop_version.';
    END IF;
    IF EXISTS (SELECT FROM pgsim._version AS v JOIN pgsim._model AS o ON o.id = v.model_id WHERE v.embedding_id = e.id AND (o.element = 'sparsevec') <> (m.element = 'sparsevec')) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('embedding %L of collection %L has %s vectors, and model %L makes %s ones', embedding, collection,
                CASE m.element WHEN 'sparsevec' THEN 'dense' ELSE 'sparse' END, model, CASE m.element WHEN 'sparsevec' THEN 'sparse' ELSE 'dense' END),
            HINT = format('Give them an embedding of their own, which is searched beside it: pgsim.create_embedding(%L, ''sparse'', source_columns), then pgsim.create_version(%1$L, %L, embedding => ''sparse'').', collection, model);
    END IF;

    IF m.map_id IS NOT NULL THEN
        base_version := pgsim._base_version(c, e, m, column_name);
    END IF;

    wanted_type := format('%s.%I(%s)', pgsim._vector_schema(), m.element, m.dim);
    IF column_name IS NOT NULL THEN
        PERFORM pgsim._check_columns(c.relation, 'column_name', ARRAY[column_name]);
        SELECT format('%s.%I%s', t.typnamespace::regnamespace, t.typname, CASE WHEN a.atttypmod > 0 THEN format('(%s)', a.atttypmod) ELSE '' END) INTO given_type
        FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = c.relation AND a.attname = create_version.column_name AND NOT a.attisdropped;
        IF given_type <> wanted_type THEN
            RAISE EXCEPTION USING ERRCODE = 'PS012',
                MESSAGE = format('column %I of %s is %s; model %L has %s', column_name, c.relation, given_type, model, wanted_type),
                HINT = 'Register a model of the column''s type and width, or give the column its width with ALTER TABLE ... ALTER COLUMN ... TYPE.';
        END IF;
        IF EXISTS (SELECT FROM pgsim._version AS v WHERE v.relation = c.relation AND v.column_name = create_version.column_name) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('column %I of %s is adopted already', column_name, c.relation),
                HINT = 'A column holds the vectors of one model.';
        END IF;
        version_relation := c.relation;
    END IF;

    INSERT INTO pgsim._version (embedding_id, model_id, state, relation, column_name, adopted, follows)
    VALUES (e.id, m.id,
            CASE WHEN EXISTS (SELECT FROM pgsim._version AS v WHERE v.embedding_id = e.id) THEN 'building' ELSE 'active' END,
            coalesce(version_relation, 'pgsim._version'), coalesce(create_version.column_name, 'embedding'), create_version.column_name IS NOT NULL, base_version.id)
    RETURNING id INTO new_id;
    IF column_name IS NULL THEN
        table_name := pgsim._version_name(c.name, e.name, m.name, new_id);
        version_relation := pgsim._create_version_table(c, table_name, wanted_type);
        UPDATE pgsim._version AS v SET relation = version_relation WHERE v.id = new_id;
        PERFORM pgsim._sync_version_privileges(c, version_relation);
    END IF;
    PERFORM pgsim._sync_triggers(c);
    PERFORM pgsim._record_transition(new_id, 'create', NULL, (SELECT v.state FROM pgsim._version AS v WHERE v.id = new_id));
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION pgsim.create_version IS
$$Gives an embedding a version under a model, and returns the version's id. The first version of an embedding becomes active.

column_name NULL: a table of its own in schema pgsim_data, empty at first, with the base table's owner, grants and row-level
security; its rows go with the base rows. Otherwise: adopts that vector column of the base table where it stands, moving nothing.
Under a derived model it follows the version of the same embedding under the model that the map begins at: every change there is mapped in the
writer's own transaction, pgsim.fill_version maps the rows that are there, and no embedder is called.
From here on changes of the source columns are queued; pgsim.enqueue_missing queues what has no vector yet.
Errors: PS001, PS002, PS003, PS005, PS006, PS010, PS012, PS020, PS032, PS035.$$;
