CREATE FUNCTION pgsim._text_backend_statement(c pgsim._collection, held regclass, extension_schema name, depth int, predicate text, filter_first boolean, most bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- As the catalogue has it: columns may have been renamed.
    content text := format('(%s)', pg_get_indexdef(held, 1, false));
    score text := format('OPERATOR(%I.<@>) %1$I.to_bm25query($2, $3)', extension_schema);
    keys text := format('%s AS pgsim_key', pgsim._key_text(c.relation, '', c.key_columns));
    key_order text := '';
    wanted text := coalesce(' WHERE (' || predicate || E'\n)', '');
    source text;
BEGIN
    FOR i IN 1 .. cardinality(c.key_columns) LOOP
        keys := keys || format(', %I AS pgsim_k_%s', c.key_columns[i], i);
        key_order := key_order || format(', pgsim_k_%s', i);
    END LOOP;
    IF filter_first THEN
        source := format('(SELECT *, pgsim_text %s AS pgsim_s FROM pgsim_b OFFSET 0)', score);
    ELSE
        source := format('(SELECT %s, %s %s AS pgsim_s FROM %s%s ORDER BY pgsim_s FETCH FIRST %s ROWS WITH TIES)', keys, content, score, c.relation, wanted, depth);
    END IF;
    RETURN CASE WHEN filter_first THEN format(E'WITH pgsim_b AS MATERIALIZED (SELECT %s, %s AS pgsim_text FROM %s%s%s) ', keys, content, c.relation, wanted, ' LIMIT ' || most) ELSE '' END
        -- What has none of the words scores 0.
        || format('SELECT pg_catalog.array_agg(pgsim_key ORDER BY pgsim_s%1$s), pg_catalog.array_agg(-pgsim_s ORDER BY pgsim_s%1$s), %2$s '
                  'FROM (SELECT * FROM %3$s AS r WHERE pgsim_s < 0 ORDER BY pgsim_s%1$s LIMIT %4$s) AS n',
                  key_order, CASE WHEN filter_first THEN '(SELECT pg_catalog.count(*) FROM pgsim_b)' ELSE 'NULL::bigint' END, source, depth);
END
$$;
COMMENT ON FUNCTION pgsim._text_backend_statement IS
    'The statement of a text search by another extension''s index, over $1, the filter''s values, $2, the query, and $3, the index''s name: keys and scores of the best, and, filter first, how many rows the filter gave.';
