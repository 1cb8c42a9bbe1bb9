CREATE FUNCTION pgsim._vector_expression(
    operand text, vector_schema text, metric text, dim int, stored_element text, dims int, element text
) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF dims = dim AND element = stored_element THEN
        RETURN operand;
    END IF;
    IF stored_element = 'sparsevec' THEN
        RETURN format('(pgsim._top_weights(%s, %s))::%s.sparsevec(%s)', operand, substr(element, 5)::int, vector_schema, dim);
    END IF;
    IF dims < dim THEN
        operand := format('%s.subvector(%s, 1, %s)', vector_schema, operand, dims);
    END IF;
    IF element = 'bit' THEN
        RETURN format('(%s.binary_quantize(%s))::pg_catalog.bit(%s)', vector_schema, operand, dims);
    END IF;
    IF dims < dim THEN
        -- Cosine measures direction alone. The other metrics need the length that the full vector had.
        IF metric <> 'cosine' THEN
            operand := format('%s.l2_normalize(%s)', vector_schema, operand);
        END IF;
    END IF;
    RETURN format('(%s)::%s.%I(%s)', operand, vector_schema, element, dims);
END
$$;
COMMENT ON FUNCTION pgsim._vector_expression IS
    'A vector, or its first dims dimensions, as an element type, bit being one bit for each sign; of a sparse one top_ and a number keeps so many of its weights. An index is used only where a query repeats its expression to the letter: both are made here.';
