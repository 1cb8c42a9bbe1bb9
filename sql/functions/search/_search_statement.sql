CREATE FUNCTION pgsim._search_statement(p pgsim._search_plan) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    r pgsim._rungs := p.rungs;
    exact boolean := p.strategy = 'exact';
    own boolean := NOT t.adopted;
    by_name boolean := (p.request).where_sql IS NOT NULL;
    distinct_on text := (p.request).distinct_on;
    rungs int := coalesce(cardinality(r.dims), 1);
    key_count int := cardinality(t.key_columns);
    stored text := pgsim._stored_vector(t, format('%s.%I', CASE WHEN own THEN 'v' ELSE 'b' END, t.column_name));
    sparse text := CASE WHEN t.element = 'sparsevec' THEN format('($1 ->> ''$sparse'')::%s.sparsevec(%s)', t.vector_schema, t.dim) END;
    source text;
    shallow pgsim._target;
    key_column text;
    keys text := '';
    key_order text := '';
    key_text text := '';
    group_column text := '';
    distance text;
    distances text := '';
    first_order text;
    kept text := '';
    statement text;
BEGIN
    FOR i IN 1 .. key_count LOOP
        key_column := CASE WHEN own THEN format('v.%I', pgsim._key_column(i, key_count)) ELSE format('b.%I', t.key_columns[i]) END;
        keys := keys || format('%s AS k_%s, ', key_column, i);
        key_order := key_order || ', k_' || i;
        key_text := key_text || format(', %L, k_%s', t.key_columns[i], i);
    END LOOP;
    key_text := CASE key_count WHEN 1 THEN 'k_1::text' ELSE format('pg_catalog.jsonb_build_object(%s)::text', substr(key_text, 3)) END;
    IF distinct_on IS NOT NULL THEN
        keys := keys || format('b.%I AS g, ', distinct_on);
        group_column := ', g';
    END IF;
    IF p.strategy = 'codes' THEN
        statement := pgsim._codes_statement(p, left(keys, -2), key_order || group_column, stored);
        distances := ', d_1';
        rungs := 1;
    ELSE
        source := t.base_sql || ' AS b';
        IF p.strategy = 'funnel' AND p.shallow_query IS NOT NULL THEN
            shallow := p.shallow;
        END IF;
        IF p.predicate IS NOT NULL THEN
            -- In a subquery the predicate sees the table's columns alone, and under the table's own name.
            source := CASE WHEN own OR by_name THEN format(E'(SELECT * FROM %s WHERE %s\n) AS b', t.base_sql, p.predicate)
                           ELSE format('%s WHERE %s', source, p.predicate) END;
        END IF;
        IF own THEN
            source := CASE WHEN p.through_base THEN format('%s AS v JOIN %s ON %s', t.version_sql, source, pgsim._key_join('b.', 'v.', t.key_columns, true))
                           ELSE t.version_sql || ' AS v' END;
        END IF;

        IF shallow.version_id IS NOT NULL AND NOT shallow.adopted THEN
            source := format('%s AS w JOIN %s ON %s', shallow.version_sql, CASE WHEN own THEN format('(%s)', source) ELSE format('(SELECT * FROM %s%s) AS b', t.base_sql, E' WHERE ' || p.predicate || E'\n') END,
                             pgsim._key_join('b.', 'w.', t.key_columns, true));
        END IF;

        -- The first rung reads the table. For an index its ORDER BY is the index's own expression and nothing beside it;
        -- adding 0 keeps an exact scan off every vector index, and the key settles ties.
        FOR i IN 1 .. rungs LOOP
            distance := CASE WHEN r.dims IS NULL THEN format('%s OPERATOR(%s.%s) %s%s', stored, t.vector_schema, pgsim._distance_operator(t.metric),
                                                             coalesce(sparse, '$2'), CASE WHEN sparse IS NOT NULL OR t.element = 'vector' THEN '' ELSE format('::%s.%I(%s)', t.vector_schema, t.element, t.dim) END)
                ELSE format('%s OPERATOR(%s.%s) %s',
                    pgsim._vector_expression(stored, t.vector_schema, t.prefix_metric, t.dim, t.element, r.dims[i], r.elements[i]),
                    t.vector_schema, pgsim._distance_operator(t.metric, r.elements[i]),
                    coalesce(sparse, pgsim._vector_expression('$2', t.vector_schema, t.prefix_metric, t.dim, 'vector', r.dims[i], r.elements[i]))) END;
            IF exact THEN
                distance := format('(%s) OPERATOR(pg_catalog.+) 0', distance);
            END IF;
            IF i = 1 AND shallow.version_id IS NOT NULL THEN
                first_order := format('%s OPERATOR(%s.%s) %s',
                    pgsim._vector_expression(format('%s.%I', CASE WHEN shallow.adopted THEN 'b' ELSE 'w' END, shallow.column_name), t.vector_schema, shallow.metric, shallow.dim, shallow.element, r.dims[1], r.elements[1]),
                    t.vector_schema, pgsim._distance_operator(shallow.metric, r.elements[1]),
                    pgsim._vector_expression('$3', t.vector_schema, shallow.metric, shallow.dim, 'vector', r.dims[1], r.elements[1]));
            ELSIF i = 1 THEN
                first_order := distance;
            END IF;
            IF i > 1 OR rungs = 1 THEN
                distances := distances || format(', %s AS d_%s', distance, i);
            END IF;
        END LOOP;
        statement := format('SELECT %s FROM %s', left(keys, -2) || distances, source);
        IF p.bound IS NOT NULL AND exact THEN
            -- Counted where they are kept: a window over them would keep them once more.
            kept := format('WITH pgsim_matches AS MATERIALIZED (%s LIMIT %s) ', statement, p.bound + 1);
            statement := 'SELECT * FROM pgsim_matches';
        ELSIF NOT exact THEN
            statement := format('SELECT *, %s AS found FROM (%s ORDER BY %s LIMIT %s) AS r_0', CASE WHEN p.predicate IS NULL THEN 'NULL::bigint' ELSE 'pg_catalog.count(*) OVER ()' END, statement, first_order, greatest(p.wanted, r.keep[1]));
        END IF;
        FOR i IN 2 .. rungs LOOP
            statement := format('SELECT * FROM (%s) AS r_%s ORDER BY d_%s LIMIT %s', statement, i - 1, i || key_order, r.keep[i]);
        END LOOP;
    END IF;

    IF distinct_on IS NOT NULL THEN
        statement := format('SELECT DISTINCT ON (g) * FROM (%s) AS h ORDER BY g, d_%s', statement, rungs || key_order);
    END IF;
    IF (p.request).after IS NOT NULL THEN
        -- OFFSET 0 keeps the condition from computing the distance a second time.
        statement := format('SELECT * FROM (%s OFFSET 0) AS f WHERE %s', statement, pgsim._after_condition(t, 'd_' || rungs));
    END IF;
    -- A row without a vector has no distance, and a zero vector no cosine distance: NULL and NaN come last. (A condition further in
    -- would read each row's vector before the filter has seen the row.)
    RETURN kept || format('SELECT pg_catalog.array_agg(%1$s) FILTER (WHERE d_%2$s OPERATOR(pg_catalog.<) ''NaN''), pg_catalog.array_agg(d_%2$s) FILTER (WHERE d_%2$s OPERATOR(pg_catalog.<) ''NaN''), %3$s FROM (%4$s ORDER BY d_%5$s LIMIT %6$s) AS n', key_text, rungs,
                  CASE WHEN kept <> '' THEN '(SELECT pg_catalog.count(*) FROM pgsim_matches), NULL::bigint'
                       WHEN exact THEN 'NULL::bigint, NULL::bigint'
                       WHEN p.strategy = 'codes' THEN 'pg_catalog.max(found), pg_catalog.max(listed)' ELSE 'pg_catalog.max(found), NULL::bigint' END,
                  CASE WHEN distinct_on IS NULL AND (p.request).after IS NULL AND (exact OR p.strategy = 'codes') AND rungs = 1 THEN statement
                       ELSE format('SELECT * FROM (%s) AS m', statement) END,
                  rungs || key_order, (p.request).k);
END
$$;
COMMENT ON FUNCTION pgsim._search_statement IS
    'The one statement of a search, over $1, the filter''s values, and $2, the query vector. Its row: keys, distances, how many rows an index or codes gave that match, and how many codes listed.';
