CREATE FUNCTION pgsim._slice_target(t pgsim._target, slice text) RETURNS pgsim._target
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    slices jsonb := (SELECT m.slices FROM pgsim._model AS m WHERE m.name = t.model);
BEGIN
    IF slice IS NULL OR NOT slices ? slice THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('model %L has no slice %s', t.model, coalesce(quote_literal(left(slice, 80)), 'NULL')),
            DETAIL = CASE WHEN slices = '{}' THEN 'It declares none.' ELSE 'It has: ' || (SELECT string_agg(format('%L %s', s.key, s.value), ', ' ORDER BY s.key) FROM jsonb_each_text(slices) AS s) END,
            HINT = 'Slices are declared with the model: create_model(..., slices => ''{"title": "[1,129)"}'').';
    END IF;
    t.slice := slices ->> slice;
    t.slice_name := slice;
    t.dim := upper(t.slice) - lower(t.slice);
    t.matryoshka := '{}';
    -- What was made of whole vectors, or is told of them, is not the slice's.
    t.codes_sql := NULL;
    t.codes_columns := NULL;
    t.codes_dims := NULL;
    t.codes_element := NULL;
    t.codes_map := NULL;
    t.record_share := 0;
    t.audit_share := 0;
    RETURN t;
END
$$;
COMMENT ON FUNCTION pgsim._slice_target IS 'A version as seen through one slice of its vectors, which are as wide as the slice. Raises PS010 for one that the model does not declare.';
