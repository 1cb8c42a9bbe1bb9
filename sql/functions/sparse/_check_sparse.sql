CREATE FUNCTION pgsim._check_sparse(v sparsevec, what text, model text, dim int, metric text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    problem text := pgsim._sparse_problem(v, dim, metric);
BEGIN
    IF problem IS NULL THEN
        RETURN;
    ELSIF problem LIKE 'has %' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012',
            MESSAGE = format('%s %s; model %L has %s', what, problem, model, dim),
            HINT = 'The number after the slash is the model''s width, the size of its vocabulary as a rule: {1:0.5,7:1.25}/30522. Or name the model that made it.';
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'PS013',
            MESSAGE = format('%s %s; model %L takes sparse vectors%s', what, problem, model,
                             CASE metric WHEN 'cosine' THEN ' with at least one number that is not zero (one of zeros has no direction)' ELSE '' END),
            HINT = CASE WHEN v IS NULL THEN 'Leave out what has no vector: a row without one is not found, and nothing else is lost.'
                        ELSE 'Leave the row out: the model found nothing to say of its text, and nothing finds it.' END;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_sparse IS 'Raises PS012 or PS013 for a sparse vector that a model cannot have made.';
