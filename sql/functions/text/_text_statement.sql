CREATE FUNCTION pgsim._text_statement(
    c pgsim._collection, x pgsim._text, q pgsim._text_query, depth int, predicate text, clauses text[], filter_first boolean, most bigint, scored boolean
) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n int := cardinality(c.key_columns);
    vectors text := pgsim._vector_schema();
    -- Impacts are added as single-precision numbers.
    slack float8 := 2e-7 * (8 + cardinality(q.ids));
    condition text := q.condition;
    keys text := '';
    named text := '';
    key_order text := '';
    of_base text := '';
    of_documents text := '';
    key_text text := '';
    admits text;
    source text;
BEGIN
    FOR i IN 1 .. n LOOP
        keys := keys || format('d.%I AS k_%s, ', pgsim._key_column(i, n), i);
        named := named || format('k_%s, ', i);
        key_order := key_order || format(', k_%s', i);
        of_base := of_base || format('%I OPERATOR(pg_catalog.=) pgsim_c.k_%s AND ', c.key_columns[i], i);
        of_documents := of_documents || format('d.%I OPERATOR(pg_catalog.=) pgsim_best.k_%s AND ', pgsim._key_column(i, n), i);
        key_text := key_text || format(', %L, k_%s', c.key_columns[i], i);
    END LOOP;
    key_text := CASE n WHEN 1 THEN 'k_1::text' ELSE format('pg_catalog.jsonb_build_object(%s)::text', substr(key_text, 3)) END;
    FOR i IN REVERSE CASE WHEN condition IS NULL THEN 0 ELSE cardinality(q.ids) END .. 1 LOOP
        condition := replace(condition, format('[%s]', i), CASE WHEN filter_first
            THEN format('(d.impacts OPERATOR(%s.<#>) ($2)[%s] < 0)', vectors, i)
            ELSE format('(pgsim._text_terms(d.impacts) OPERATOR(pg_catalog.&&) ''{%s}'')', q.ids[i]) END);
    END LOOP;
    IF filter_first THEN
        source := format('pgsim_b AS b JOIN %s AS d ON %s WHERE d.impacts OPERATOR(%s.<#>) $3 < 0', x.documents, pgsim._key_join('b.', 'd.', c.key_columns, true), vectors);
    ELSE
        source := format('%s AS d WHERE true%s', x.documents,
            (SELECT string_agg(format(' AND pgsim._text_terms(d.impacts) OPERATOR(pg_catalog.&&) ''{%s}''', u), '') FROM unnest(clauses) AS u));
    END IF;
    source := source || coalesce(' AND (' || condition || ')', '');
    -- The base table has the last word on whether a row is there and matches. One row at a time by its key, best first.
    admits := format('%%s CROSS JOIN LATERAL (SELECT FROM %s WHERE %s%s LIMIT 1) AS b', replace(c.relation::text, '%', '%%'), replace(left(of_base, -5), '%', '%%'),
                     replace(coalesce(CASE WHEN NOT filter_first THEN E' AND (' || predicate || E'\n)' END, '') || coalesce(' AND ' || q.recheck, ''), '%', '%%'));
    IF NOT scored THEN
        RETURN format('WITH pgsim_c AS MATERIALIZED (SELECT %s a * least(1, $5 / average) * %s AS l FROM (SELECT %s d.average, -(d.impacts OPERATOR(%s.<#>) $3) AS a FROM %s OFFSET 0) AS s WHERE a > 0 ORDER BY l DESC) '
                      'SELECT pg_catalog.count(*), pg_catalog.min(l), (SELECT pg_catalog.count(*) FROM pgsim_c) FROM (SELECT l FROM %s LIMIT %s) AS n',
                      named, 1 - slack, keys, vectors, source, format(admits, 'pgsim_c'), depth);
    END IF;
    -- An impact is stored for a mean length that has moved since. The factor by which it has changed lies between one and the ratio of both means, so
    -- the bounds of a score are exact; those few rows that may be among the best are scored anew.
    RETURN CASE WHEN filter_first THEN format(E'WITH pgsim_b AS MATERIALIZED (SELECT %s FROM %s%s\n%s), ', pgsim._key_list('', c.key_columns, false), c.relation, ' WHERE ' || predicate, 'LIMIT ' || most)
                ELSE 'WITH ' END
        || format('pgsim_c AS MATERIALIZED (SELECT *, pg_catalog.row_number() OVER (ORDER BY u DESC%1$s) AS place FROM ('
                  '  SELECT %2$s a * greatest(1, $5 / average) * %3$s AS u, a * least(1, $5 / average) * %4$s AS l FROM (SELECT %5$s d.average, -(d.impacts OPERATOR(%6$s.<#>) $3) AS a FROM %7$s OFFSET 0) AS s) AS r '
                  '  WHERE u >= $6 AND u > 0 ORDER BY place), ', key_order, named, 1 + slack, 1 - slack, keys, vectors, source)
        || format('pgsim_first AS MATERIALIZED (SELECT %s l, place FROM %s LIMIT %s), ', named, format(admits, 'pgsim_c'), depth)
        || format('pgsim_bound AS MATERIALIZED (SELECT CASE WHEN pg_catalog.count(*) < %s THEN NULL ELSE pg_catalog.min(l) END AS l, pg_catalog.max(place) AS place FROM pgsim_first), ', depth)
        || format('pgsim_best AS (SELECT %1$s place FROM pgsim_first UNION ALL SELECT %1$s place FROM %2$s), ', named,
                  format(admits, '(SELECT c.* FROM pgsim_c AS c CROSS JOIN pgsim_bound AS o WHERE c.place > o.place AND c.u >= o.l) AS pgsim_c'))
        || format('pgsim_scored AS (SELECT %s (SELECT pg_catalog.sum(%s) FROM (SELECT w.weight, -(d.impacts OPERATOR(%s.<#>) w.unit) AS impact FROM unnest($2, $4) AS w (unit, weight) OFFSET 0) AS i) AS score '
                  'FROM pgsim_best CROSS JOIN LATERAL (SELECT * FROM %s AS d WHERE %s LIMIT 1) AS d) ', named, pgsim._text_score(x, 'd.', '$5'), vectors, x.documents, left(of_documents, -5))
        || format('SELECT pg_catalog.array_agg(%s ORDER BY score DESC%s), pg_catalog.array_agg(score ORDER BY score DESC%2$s), (SELECT pg_catalog.count(*) FROM pgsim_c), %3$s FROM (SELECT * FROM pgsim_scored ORDER BY score DESC%2$s LIMIT %4$s) AS n',
                  key_text, key_order, CASE WHEN filter_first THEN '(SELECT pg_catalog.count(*) FROM pgsim_b)' ELSE 'NULL::bigint' END, depth);
END
$$;
COMMENT ON FUNCTION pgsim._text_statement IS
    'The statement of a text search, over $1, the filter''s values, and the query: $2 units, $3 vector, $4 weights, $5 mean length, $6 the least score of use. It gives, not scored, how many rows of the best there are, a score that each reaches, and how many candidates there were; or keys and scores of the best, how many candidates were scored, and, filter first, how many rows the filter gave.';
