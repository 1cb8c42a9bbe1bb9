CREATE FUNCTION pgsim._half_problem(v vector, metric text, dims int = NULL) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT CASE
        -- From 65520 on a number rounds to infinity, and up to 2^-25, half the least number of half precision, to zero.
        WHEN pg_catalog.max(abs(e)) >= 65520 THEN 'holds a number beyond 65504'
        WHEN metric = 'cosine' AND pg_catalog.max(abs(e)) <= 2.98023223876953125e-08::float8 THEN 'is all zeros in half precision'
    END
    FROM pg_catalog.unnest(CASE WHEN dims IS NULL THEN v::real[] ELSE (v::real[])[1:dims] END) AS e
);
COMMENT ON FUNCTION pgsim._half_problem IS 'Why a vector, or its first dims numbers, cannot be stored in half precision, or NULL.';
