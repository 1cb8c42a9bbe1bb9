CREATE FUNCTION pgsim._advise_partial_indexes(t pgsim._target, embedding text, plans pgsim._search_plan[], searches float8[], known boolean[], stand_in boolean[], before float8[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, served int[], seconds float8[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Fewer rows are ranked as fast as any index finds the nearest of them.
    least_rows CONSTANT int := 2000;
    most CONSTANT int := 100;
    c pgsim._calibration := pgsim._calibrated(t);
    g record := pgsim._advise_graph(t);
    paths jsonb := '{}';
    wide record;
    p pgsim._search_plan;
    rows float8;
    places int[];
    costs float8[];
BEGIN
    IF NOT t.adopted OR t.partitioned OR g.element IS NULL THEN
        RETURN;
    END IF;
    FOR i IN 1 .. cardinality(plans) LOOP
        paths := paths || jsonb_build_object(i::text, (SELECT coalesce(jsonb_agg(DISTINCT coalesce(a.path, '')), '[]') FROM pgsim._filter_atoms((plans[i].request).filter, 1) AS a));
    END LOOP;
    FOR wide IN
        WITH atoms AS MATERIALIZED (
            SELECT i, a.path, a.operator, a.value FROM generate_series(1, cardinality(plans)) AS i CROSS JOIN LATERAL pgsim._filter_atoms((plans[i].request).filter, 1) AS a
            WHERE NOT stand_in[i] AND plans[i].recall < 1
        ),
        candidate AS (
            SELECT a.i, jsonb_build_object(a.path, CASE WHEN count(*) = 1 AND min(a.operator) = '$eq' AND bool_and(jsonb_typeof(a.value) <> 'object') THEN (jsonb_agg(a.value)) -> 0
                                                        ELSE jsonb_object_agg(a.operator, a.value) END) AS filter
            FROM atoms AS a WHERE a.path IS NOT NULL GROUP BY a.i, a.path
            UNION
            SELECT a.i, (plans[a.i].request).filter FROM atoms AS a GROUP BY a.i HAVING count(DISTINCT a.path) > 1 OR bool_or(a.path IS NULL)
        )
        SELECT k.filter, sum(searches[k.i] * before[k.i]) AS spent, bool_and(known[k.i]) AS known,
               ARRAY(SELECT DISTINCT coalesce(a.path, '') FROM pgsim._filter_atoms(k.filter, 1) AS a) AS paths
        FROM candidate AS k
        WHERE pg_column_size(k.filter) <= 1000 AND pgsim._filter_covers(k.filter, k.filter)
          AND NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND pgsim._filter_covers(k.filter, i.where_filter) AND pgsim._filter_covers(i.where_filter, k.filter)
                          AND i.where_filter IS NOT NULL)
        GROUP BY k.filter ORDER BY spent DESC LIMIT most
    LOOP
        BEGIN
            -- A predicate that an index cannot have: one on another table, or one that the column refuses.
            PERFORM pgsim._compile_filter(t.base, wide.filter, '{}', true);
            p := pgsim._plan_search(ROW(t.collection, 10, wide.filter, t.model, embedding, 1, 'auto', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request);
        EXCEPTION WHEN OTHERS THEN
            CONTINUE;
        END;
        rows := p.expected;
        CONTINUE WHEN rows < least_rows;
        places := '{}';
        costs := '{}';
        FOR i IN 1 .. cardinality(plans) LOOP
            IF plans[i].recall < 1 AND NOT stand_in[i] AND (paths -> i::text) ?& wide.paths AND pgsim._filter_covers((plans[i].request).filter, wide.filter) THEN
                p := plans[i];
                p.reachable := rows;
                places := places || i;
                costs := costs || pgsim._ann_seconds(c, p, least(p.expected, rows));
            END IF;
        END LOOP;
        RETURN QUERY
            SELECT 'partial_index', wide.filter::text, s.statement, g.row_bytes * rows, g.row_seconds * rows,
                   format('about %s of %s rows match%s%s', rows::bigint, t.rows::bigint, CASE WHEN g.row_bytes * rows > g.memory THEN pgsim._advise_memory(g.row_bytes * rows) END,
                          CASE WHEN NOT wide.known THEN '; values were not recorded, so each common one is taken to be asked for as often as it occurs' END),
                   s.arguments, places, costs
            FROM pgsim._advise_create_index(t, embedding, g.element, 'hnsw', wide.filter) AS s;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise_partial_indexes IS
    'What pgsim.advise may say of partial HNSW indexes: one for each condition, and each whole filter, that enough rows match. seconds are those of the searches that it covers.';
