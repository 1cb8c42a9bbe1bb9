CREATE FUNCTION pgsim._codes_statement(p pgsim._search_plan, selected text, carried text, stored text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    first int := least(p.shortlist, pgsim._first_shortlist(p.depth));
    keys text := '';
    key_match text := '';
    key_order text := '';
    listed text;
    head text;
    ranked text;
BEGIN
    FOR i IN 1 .. cardinality(t.key_columns) LOOP
        keys := keys || format('c.%I AS k_%s, ', t.key_columns[i], i);
        key_match := key_match || format('%I OPERATOR(pg_catalog.=) pgsim_listed.k_%s AND ', t.key_columns[i], i);
        key_order := key_order || format(', k_%s', i);
    END LOOP;
    -- A map is no constant, and a query of its own maps the query vector once.
    listed := format('SELECT %sc.code %s %s AS h FROM %s AS c WHERE c.code IS NOT NULL ORDER BY h LIMIT %s',
        keys, pgsim._code_distance(t.vector_schema, t.codes_element), format(CASE WHEN t.codes_map IS NULL THEN '%s' ELSE '(SELECT %s)' END, pgsim._code_expression('$2', t.vector_schema, t.dim, t.codes_dims, t.codes_element, t.codes_map)),
        CASE WHEN p.predicate IS NULL THEN t.codes_sql
             -- Under the base table's name, by which a condition in SQL may call its columns.
             ELSE format(E'(SELECT * FROM %s AS %I WHERE %s\n)', t.codes_sql, (SELECT r.relname FROM pg_class AS r WHERE r.oid = t.base), p.predicate) END,
        p.shortlist);
    -- The base table has the last word on whether a row matches. One row at a time by its key, whatever the planner expects.
    head := format('SELECT %s, %s OPERATOR(%s.%s) $2 AS d_1%s FROM (SELECT * FROM pgsim_codes ', selected, stored, t.vector_schema, pgsim._distance_operator(t.metric),
        CASE t.metric WHEN 'cosine' THEN '' ELSE format(', %s OPERATOR(%s.<=>) $2 AS a', stored, t.vector_schema) END);
    ranked := format(') AS pgsim_listed CROSS JOIN LATERAL (SELECT * FROM %s WHERE %s LIMIT 1) AS b%s', t.base_sql,
        CASE WHEN p.predicate IS NULL THEN left(key_match, -5) ELSE format(E'%s(%s\n)', key_match, p.predicate) END,
        CASE WHEN t.adopted THEN '' ELSE format(' JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END);
    RETURN format('WITH pgsim_codes AS MATERIALIZED (%s), ', listed)
        || format('pgsim_first AS MATERIALIZED (%s ORDER BY d_1%s LIMIT %s), ', head || 'LIMIT ' || first || ranked, key_order, p.depth)
        || format('pgsim_bound AS MATERIALIZED (SELECT CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.<) %s THEN ''Infinity'' ELSE pgsim._expected_code_distance(pg_catalog.max(%s), %s, %L, %s) END AS h FROM pgsim_first), ',
                  p.depth, CASE t.metric WHEN 'cosine' THEN 'd_1' ELSE 'a' END, t.codes_dims, t.codes_element, p.margin)
        || format('pgsim_ranked AS (SELECT d_1%s FROM pgsim_first UNION ALL SELECT d_1%1$s FROM (%s WHERE pgsim_listed.h <= (SELECT h FROM pgsim_bound)) AS l) ',
                  carried, head || 'OFFSET ' || first || ranked)
        -- A row of NULLs where none of those listed is there and matches, so that it is known how many were listed.
        || 'SELECT pgsim_ranked.*, pg_catalog.count(d_1) OVER () AS found, listed FROM (SELECT pg_catalog.count(*) AS listed FROM pgsim_codes) AS c LEFT JOIN pgsim_ranked ON true';
END
$$;
COMMENT ON FUNCTION pgsim._codes_statement IS
    'Candidates by their codes, ranked by their vectors: the best few at first, then all whose codes lie no farther than that of the farthest of the best is expected to, and a margin.';
