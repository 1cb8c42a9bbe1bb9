CREATE FUNCTION pgsim.drop_map(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p pgsim._map;
BEGIN
    PERFORM pgsim._require_registrar();
    p := pgsim._map_row(name);
    BEGIN
        DELETE FROM pgsim._map AS d WHERE d.id = p.id;
    EXCEPTION WHEN foreign_key_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS021', MESSAGE = format('map %L is in use', name), DETAIL = format('By model %L.', (SELECT m.name FROM pgsim._model AS m WHERE m.map_id = p.id)),
            HINT = 'Drop that model first, with pgsim.drop_model.';
    END;
END
$$;
COMMENT ON FUNCTION pgsim.drop_map IS 'Forgets a map that no model is derived by. Errors: PS021, PS032, PS054.';
