CREATE FUNCTION pgsim.measure_layers(
    collection text, shallow_model text, model text = NULL, embedding text = 'default', shallow_dims int = NULL, map text = NULL, searches int = 40, seed int = 0
) RETURNS TABLE (dims int, kept int, mean_recall float8, queries int)
LANGUAGE plpgsql ROWS 6
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    depths CONSTANT int[] := '{20,50,100,200,500,1000}';
    t pgsim._target := pgsim._target(collection, model, embedding);
    s pgsim._target := pgsim._target(collection, shallow_model, embedding);
    p pgsim._search_plan;
    of_map pgsim._map;
    drawn record;
    found record;
    truth float8[];
    width int;
    stored text[];
    missed float8[] := array_fill(0::float8, ARRAY[cardinality(depths)]);
    asked int := 0;
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._require_dense(t, 'layers are');
    PERFORM pgsim._require_dense(s, 'layers are');
    IF searches IS NULL OR searches NOT BETWEEN 1 AND 1000 OR seed IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('searches is %s, seed %s; allowed are 1 to 1000 searches', coalesce(searches::text, 'NULL'), coalesce(seed::text, 'NULL')), HINT = 'The default is 40 searches.';
    END IF;
    IF map IS NOT NULL THEN
        of_map := pgsim._map_row(map);
        IF (SELECT m.name FROM pgsim._model AS m WHERE m.id = of_map.from_model_id) IS DISTINCT FROM t.model OR (SELECT m.name FROM pgsim._model AS m WHERE m.id = of_map.to_model_id) IS DISTINCT FROM s.model THEN
            RAISE EXCEPTION USING ERRCODE = 'PS051', MESSAGE = format('map %L does not lead from model %L to %L', map, t.model, s.model), HINT = format('Store one with create_map(from_model => %L, to_model => %L).', t.model, s.model);
        END IF;
    ELSIF t.version_id = s.version_id OR (SELECT m.properties ->> 'layer_of' FROM pgsim._model AS m WHERE m.name = shallow_model) IS DISTINCT FROM t.model
          AND NOT EXISTS (SELECT FROM pgsim._layer AS l WHERE l.version_id = t.version_id AND l.shallow_id = s.version_id AND l.map_id IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS051', MESSAGE = format('model %L is not registered as a layer of %L, and no map is named', s.model, t.model),
            HINT = format('Register it with create_model(..., properties => ''{"layer_of": %s}''), or name a map that leads to it.', to_json(t.model));
    END IF;
    SELECT array_agg(format('SELECT %s AS key, %I::%s.vector AS v FROM %s WHERE %2$I IS NOT NULL',
                            CASE WHEN x.adopted THEN pgsim._key_text(x.base, '', x.key_columns) ELSE pgsim._own_key_text(x.version, '', x.key_columns) END, x.column_name, x.vector_schema, x.version_sql) ORDER BY x.place)
    INTO stored
    FROM (SELECT 1 AS place, a.* FROM (SELECT (t).*) AS a UNION ALL SELECT 2, a.* FROM (SELECT (s).*) AS a) AS x;
    p := pgsim._plan_search(ROW(collection, 11, NULL, t.model, embedding, NULL, 'exact', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request, false);
    -- Rows are their own queries, and no part of their answers.
    FOR drawn IN EXECUTE format(
        'SELECT d.key, d.v, w.v AS shallow FROM (%s) AS d JOIN (%s) AS w ON w.key = d.key ORDER BY pg_catalog.md5(d.key || $2), d.key LIMIT $1', stored[1], stored[2])
        USING searches, seed::text
    LOOP
        CONTINUE WHEN pgsim._vector_problem(drawn.v, t.dim, t.metric) IS NOT NULL OR pgsim._vector_problem(drawn.shallow, s.dim, s.metric) IS NOT NULL;
        asked := asked + 1;
        found := pgsim._execute_search(p, drawn.v, false);
        truth := ARRAY(SELECT f.d FROM unnest(found.keys, found.distances) AS f (key, d) WHERE f.key <> drawn.key LIMIT 10);
        FOR i IN 1 .. cardinality(depths) LOOP
            found := pgsim._search_layers(collection, drawn.v, CASE WHEN map IS NULL THEN drawn.shallow END, s.model, 11, NULL, t.model, embedding, shallow_dims, NULL, NULL, false, of_map.id, depths[i] + 1);
            width := found.width;
            missed[i] := missed[i] + 1 - pgsim._tie_recall(ARRAY(SELECT f.d FROM unnest(found.keys, found.distances) AS f (key, d) WHERE f.key <> drawn.key LIMIT 10), truth);
        END LOOP;
    END LOOP;
    IF asked = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('no row of collection %L has a vector under both %L and %L', collection, t.model, s.model), HINT = 'Store vectors under both first.';
    END IF;
    INSERT INTO pgsim._layer AS l (version_id, shallow_id, map_id, dims, kept, recalls, queries)
    VALUES (t.version_id, s.version_id, of_map.id, width, depths, ARRAY(SELECT 1 - m.missed / asked FROM unnest(missed) WITH ORDINALITY AS m (missed, place) ORDER BY m.place), asked)
    ON CONFLICT ON CONSTRAINT _layer_version_id_shallow_id_map_id_dims_key DO UPDATE SET kept = excluded.kept, recalls = excluded.recalls, queries = excluded.queries, measured_at = now();
    RETURN QUERY SELECT width, d.kept, 1 - d.missed / asked, asked FROM unnest(depths, missed) AS d (kept, missed) ORDER BY d.kept;
END
$$;
COMMENT ON FUNCTION pgsim.measure_layers IS
$$Measures how much of the whole model's true ten a shallow model finds among so many candidates, and stores it: by this pgsim.search_layers keeps a recall that is asked for.

Rows that have vectors under both models are the queries (searches of them), and left out of their own answers. map: one from the model to the shallow model, which the
query is mapped by; once it is measured, pgsim.search_layers takes queries without a vector of the shallow model. shallow_dims: a prefix of the shallow model; default the shortest that an
index is on. What is measured of the same models, map and length replaces what was before. Errors: PS001 to PS004, PS010, PS032, PS035, PS051, PS054.$$;
