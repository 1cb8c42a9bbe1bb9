CREATE FUNCTION pgsim.search_layers(
    collection text, query vector, shallow_query vector, shallow_model text, k int = 10, filter jsonb = NULL, model text = NULL, embedding text = 'default', shallow_dims int = NULL, oversample int = 20
) RETURNS TABLE (key text, score float8, distance float8, rank int, details jsonb)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p pgsim._search_plan;
    t pgsim._target;
    s pgsim._target := pgsim._target(collection, shallow_model, embedding);
    layer_of text := (SELECT m.properties ->> 'layer_of' FROM pgsim._model AS m WHERE m.name = shallow_model);
    width int;
    element text;
    executed record;
BEGIN
    PERFORM pgsim._check_k(k);
    IF oversample IS NULL OR oversample NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('oversample is %s; it is a factor from 1 to 1000', coalesce(oversample::text, 'NULL')), HINT = 'The default is 20.';
    END IF;
    p := pgsim._plan_search(ROW(collection, k, filter, model, embedding, NULL, 'auto', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request, false);
    t := p.target;
    IF layer_of IS DISTINCT FROM t.model THEN
        RAISE EXCEPTION USING ERRCODE = 'PS051',
            MESSAGE = format('model %L is not registered as a layer of %L, so its neighbours say nothing of those of the other', s.model, t.model),
            DETAIL = 'Its layers: ' || coalesce((SELECT string_agg(format('%L (layer %s, dims %s)', m.name, coalesce(m.layer::text, 'not told'), m.matryoshka || m.dim), ', ' ORDER BY m.layer, m.name)
                                                 FROM pgsim._model AS m WHERE m.properties ->> 'layer_of' = t.model), 'none are registered'),
            HINT = format('A layer is registered with create_model(..., layer => 4, properties => ''{"layer_of": %s}'').', to_json(t.model));
    END IF;
    PERFORM pgsim._require_select(t.base, s.version);
    IF t.map_id IS NOT NULL THEN
        query := (pgsim._mapped_queries(t, ARRAY[query]))[1];
    END IF;
    IF s.map_id IS NOT NULL THEN
        shallow_query := (pgsim._mapped_queries(s, ARRAY[shallow_query]))[1];
    END IF;
    PERFORM pgsim._check_vector(shallow_query, 'shallow_query', s.model, s.dim, s.metric, s.element);
    -- Without dims the shortest that an index is on, else the shortest of the layer's own.
    SELECT i.dims, i.element INTO width, element
    FROM pgsim._index AS i JOIN pg_class AS c ON c.relname = i.name AND c.relnamespace = s.version_schema JOIN pg_index AS x ON x.indexrelid = c.oid AND x.indrelid = s.version AND x.indisvalid
    WHERE i.version_id = s.version_id AND i.method = 'hnsw' AND NOT i.options ? 'slice' AND i.where_filter IS NULL AND i.dims = coalesce(shallow_dims, i.dims)
    ORDER BY i.dims, i.element <> 'halfvec', i.id LIMIT 1;
    width := coalesce(shallow_dims, width, s.matryoshka[1], s.dim);
    PERFORM pgsim._check_dims(s, width, 'shallow_dims is');
    IF p.strategy <> 'exact' AND NOT pgsim._prefix_is_zero(shallow_query, width) AND NOT (element = 'halfvec' AND pgsim._vector_problem(shallow_query, s.dim, s.metric, 'halfvec') IS NOT NULL) THEN
        p.strategy := 'funnel';
        p.method := 'hnsw';
        p.shallow := s;
        p.shallow_query := shallow_query;
        p.ladder := ARRAY[width, t.dim];
        p.element := coalesce(element, s.element);
        p.keep := least(100000, p.depth::float8 * oversample);
        p.ef := least(1000, greatest(100, p.keep));
        p.tuples := least(1e9, greatest(20 * p.ef, 20 * p.keep, p.tuples));
        p.wanted := p.depth;
        p.far := NULL;
        p.covering := false;
        p.through_base := true;
    END IF;
    executed := pgsim._execute_search(p, query, false);
    RETURN QUERY
        SELECT n.key, pgsim.score(t.metric, n.distance), n.distance, n.rank::int, executed.details || CASE WHEN executed.details ->> 'strategy' = 'funnel' THEN jsonb_build_object('shallow_model', s.model) ELSE '{}' END
        FROM unnest(executed.keys, executed.distances) WITH ORDINALITY AS n (key, distance, rank) ORDER BY n.rank;
END
$$;
COMMENT ON FUNCTION pgsim.search_layers IS
$$Finds candidates by a shallow layer's vectors, and ranks them by the whole model's: a funnel over layers as well as dimensions (2D Matryoshka).

query: a vector of the model; shallow_query: one of the shallow model, which is registered as its layer: create_model(..., layer => 4,
properties => '{"layer_of": "model"}'), with the prefixes allowed at that layer in matryoshka. Each is compared with vectors of its own model
alone. shallow_dims: a prefix of the shallow model; default the shortest that an index is on. oversample: how many times k candidates are kept, 1 to
1000 (20). Rows need a vector under both models to be found; where fewer than k are, and where few rows match, every match is ranked by the whole model. It asks for no
recall, since none was measured: compare with mode => 'exact'. The rest is as of pgsim.search.
Errors: PS001 to PS004, PS006, PS010, PS012 to PS016, PS032, PS035, PS051.$$;
