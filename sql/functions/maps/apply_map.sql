CREATE FUNCTION pgsim.apply_map(name text, v vector, side text = 'row') RETURNS vector
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p pgsim._map := pgsim._map_row(name);
    model text := (SELECT m.name FROM pgsim._model AS m WHERE m.id = p.from_model_id);
BEGIN
    IF side IS NULL OR side NOT IN ('row', 'query') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('side is %s; it is row or query', coalesce(quote_literal(left(side, 80)), 'NULL')), HINT = 'Only a map with a query_matrix tells them apart.';
    END IF;
    PERFORM pgsim._check_vector(v, 'the vector', model, p.dim_in, CASE WHEN p.normalized THEN 'cosine' ELSE 'ip' END);
    RETURN pgsim._mapped(CASE side WHEN 'query' THEN coalesce(p.query_components, p.components) ELSE p.components END, p.bias, p.normalized, v);
END
$$;
COMMENT ON FUNCTION pgsim.apply_map IS
$$Maps a vector of the map's model. NULL where what comes out has a number that single precision does not hold.

side: row or query; it matters to a map with a query_matrix alone. Searches and writes of a derived model map by themselves.
Errors: PS010, PS012, PS013, PS054.$$;
