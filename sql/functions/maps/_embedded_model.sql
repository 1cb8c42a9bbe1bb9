CREATE FUNCTION pgsim._embedded_model(model text) RETURNS pgsim._model
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m pgsim._model := pgsim._model_row(model);
BEGIN
    IF m.map_id IS NOT NULL THEN
        SELECT b.* INTO m FROM pgsim._model AS b JOIN pgsim._map AS p ON p.from_model_id = b.id WHERE p.id = m.map_id;
    END IF;
    RETURN m;
END
$$;
COMMENT ON FUNCTION pgsim._embedded_model IS 'The model whose embedder makes a model''s vectors: of a derived one that is the one its map begins at. PS002 for a name that is none.';
