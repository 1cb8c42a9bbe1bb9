CREATE FUNCTION pgsim._vector_problem(v vector, dim int, metric text, element text = 'vector') RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN v IS NULL THEN 'is NULL'
    WHEN vector_dims(v) <> dim THEN 'has ' || vector_dims(v)::text || ' dimensions'
    WHEN metric = 'cosine' AND vector_norm(v) = 0 THEN 'is all zeros'
    WHEN element = 'halfvec' THEN pgsim._half_problem(v, metric)
END;
COMMENT ON FUNCTION pgsim._vector_problem IS 'Why a vector cannot be stored or searched under a model, or NULL. (pgvector itself refuses NaN and infinity.)';
