CREATE FUNCTION pgsim._mapped_queries(t pgsim._target, queries vector[], side text = 'query') RETURNS vector[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p record;
    -- Read into a variable once; in a record they would be read twice, and from the table for every vector.
    components queries%TYPE;
    mapped queries%TYPE := '{}';
BEGIN
    SELECT m.name AS model, m.metric, s.dim_in, s.normalized, s.bias INTO p
    FROM pgsim._map AS s JOIN pgsim._model AS m ON m.id = s.from_model_id WHERE s.id = t.map_id;
    SELECT CASE side WHEN 'query' THEN coalesce(s.query_components, s.components) ELSE s.components END INTO components FROM pgsim._map AS s WHERE s.id = t.map_id;
    FOR i IN 1 .. coalesce(cardinality(queries), 0) LOOP
        IF pgsim._vector_problem(queries[i], p.dim_in, p.metric) IS NOT NULL THEN
            PERFORM pgsim._check_vector(queries[i], CASE side WHEN 'query' THEN 'the query' ELSE format('vector %s', i) END || format(', which model %L maps,', t.model), p.model, p.dim_in, p.metric);
        END IF;
        mapped := mapped || pgsim._mapped(components, p.bias, p.normalized, queries[i]);
    END LOOP;
    RETURN mapped;
END
$$;
COMMENT ON FUNCTION pgsim._mapped_queries IS 'Vectors of the model that a derived one begins at, in the derived one''s space. What cannot be mapped raises PS012 or PS013.';
