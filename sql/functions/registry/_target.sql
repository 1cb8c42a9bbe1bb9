CREATE FUNCTION pgsim._target(collection text, model text, embedding text) RETURNS pgsim._target
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    c pgsim._collection;
    e pgsim._embedding;
BEGIN
    -- A regclass as text is quoted, and has its schema, since the path holds none but the system's.
    SELECT s.id, s.name, s.relation, s.relation::text, s.key_columns,
           v.id, v.relation, v.relation::text, v.column_name, v.adopted, v.state, n.source_columns,
           m.name, m.dim, m.metric, m.element, m.matryoshka, pgsim._vector_schema(),
           b.relnamespace, CASE WHEN v.adopted THEN b.relnamespace ELSE 'pgsim_data'::regnamespace END, b.reltuples, b.relkind = 'p',
           k.relation::text, k.columns, k.dims, k.element, k.map_id, s.record_share, s.audit_share, s.record_values,
           m.map_id, v.follows, CASE WHEN m.raw_prefixes THEN 'cosine' ELSE m.metric END, NULL, NULL
    INTO t
    FROM pgsim._collection AS s
    JOIN pgsim._embedding AS n ON n.collection_id = s.id
    JOIN pgsim._version AS v ON v.embedding_id = n.id
    JOIN pgsim._model AS m ON m.id = v.model_id
    LEFT JOIN pg_class AS b ON b.oid = s.relation
    LEFT JOIN pgsim._index AS k ON k.version_id = v.id AND k.method = 'codes' AND k.complete
    WHERE s.name = _target.collection AND n.name = _target.embedding
      AND CASE WHEN _target.model IS NULL THEN v.state = 'active' ELSE m.name = _target.model END;
    -- A table that was dropped has a number for a name, and a quoted name never begins with a digit.
    IF t.base_sql !~ '^\d' AND t.version_sql !~ '^\d' THEN
        RETURN t;
    ELSIF t.base_sql !~ '^\d' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS006', MESSAGE = format('the version table of collection %L, embedding %L, model %L was dropped', t.collection, embedding, t.model),
            HINT = format('Forget the version with pgsim.drop_version(%L, %L, %L, force => true).', t.collection, t.model, embedding);
    END IF;

    c := pgsim._collection_row(collection);
    e := pgsim._embedding_row(c, embedding);
    IF model IS NOT NULL THEN
        PERFORM pgsim._model_row(model);
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'PS004',
        MESSAGE = CASE WHEN model IS NULL
            THEN format('embedding %L of collection %L has no active version', embedding, collection)
            ELSE format('embedding %L of collection %L has no version under model %L', embedding, collection, model) END,
        DETAIL = coalesce('It has: ' || (SELECT string_agg(format('%L (%s)', v.model, v.state), ', ' ORDER BY v.id)
                                         FROM pgsim.versions AS v
                                         WHERE v.collection = _target.collection AND v.embedding = _target.embedding), 'It has none.'),
        HINT = format('Make one with pgsim.create_version(%L, model, embedding => %L).', collection, embedding);
END
$$;
COMMENT ON FUNCTION pgsim._target IS 'All that a call needs to know of one version: its tables, columns and model. model NULL means the active version.';
