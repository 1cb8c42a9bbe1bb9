CREATE FUNCTION pgsim.derive_model(name text, map text, matryoshka int[] = NULL, element text = NULL, properties jsonb = '{}') RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p pgsim._map;
    m pgsim._model;
    other text;
BEGIN
    PERFORM pgsim._require_registrar();
    p := pgsim._map_row(map);
    IF element NOT IN ('vector', 'halfvec') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('element is %L; what a map makes is vector or halfvec', left(element, 80)), HINT = 'Leave it out for that of the model that the map begins at.';
    END IF;
    SELECT * INTO m FROM pgsim._model AS s WHERE s.id = p.from_model_id;
    SELECT s.name INTO other FROM pgsim._model AS s WHERE s.id = p.to_model_id OR s.map_id = p.id;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('map %L leads to model %L already', map, other), HINT = 'A space has one model. Store the map anew, under another name, for another.';
    END IF;
    PERFORM pgsim.create_model(
        name, dim => p.dim_out, metric => CASE WHEN p.query_components IS NOT NULL THEN 'ip' ELSE m.metric END, element => coalesce(derive_model.element, m.element),
        matryoshka => derive_model.matryoshka, layer => m.layer, query_prefix => m.query_prefix, document_prefix => m.document_prefix, properties => derive_model.properties);
    UPDATE pgsim._model AS s SET map_id = p.id, raw_prefixes = p.query_components IS NOT NULL WHERE s.name = derive_model.name;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim.derive_model IS
$$Registers a model whose vectors are another model's, mapped, and returns its name.

Queries and vectors of it are given in the space of the model that the map begins at, and mapped in the call. Its metric is that model's; ip
where rows and queries are mapped by matrices of their own. matryoshka: the ladder, prefix lengths to be searched. element: default that model's.
A version of it follows one of that model: pgsim.create_version, then pgsim.fill_version. Errors: PS010, PS011, PS020, PS032, PS054.$$;
