CREATE FUNCTION pgsim._search_versions(r pgsim._search_request, queries jsonb, target text, OUT keys text[], OUT distances float8[], OUT scores float8[], OUT row_details jsonb[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    models text[] := pgsim._versions_given(r, queries, target);
    -- A row of pgsim._run_search each: of the version that rows move to, and of the one that they leave.
    moved record;
    left_behind record;
    t pgsim._target;
    request pgsim._search_request := r;
    single record;
    has_moved boolean[];
    place int;
    share float8;
    depth int;
    single_model text;
BEGIN
    request.model := models[1];
    moved := pgsim._run_version(request, queries -> models[1]);
    IF cardinality(models) = 1 OR coalesce(cardinality(moved.keys), 0) = 0 THEN
        -- Where no row that matches has moved, the old version's answer is the whole one.
        single_model := models[cardinality(models)];
        IF cardinality(models) = 1 THEN
            single := moved;
        ELSE
            request.model := single_model;
            single := pgsim._run_version(request, queries -> single_model);
        END IF;
    ELSE
        t := pgsim._target(r.collection, models[1], r.embedding);
        request.model := models[2];
        depth := least(greatest(100, 2 * r.k), 10000);
        LOOP
            request.k := depth;
            left_behind := pgsim._run_version(request, queries -> models[2]);
            has_moved := pgsim._have_vectors(t, left_behind.keys);
            EXIT WHEN coalesce(cardinality(left_behind.keys), 0) < depth OR depth = 10000
                   OR (SELECT count(*) FROM unnest(has_moved) AS m WHERE NOT m) + cardinality(moved.keys) >= r.k;
            depth := least(4 * depth, 10000);
        END LOOP;
        IF coalesce(cardinality(left_behind.keys), 0) = depth AND (SELECT count(*) FROM unnest(has_moved) AS m WHERE NOT m) + cardinality(moved.keys) < r.k THEN
            -- So few are left behind that they do not show among the nearest: looked for by themselves.
            request.k := r.k;
            request.where_sql := concat_ws(' AND ', format(E'(%s\n)', request.where_sql), pgsim._not_moved(t));
            request.where_values := coalesce(request.where_values, '{}');
            request.where_columns := NULL;
            single := pgsim._run_version(request, queries -> models[2]);
            SELECT array_agg(n.key ORDER BY n.part, n.place), array_agg(n.distance ORDER BY n.part, n.place), array_agg(n.flag ORDER BY n.part, n.place)
            INTO left_behind.keys, left_behind.distances, has_moved
            FROM (SELECT 1 AS part, u.key, u.distance, u.flag, u.place FROM unnest(left_behind.keys, left_behind.distances, has_moved) WITH ORDINALITY AS u (key, distance, flag, place)
                  UNION ALL
                  SELECT 2, u.key, u.distance, false, u.place FROM unnest(single.keys, single.distances) WITH ORDINALITY AS u (key, distance, place)
                  WHERE u.key <> ALL (left_behind.keys)) AS n;
        END IF;
        IF true <> ANY (has_moved) THEN
            -- How far apart similarities lie says nothing across models (by z-score the mixed answer was worse than the old model's alone); places do. Of two
            -- rows that stand for one place the new model's comes first: its best row leads.
            share := ((SELECT count(*) FROM unnest(has_moved) AS m WHERE m) + .5) / (cardinality(has_moved) + 1);
            SELECT array_agg(b.key ORDER BY b.n), array_agg(b.distance ORDER BY b.n), array_agg(1 / (1 + b.expected) ORDER BY b.n),
                   array_agg(jsonb_build_object('strategy', 'versions', 'model', models[b.side], 'place', b.place, 'moved', round(share::numeric, 3)) ORDER BY b.n)
            INTO keys, distances, scores, row_details
            FROM (SELECT p.*, row_number() OVER (ORDER BY p.expected, p.side, p.place) AS n FROM (
                      SELECT 1 AS side, u.key, u.distance, u.place, (u.place - 1) / share AS expected
                      FROM unnest(moved.keys, moved.distances) WITH ORDINALITY AS u (key, distance, place)
                      UNION ALL
                      SELECT 2, u.key, u.distance, u.place, u.place - 1
                      FROM unnest(left_behind.keys, left_behind.distances, has_moved) WITH ORDINALITY AS u (key, distance, flag, place) WHERE NOT u.flag) AS p
                  ORDER BY n LIMIT r.k) AS b;
            RETURN;
        END IF;
        -- Whatever the old version finds has moved.
        single := moved;
        single_model := models[1];
    END IF;
    keys := single.keys;
    distances := single.distances;
    scores := ARRAY(SELECT pgsim.score(single.metric, d.distance) FROM unnest(single.distances) WITH ORDINALITY AS d (distance, n) ORDER BY d.n);
    row_details := array_fill(single.details, ARRAY[coalesce(cardinality(keys), 0)]);
END
$$;
COMMENT ON FUNCTION pgsim._search_versions IS
    'A search of two versions, the one that rows move to first. Both are searched as they are; what the old one found and has moved is left out, and tells what share of the rows around this query has.';
