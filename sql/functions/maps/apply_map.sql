CREATE FUNCTION pgsim.apply_map(name text, v vector, side text = 'row') RETURNS vector
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p record;
    components pgsim._map.components%TYPE;
BEGIN
    SELECT s.dim_in, s.normalized, s.bias, m.name AS model INTO p FROM pgsim._map AS s JOIN pgsim._model AS m ON m.id = s.from_model_id WHERE s.name = apply_map.name;
    IF NOT FOUND THEN
        PERFORM pgsim._map_row(name);
    END IF;
    IF side IS NULL OR side NOT IN ('row', 'query') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('side is %s; it is row or query', coalesce(quote_literal(left(side, 80)), 'NULL')), HINT = 'Only a map with a query_matrix tells them apart.';
    END IF;
    PERFORM pgsim._check_vector(v, 'the vector', p.model, p.dim_in, CASE WHEN p.normalized THEN 'cosine' ELSE 'ip' END);
    SELECT CASE side WHEN 'query' THEN coalesce(s.query_components, s.components) ELSE s.components END INTO components FROM pgsim._map AS s WHERE s.name = apply_map.name;
    RETURN pgsim._mapped(components, p.bias, p.normalized, v);
END
$$;
COMMENT ON FUNCTION pgsim.apply_map IS
$$Maps a vector of the map's model. NULL where what comes out has a number that single precision does not hold.

side: row or query; it matters to a map with a query_matrix alone. Searches and writes of a derived model map by themselves.
Errors: PS010, PS012, PS013, PS054.$$;
