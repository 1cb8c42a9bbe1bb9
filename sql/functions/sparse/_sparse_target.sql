CREATE FUNCTION pgsim._sparse_target(collection text, model text, embedding text) RETURNS pgsim._target
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    c pgsim._collection := pgsim._collection_row(collection);
    found_models text[];
    found_embeddings text[];
BEGIN
    -- Sparse vectors are an embedding of their own. Where there is one alone nobody need name it.
    SELECT array_agg(m.name ORDER BY e.name <> _sparse_target.embedding, e.name), array_agg(e.name ORDER BY e.name <> _sparse_target.embedding, e.name)
    INTO found_models, found_embeddings
    FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._model AS m ON m.id = v.model_id
    WHERE e.collection_id = c.id AND m.element = 'sparsevec'
      AND CASE WHEN _sparse_target.model IS NULL THEN v.state = 'active' ELSE m.name = _sparse_target.model END
      AND (_sparse_target.embedding = 'default' OR e.name = _sparse_target.embedding);
    IF cardinality(found_models) = 1 OR found_embeddings[1] = embedding THEN
        RETURN pgsim._target(collection, found_models[1], found_embeddings[1]);
    ELSIF cardinality(found_models) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('collection %L has several embeddings of sparse vectors, and none is named: %s', collection, array_to_string(found_embeddings, ', ')),
            HINT = 'Name it: embedding => ... where there is no dense query, or legs => ''{"sparse": {"sparse_query": "...", "embedding": "..."}}''.';
    END IF;
    IF model IS NULL AND embedding = 'default' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS004', MESSAGE = format('collection %L has no active version under a sparse model', collection),
            DETAIL = coalesce('It has: ' || (SELECT string_agg(format('%L (embedding %L, %s)', v.model, v.embedding, v.state), ', ' ORDER BY v.id)
                                             FROM pgsim.versions AS v WHERE v.collection = c.name), 'It has none.'),
            HINT = format('Make one: pgsim.create_model(name, dim => 30522, metric => ''ip'', element => ''sparsevec''), pgsim.create_embedding(%L, ''sparse'', source_columns), pgsim.create_version(%1$L, name, embedding => ''sparse'').', collection);
    END IF;
    t := pgsim._target(collection, model, embedding);
    RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('the query is sparse; model %L of embedding %L is dense: %s numbers each', t.model, embedding, t.dim),
        HINT = 'Give a dense vector as query, or name the embedding of the sparse model.';
END
$$;
COMMENT ON FUNCTION pgsim._sparse_target IS
    'The version that a sparse query searches: the one named, or where none is that of the embedding default, if it is sparse, or the only sparse one. PS010 where there are several.';
