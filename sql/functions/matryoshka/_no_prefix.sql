CREATE FUNCTION pgsim._no_prefix(v vector, dims int) RETURNS vector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dims is %s; the vector has %s dimensions', dims, cardinality(v::real[])),
        HINT = 'A prefix is at least one dimension long and no longer than the vector.';
END
$$;
COMMENT ON FUNCTION pgsim._no_prefix IS 'Raises PS010 for a prefix that a vector does not have.';
