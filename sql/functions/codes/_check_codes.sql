CREATE FUNCTION pgsim._check_codes(t pgsim._target, dims int, element text, where_filter jsonb, options jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p pgsim._map;
BEGIN
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._require_dense(t, 'codes are');
    IF coalesce(dims, t.dim) NOT BETWEEN 1 AND t.dim OR coalesce(element, 'bit') NOT IN ('bit', 'halfvec') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dims is %s and element %L; codes hold the first dimensions, 1 to %s of model %L, as bit or halfvec', coalesce(dims::text, 'NULL'), left(element, 80), t.dim, t.model),
            HINT = 'Leave both out for one bit a dimension. Where a short prefix says most (a Matryoshka model, a rotated one), some 128 dimensions as halfvec list far fewer rows.';
    ELSIF jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'options is not a JSON object', HINT = 'For instance: options => ''{"map": "rotated"}''.';
    ELSIF where_filter IS NOT NULL OR coalesce(options, '{}') - 'map' <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'where_filter and options other than map do not go with codes, which hold every row', HINT = 'Leave them out.';
    END IF;
    IF options ? 'map' THEN
        p := pgsim._map_row(options ->> 'map');
        IF p.query_components IS NOT NULL OR p.bias IS NOT NULL OR p.dim_out < coalesce(dims, t.dim) OR t.model <> (SELECT m.name FROM pgsim._model AS m WHERE m.id = p.from_model_id) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('map %L is of kind %s, from model %L to %s dimensions; codes of model %L take one from that model to %s dimensions or more, without query_matrix and bias', p.name, p.kind,
                                                                      (SELECT m.name FROM pgsim._model AS m WHERE m.id = p.from_model_id), p.dim_out, t.model, coalesce(dims, t.dim)),
                HINT = 'Codes of rows and queries are compared, so that both are mapped alike. Fit one with "pgsim ladder fit --method pca".';
        END IF;
        -- No vector of length one has an inner product with a component that is greater than this, nor any part of the sum.
        IF pgsim._longer_than(p.components, 1e38) > 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('component %s of map %L is longer than 1e38, so that some vectors would have no image', pgsim._longer_than(p.components, 1e38), p.name), HINT = 'Store the map anew with all its components divided by the same number: codes tell directions.';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_codes IS 'Raises PS010 for an argument of create_index that codes do not take, and PS032 unless the caller owns the table.';
