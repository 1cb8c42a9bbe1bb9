CREATE FUNCTION pgsim._leg_vector(l pgsim._search_leg, query vector) RETURNS vector
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT l.spec ? 'query' THEN
        RETURN (query);
    END IF;
    RETURN pgsim._vector_of(l.spec ->> 'query');
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('the query of leg %L is no vector: %s', l.name, SQLERRM), HINT = 'Give it as a JSON array of numbers, or as the text of a vector.';
END
$$;
COMMENT ON FUNCTION pgsim._leg_vector IS 'The query vector of a dense leg: its own, or that of the search.';
