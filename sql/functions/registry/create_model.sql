CREATE FUNCTION pgsim.create_model(
    name text, dim int, metric text = 'cosine', element text = 'vector', matryoshka int[] = NULL, layer int = NULL,
    query_prefix text = NULL, document_prefix text = NULL, properties jsonb = '{}', slices jsonb = NULL
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._check_name('model', name);
    IF dim IS NULL OR dim NOT BETWEEN 1 AND (CASE element WHEN 'sparsevec' THEN 1000000000 ELSE 16000 END) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dim is %s; a model has 1 to 16000 dimensions, a sparse one up to 1000000000', coalesce(dim::text, 'NULL')),
            HINT = 'Give the width of the vectors that the model makes; of sparse ones it is the size of the vocabulary, and element is ''sparsevec''.';
    END IF;
    IF metric IS NULL OR metric NOT IN ('cosine', 'l2', 'ip', 'l1') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('metric is %s; known are cosine, l2, ip and l1', coalesce(quote_literal(left(metric, 80)), 'NULL')),
            HINT = 'The model''s card says which it was trained for; cosine suits most.';
    END IF;
    IF element IS NULL OR element NOT IN ('vector', 'halfvec', 'sparsevec') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('element is %s; known are vector (4 bytes a dimension), halfvec (2 bytes) and sparsevec (8 bytes a number that is not zero)', coalesce(quote_literal(left(element, 80)), 'NULL')),
            HINT = 'It says how vectors are stored; an index may use another.';
    END IF;
    matryoshka := coalesce(matryoshka, '{}');
    IF array_ndims(matryoshka) > 1 OR array_position(matryoshka, NULL) IS NOT NULL
       OR EXISTS (SELECT FROM unnest(matryoshka) AS d WHERE d NOT BETWEEN 1 AND dim)
       OR matryoshka <> coalesce((SELECT array_agg(DISTINCT d ORDER BY d) FROM unnest(matryoshka) AS d), '{}') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('matryoshka is %s; it lists prefix lengths of 1 to %s, each longer than the one before', matryoshka, dim),
            HINT = 'For instance: matryoshka => ''{64,128,256,384}''.';
    END IF;
    IF element = 'sparsevec' AND matryoshka <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('matryoshka is %s; sparse vectors have no prefixes', matryoshka), HINT = 'Leave it out.';
    END IF;
    slices := pgsim._check_slices(slices, dim, element);
    IF layer < 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('layer is %s; it is 0 or more', layer), HINT = 'Leave it out for the last layer.';
    END IF;
    IF properties IS NULL OR jsonb_typeof(properties) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'properties is not a JSON object', HINT = 'Anything you want to keep with the model: properties => ''{"revision": "2024-05"}''.';
    END IF;
    BEGIN
        INSERT INTO pgsim._model (name, dim, metric, element, matryoshka, layer, query_prefix, document_prefix, properties, slices)
        VALUES (create_model.name, create_model.dim, create_model.metric, create_model.element, create_model.matryoshka, create_model.layer,
                coalesce(create_model.query_prefix, ''), coalesce(create_model.document_prefix, ''), create_model.properties, create_model.slices);
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('model %L exists already', name),
            HINT = 'A model is one model at one revision and never changes: register another revision under another name.';
    END;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim.create_model IS
$$Registers an embedding model, at one revision, and returns its name.

dim: width of its vectors, 1 to 16000. metric: cosine, l2, ip (inner product) or l1. element: how vectors are stored, vector,
halfvec or sparsevec: of a sparse model (SPLADE, uniCOIL) dim is the size of its vocabulary, up to 1000000000. matryoshka: prefix lengths that are embeddings by themselves. layer: the layer it reads, when not the last.
query_prefix, document_prefix: text set before what is embedded. properties: anything you want to keep with it.
slices: parts of the vector by their names, as ranges of dimensions, which count from 1: {"title": "[1,129)"} are the first 128; each can be indexed and searched by itself.
Errors: PS010, PS011, PS020, PS032.$$;
