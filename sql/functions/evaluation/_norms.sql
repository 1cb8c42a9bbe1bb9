CREATE FUNCTION pgsim._norms(vectors vector[], OUT zeros int, OUT mean float8, OUT deviation float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT count(*) FILTER (WHERE vector_norm(v) = 0)::int, avg(vector_norm(v)), stddev_pop(vector_norm(v)) FROM unnest(_norms.vectors) AS v;
END;
COMMENT ON FUNCTION pgsim._norms IS 'The lengths of vectors: how many are zero, their mean and standard deviation.';
