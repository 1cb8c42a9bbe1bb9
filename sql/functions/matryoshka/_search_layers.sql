CREATE FUNCTION pgsim._search_layers(
    collection text, query vector, shallow_query vector, shallow_model text, k int, filter jsonb, model text, embedding text, shallow_dims int, oversample int, recall float8, explained boolean,
    trial_map int = NULL, trial_keep int = NULL, OUT width int, OUT keys text[], OUT distances float8[], OUT metric text, OUT details jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    began timestamptz := clock_timestamp();
    p pgsim._search_plan;
    t pgsim._target;
    s pgsim._target := pgsim._target(collection, shallow_model, embedding);
    is_layer boolean := false;
    mapped boolean := shallow_query IS NULL;
    measured pgsim._layer;
    element text;
    kept float8;
    executed record;
BEGIN
    PERFORM pgsim._check_k(k);
    IF oversample NOT BETWEEN 1 AND 1000 OR num_nonnulls(oversample, recall) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = CASE WHEN recall IS NULL THEN format('oversample is %s; it is a factor from 1 to 1000', oversample) ELSE 'oversample and recall are given, and each says how many candidates are kept' END,
            HINT = 'Give one of them; without either, 20 times k are kept.';
    END IF;
    p := pgsim._plan_search(ROW(collection, k, filter, model, embedding, recall, 'auto', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request, false);
    t := p.target;
    metric := t.metric;
    -- Without dims the shortest that an index is on, else the shortest of the layer's own.
    SELECT i.dims, i.element INTO width, element
    FROM pgsim._index AS i JOIN pg_class AS c ON c.relname = i.name AND c.relnamespace = s.version_schema JOIN pg_index AS x ON x.indexrelid = c.oid AND x.indrelid = s.version AND x.indisvalid
    WHERE i.version_id = s.version_id AND i.method = 'hnsw' AND NOT i.options ? 'slice' AND i.where_filter IS NULL AND i.dims = coalesce(shallow_dims, i.dims)
    ORDER BY i.dims, i.element <> 'halfvec', i.id LIMIT 1;
    width := coalesce(shallow_dims, width, s.matryoshka[1], s.dim);

    -- Vectors of two models may be as long as each other, and near by chance alone: a layer says that it is one, and a map what it is worth.
    is_layer := t.version_id <> s.version_id AND (SELECT m.properties ->> 'layer_of' FROM pgsim._model AS m WHERE m.name = shallow_model) IS NOT DISTINCT FROM t.model;
    IF trial_keep IS NULL THEN
        SELECT l.* INTO measured FROM pgsim._layer AS l
        WHERE l.version_id = t.version_id AND l.shallow_id = s.version_id AND l.dims = width AND (l.map_id IS NOT NULL) = mapped
        ORDER BY l.recalls[cardinality(l.recalls)] DESC, l.id LIMIT 1;
        trial_map := measured.map_id;
        IF mapped AND trial_map IS NULL
           OR NOT mapped AND NOT is_layer AND NOT EXISTS (SELECT FROM pgsim._layer AS l WHERE l.version_id = t.version_id AND l.shallow_id = s.version_id AND l.map_id IS NOT NULL) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS051',
                MESSAGE = CASE WHEN is_layer THEN format('shallow_query is NULL, and what a map from model %L finds by the first %s dimensions of %L was not measured', t.model, width, s.model)
                               ELSE format('model %L is not registered as a layer of %L, and no map between them was measured, so its neighbours say nothing of those of the other', s.model, t.model) END,
                DETAIL = 'Its layers: ' || coalesce((SELECT string_agg(format('%L (layer %s, dims %s)', m.name, coalesce(m.layer::text, 'not told'), m.matryoshka || m.dim), ', ' ORDER BY m.layer, m.name)
                                                     FROM pgsim._model AS m WHERE m.properties ->> 'layer_of' = t.model), 'none are registered'),
                HINT = format(CASE WHEN is_layer THEN 'Give the query''s vector by %1$L too. Or store a map with create_map(from_model => %2$L, to_model => %1$L), and measure it with pgsim.measure_layers(map => ...).'
                                   ELSE 'A layer is registered with create_model(..., layer => 4, properties => ''{"layer_of": %3$s}''). A map from %2$L to %1$L is stored with create_map, and measured with pgsim.measure_layers(map => ...).' END,
                              s.model, t.model, to_json(t.model));
        END IF;
    END IF;
    PERFORM pgsim._require_select(t.base, s.version);
    IF t.map_id IS NOT NULL AND trial_keep IS NULL THEN
        query := (pgsim._mapped_queries(t, ARRAY[query]))[1];
    END IF;
    IF s.map_id IS NOT NULL AND trial_keep IS NULL AND NOT mapped THEN
        shallow_query := (pgsim._mapped_queries(s, ARRAY[shallow_query]))[1];
    END IF;
    IF mapped THEN
        shallow_query := pgsim.apply_map((SELECT m.name FROM pgsim._map AS m WHERE m.id = trial_map), query, 'query');
    END IF;
    PERFORM pgsim._check_vector(shallow_query, 'shallow_query', s.model, s.dim, s.metric, s.element);
    PERFORM pgsim._check_dims(s, width, 'shallow_dims is');
    kept := coalesce(trial_keep, p.depth::float8 * coalesce(oversample, 20));
    IF recall IS NOT NULL AND measured.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS051', MESSAGE = format('recall is asked for, and what the first %s dimensions of %L find was not measured', width, s.model),
            HINT = format('Measure it: SELECT * FROM pgsim.measure_layers(%L, %L). Or give oversample in its place.', collection, s.model);
    ELSIF recall IS NOT NULL THEN
        SELECT ceil(u.kept * greatest(p.depth, 10) / 10.0) INTO kept FROM unnest(measured.kept, measured.recalls) AS u (kept, recall) WHERE u.recall >= _search_layers.recall - 1e-9 ORDER BY u.kept LIMIT 1;
    END IF;
    -- Where the layer does not find so much, or the query has no direction there, the whole model's own plan is carried out.
    IF kept IS NOT NULL AND (p.strategy <> 'exact' OR trial_keep IS NOT NULL) AND NOT pgsim._prefix_is_zero(shallow_query, width)
       AND NOT (element = 'halfvec' AND pgsim._half_problem(shallow_query, s.metric, width) IS NOT NULL) THEN
        p.strategy := 'funnel';
        p.reason := format('%s of %L, %s kept', width, s.model, kept);
        p.method := 'hnsw';
        p.shallow := s;
        p.shallow_query := shallow_query;
        p.ladder := ARRAY[width, t.dim];
        p.element := coalesce(element, s.element);
        p.keep := least(100000, kept);
        p.ef := least(1000, greatest(100, p.keep));
        p.tuples := least(1e9, greatest(20 * p.ef, 20 * p.keep, p.tuples));
        p.wanted := p.depth;
        p.far := NULL;
        p.covering := false;
        p.through_base := true;
    END IF;
    executed := pgsim._execute_search(p, query, explained);
    keys := executed.keys;
    distances := executed.distances;
    details := executed.details;
    IF details ->> 'strategy' = 'funnel' THEN
        details := details || jsonb_strip_nulls(jsonb_build_object('shallow_model', s.model, 'map', CASE WHEN mapped THEN (SELECT m.name FROM pgsim._map AS m WHERE m.id = trial_map) END));
    END IF;
    IF explained THEN
        details := jsonb_set(details, '{seconds,plan}', to_jsonb(extract(epoch FROM executed.started - began)));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._search_layers IS
    'What search_layers and explain_layers share. trial_keep: what is measured now, by a query that trial_map maps, or its own, as they are stored; nothing is refused, and few rows are not ranked at once.';
