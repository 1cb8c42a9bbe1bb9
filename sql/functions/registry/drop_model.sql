CREATE FUNCTION pgsim.drop_model(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m pgsim._model;
BEGIN
    PERFORM pgsim._require_registrar();
    m := pgsim._model_row(name);
    BEGIN
        DELETE FROM pgsim._model AS d WHERE d.id = m.id;
    EXCEPTION WHEN foreign_key_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS021', MESSAGE = format('model %L is in use', name),
            DETAIL = 'By: ' || (SELECT string_agg(u.by, '; ') FROM (
                SELECT format('%L, embedding %L', v.collection, v.embedding) AS by FROM pgsim.versions AS v WHERE v.model = drop_model.name
                UNION ALL SELECT format('map %L', p.name) FROM pgsim._map AS p WHERE m.id IN (p.from_model_id, p.to_model_id)) AS u),
            HINT = 'Drop its versions first, with pgsim.drop_version, and maps with pgsim.drop_map.';
    END;
END
$$;
COMMENT ON FUNCTION pgsim.drop_model IS 'Forgets a model that no version is under. Errors: PS002, PS021, PS032.';
