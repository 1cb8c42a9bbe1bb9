CREATE FUNCTION pgsim._rows_as_queries(t pgsim._target, vectors vector[]) RETURNS vector[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text;
    keeps boolean;
    components vectors%TYPE;
BEGIN
    SELECT s.name, s.keeps_scores, s.query_components INTO name, keeps, components FROM pgsim._map AS s WHERE s.id = t.map_id;
    IF components IS NULL THEN
        RETURN vectors;
    END IF;
    IF NOT keeps THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('rows of model %L are no queries: map %L maps the two apart, and cannot be undone', t.model, name), HINT = 'Give queries of the model that the map begins at.';
    END IF;
    RETURN pgsim._mapped_queries(t, ARRAY(SELECT pgsim._unmapped(components, u.v) FROM unnest(vectors) WITH ORDINALITY AS u (v, ordinal) ORDER BY u.ordinal));
END
$$;
COMMENT ON FUNCTION pgsim._rows_as_queries IS 'Rows of a version as queries in its own space, where a map may map queries otherwise than rows; PS035 where it cannot be told how.';
