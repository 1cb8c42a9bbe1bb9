CREATE FUNCTION pgsim._sparse_problem(v sparsevec, dim int, metric text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN v IS NULL THEN 'is NULL'
    -- pgvector has no function for it.
    WHEN pg_catalog.split_part(v::text, '/', 2)::int <> dim THEN 'has ' || pg_catalog.split_part(v::text, '/', 2) || ' dimensions'
    WHEN metric = 'cosine' AND NOT l2_norm(v) > 0 THEN 'is all zeros'
END;
COMMENT ON FUNCTION pgsim._sparse_problem IS 'Why a sparse vector cannot be stored or searched under a model, or NULL. (pgvector itself refuses NaN and infinity.)';
