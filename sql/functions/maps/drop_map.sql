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
        RAISE EXCEPTION USING ERRCODE = 'PS021', MESSAGE = format('map %L is in use', name), DETAIL = 'By: ' || (SELECT string_agg(u.by, '; ') FROM (
                SELECT format('model %L', m.name) AS by FROM pgsim._model AS m WHERE m.map_id = p.id
                UNION ALL SELECT format('codes %s', i.name) FROM pgsim._index AS i WHERE i.map_id = p.id) AS u),
            HINT = 'Drop that first, with pgsim.drop_model or pgsim.drop_index.';
    END;
END
$$;
COMMENT ON FUNCTION pgsim.drop_map IS 'Forgets a map that no model is derived by and no codes are made with. Errors: PS021, PS032, PS054.';
