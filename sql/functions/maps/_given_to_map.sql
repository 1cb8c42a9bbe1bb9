CREATE FUNCTION pgsim._given_to_map(t pgsim._target, sample int, seed int) RETURNS vector[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    b pgsim._target;
    p record;
    components pgsim._map.components%TYPE;
BEGIN
    IF t.follows IS NOT NULL THEN
        b := pgsim._followed(t);
        RETURN pgsim._directed((pgsim._sample(b, sample, seed)).vectors, b.metric);
    END IF;
    SELECT s.name, s.keeps_scores, coalesce(s.query_components, s.components) AS components, m.metric INTO p FROM pgsim._map AS s JOIN pgsim._model AS m ON m.id = s.from_model_id WHERE s.id = t.map_id;
    IF NOT p.keeps_scores THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('rows of model %L are no queries: map %L, by which they were made, cannot be undone', t.model, p.name), HINT = 'Give queries of the model that the map begins at.';
    END IF;
    components := p.components;
    RETURN pgsim._directed(ARRAY(SELECT pgsim._unmapped(components, v) FROM unnest((pgsim._sample(t, sample, seed)).vectors) AS v WHERE v IS NOT NULL), p.metric);
END
$$;
COMMENT ON FUNCTION pgsim._given_to_map IS 'A sample of rows as queries of a derived model, which are of the model that its map begins at: from the version that it follows, or mapped back.';
