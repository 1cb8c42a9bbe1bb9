CREATE FUNCTION pgsim._trial_coarse(t pgsim._target, operand text, turned boolean, dims int, element text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF element = 'bit' THEN
        RETURN format('(%s.binary_quantize(%s))::bit(%s)', t.vector_schema, pgsim._trial_coarse(t, operand, turned, dims, 'vector'), dims);
    END IF;
    -- What is turned holds a prefix alone, of the greatest length that is tried.
    RETURN pgsim._vector_expression(operand, t.vector_schema, t.metric, t.dim, CASE WHEN turned THEN 'vector' ELSE t.element END, dims, element);
END
$$;
COMMENT ON FUNCTION pgsim._trial_coarse IS 'A vector, or its prefix, as the elements of an index that is tried.';
