CREATE FUNCTION pgsim._code_expression(value text, vector_schema text, dim int, dims int, element text, map_id int) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF map_id IS NOT NULL THEN
        -- Read once a statement, and no more of it than is needed. Of length one, no vector is too long for the map.
        value := format('pgsim._mapped((SELECT m.components[1:%s] FROM pgsim._map AS m WHERE m.id = %s), NULL, true, %s::%s.vector)', dims, map_id, value, vector_schema);
    ELSIF dims < dim THEN
        value := format('%s.subvector(%s, 1, %s)', vector_schema, value, dims);
    END IF;
    -- Of length one, a prefix never overflows half precision.
    RETURN CASE element WHEN 'bit' THEN format('%s.binary_quantize(%s)', vector_schema, value)
                        ELSE format('%s.l2_normalize(%s)::%1$s.halfvec(%3$s)', vector_schema, value, dims) END;
END
$$;
COMMENT ON FUNCTION pgsim._code_expression IS 'The code of a vector, or of its image under a map: the signs of its first dims dimensions, or their direction in half precision.';
