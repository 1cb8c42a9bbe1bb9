CREATE FUNCTION pgsim._advise_create_index(t pgsim._target, embedding text, element text, method text, where_filter jsonb, OUT statement text, OUT arguments jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    arguments := jsonb_strip_nulls(jsonb_build_object('embedding', nullif(embedding, 'default'), 'element', nullif(element, t.element), 'method', nullif(method, 'hnsw')))
                 || CASE WHEN where_filter IS NULL THEN '{}' ELSE jsonb_build_object('where_filter', where_filter) END;
    statement := format('SELECT pgsim.create_index(%L, %L%s)', t.collection, t.model, (
        SELECT string_agg(format(', %s => %L', a.key, a.value #>> '{}'), '' ORDER BY array_position('{embedding,element,method,where_filter}', a.key)) FROM jsonb_each(arguments) AS a));
    arguments := jsonb_build_object('model', t.model) || arguments;
END
$$;
COMMENT ON FUNCTION pgsim._advise_create_index IS 'A call of create_index as SQL, and its arguments for those who make it CONCURRENTLY.';
