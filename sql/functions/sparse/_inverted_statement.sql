CREATE FUNCTION pgsim._inverted_statement(p pgsim._search_plan, clauses text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    n int := cardinality(t.key_columns);
    key_column text;
    keys text := '';
    named text := '';
    key_order text := '';
    of_base text := '';
    key_text text := '';
    admits text := '';
BEGIN
    FOR i IN 1 .. n LOOP
        key_column := CASE WHEN t.adopted THEN format('v.%I', t.key_columns[i]) ELSE format('v.%I', pgsim._key_column(i, n)) END;
        keys := keys || format('%s AS k_%s, ', key_column, i);
        named := named || format('k_%s, ', i);
        key_order := key_order || format(', k_%s', i);
        of_base := of_base || format('%I OPERATOR(pg_catalog.=) pgsim_c.k_%s AND ', t.key_columns[i], i);
        key_text := key_text || format(', %L, k_%s', t.key_columns[i], i);
    END LOOP;
    key_text := CASE n WHEN 1 THEN 'k_1::text' ELSE format('pg_catalog.jsonb_build_object(%s)::text', substr(key_text, 3)) END;
    IF p.predicate IS NOT NULL THEN
        -- The base table says which rows are wanted, one row at a time by its key, best first.
        admits := format(E' CROSS JOIN LATERAL (SELECT FROM %s WHERE %s (%s\n) LIMIT 1) AS b', t.base_sql, of_base, p.predicate);
    END IF;
    RETURN format('WITH pgsim_c AS MATERIALIZED (SELECT * FROM (SELECT %sv.%I OPERATOR(%s.%s) ($1 ->> ''$sparse'')::%s.sparsevec(%s) AS d FROM %s AS v WHERE %s OFFSET 0) AS s WHERE d < %s ORDER BY d%s) ',
                  keys, t.column_name, t.vector_schema, pgsim._distance_operator(t.metric), t.vector_schema, t.dim, t.version_sql,
                  (SELECT string_agg(format('pgsim._text_terms(v.%I) OPERATOR(pg_catalog.&&) ''{%s}''::int[]', t.column_name, u), ' AND ') FROM unnest(clauses) AS u),
                  CASE t.metric WHEN 'ip' THEN 0 ELSE 1 END, key_order)
        || format('SELECT pg_catalog.array_agg(%s ORDER BY d%s), pg_catalog.array_agg(d ORDER BY d%2$s), (SELECT pg_catalog.count(*) FROM pgsim_c) FROM (SELECT %sd FROM pgsim_c', key_text, key_order, named)
        || admits || format(' LIMIT %s) AS n', p.depth);
END
$$;
COMMENT ON FUNCTION pgsim._inverted_statement IS
    'The statement of a search by an inverted index, over $1, the filter''s values and the query: of rows that have a term of each clause the best, their distances, and how many rows were ranked.';
