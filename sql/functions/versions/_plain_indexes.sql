CREATE FUNCTION pgsim._plain_indexes(collection text, embedding text, column_name text) RETURNS TABLE (name text, definition text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    t pgsim._target := pgsim._target(_plain_indexes.collection, NULL, _plain_indexes.embedding);
BEGIN
    RETURN QUERY
        SELECT format('%s_%s_%s', left(r.relname, 25), left(_plain_indexes.column_name, 20), i.method) || CASE WHEN i.dims < t.dim THEN '_' || i.dims ELSE '' END || CASE WHEN i.element <> t.element THEN '_' || i.element ELSE '' END,
               format('USING %s (%s %s.%I)%s', i.method, CASE WHEN i.dims = t.dim AND i.element = t.element THEN x.expression ELSE format('(%s)', x.expression) END,
                      t.vector_schema, format('%s_%s_ops', i.element, t.metric),
                      (SELECT ' WITH (' || string_agg(format('%I = %s', o.key, o.value::int), ', ' ORDER BY o.key) || ')' FROM jsonb_each(i.options) AS o))
        FROM pgsim._index AS i
        JOIN pg_class AS r ON r.oid = t.base
        CROSS JOIN LATERAL (SELECT pgsim._vector_expression(quote_ident(_plain_indexes.column_name), t.vector_schema, t.prefix_metric, t.dim, t.element, i.dims, i.element) AS expression) AS x
        WHERE i.version_id = t.version_id AND i.method IN ('hnsw', 'ivfflat') AND NOT i.options ?| '{top_weights,slice}' ORDER BY i.id;
END
$$;
COMMENT ON FUNCTION pgsim._plain_indexes IS 'The indexes of the active version as a plain column of the base table would have them: a name, and what comes after ON in CREATE INDEX. Those that need a function of pgsim''s are left out.';
