CREATE FUNCTION pgsim._require_dense(t pgsim._target, what text, instead text = NULL) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF t.element = 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('%s for dense vectors; model %L is sparse', what, t.model),
            HINT = coalesce(instead, 'Name a dense model or its embedding. Sparse vectors are stored by pgsim.upsert(..., sparse_vectors => ...) and searched by pgsim.search(..., sparse_query => ...).');
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._require_dense IS 'Raises PS012 where a call that knows dense vectors alone is asked about a sparse model.';
