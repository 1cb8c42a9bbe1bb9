CREATE FUNCTION pgsim._leg_vector(l pgsim._search_leg, query vector, t pgsim._target) RETURNS vector
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF l.spec ? 'query' THEN
        query := pgsim._vector_of(l.spec ->> 'query');
    END IF;
    IF t.map_id IS NOT NULL THEN
        query := (pgsim._mapped_queries(t, ARRAY[query]))[1];
    END IF;
    IF t.slice IS NOT NULL AND cardinality(query::real[]) <> t.dim THEN
        IF cardinality(query::real[]) <> (SELECT m.dim FROM pgsim._model AS m WHERE m.name = t.model) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('the query of leg %L has %s dimensions; slice %L of model %L has %s', l.name, cardinality(query::real[]), t.slice_name, t.model, t.dim),
                HINT = 'Give the slice alone, or a whole vector of the model, of which it is taken.';
        END IF;
        query := (query::real[])[lower(t.slice):upper(t.slice) - 1];
    END IF;
    RETURN (query);
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('the query of leg %L is no vector: %s', l.name, SQLERRM), HINT = 'Give it as a JSON array of numbers, or as the text of a vector.';
END
$$;
COMMENT ON FUNCTION pgsim._leg_vector IS 'The query vector of a dense leg: its own, or that of the search, in the space of the version that it searches.';
