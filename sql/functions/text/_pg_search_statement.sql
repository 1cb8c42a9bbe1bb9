CREATE FUNCTION pgsim._pg_search_statement(c pgsim._collection, held regclass, depth int, hits bigint, checked boolean, predicate text, among text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key_column text := quote_ident(c.key_columns[1]);
    -- As the catalogue has it: columns may have been renamed. The extension's scans fail on other expressions than these in what they give, and without a LIMIT.
    best text := format('SELECT %1$s AS pgsim_k, pdb.score(%1$s) AS pgsim_s FROM %2$s WHERE %3$s OPERATOR(pg_catalog.|||) $2%4$s ORDER BY pgsim_s DESC, %1$s LIMIT %5$s',
                        key_column, c.relation, pg_get_indexdef(held, 2, false), coalesce(' AND ' || key_column || ' OPERATOR(pg_catalog.@@@) pdb.term_set(' || among || ')::pdb.const(0)', ''), hits);
    -- PostgreSQL says which rows pass: the extension takes what is neither true nor false for true, where a condition is negated.
    passing text := CASE WHEN checked THEN format(E' JOIN (SELECT %s AS pgsim_k FROM %s%s) AS b ON b.pgsim_k OPERATOR(pg_catalog.=) h.pgsim_k', key_column, c.relation, coalesce(' WHERE (' || predicate || E'\n)', '')) ELSE '' END;
    key_text text := replace(pgsim._key_text(c.relation, 'n.', c.key_columns), 'n.' || key_column, 'n.pgsim_k');
BEGIN
    RETURN format('WITH pgsim_h AS MATERIALIZED (%s) SELECT pg_catalog.array_agg(%s ORDER BY n.pgsim_s DESC, n.pgsim_k), pg_catalog.array_agg(n.pgsim_s::pg_catalog.float8 ORDER BY n.pgsim_s DESC, n.pgsim_k), '
                  '(SELECT pg_catalog.count(*) FROM pgsim_h) FROM (SELECT h.* FROM pgsim_h AS h%s ORDER BY h.pgsim_s DESC, h.pgsim_k LIMIT %s) AS n', best, key_text, passing, depth);
END
$$;
COMMENT ON FUNCTION pgsim._pg_search_statement IS
    'The statement of a text search by an index of pg_search, over $1, the filter''s values, and $2, the query''s words: keys and scores of the best of its first hits, and how many hits there were. checked: only rows that the caller sees and that fulfil the predicate. among: of these keys alone.';
