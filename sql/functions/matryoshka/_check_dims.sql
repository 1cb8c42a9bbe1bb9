CREATE FUNCTION pgsim._check_dims(t pgsim._target, dims int, what text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF dims = t.dim OR dims = ANY (t.matryoshka) OR t.matryoshka = '{}' AND t.element <> 'sparsevec' AND dims BETWEEN 1 AND t.dim THEN
        RETURN;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'PS010',
        MESSAGE = CASE WHEN t.matryoshka <> '{}' THEN format('%s %s; model %L has %s dimensions and the prefixes %s', what, dims, t.model, t.dim, t.matryoshka)
                       ELSE format('%s %s; model %L has %s dimensions', what, dims, t.model, t.dim) END,
        HINT = CASE WHEN t.matryoshka <> '{}' THEN 'Take one of these. A model that declares others is another model: create_model(matryoshka => ...).'
                    ELSE 'A prefix is at least one dimension long and no longer than the vector.' END;
END
$$;
COMMENT ON FUNCTION pgsim._check_dims IS 'Raises PS010 for a prefix length that a model does not have: one that declares prefixes has just these, another one any.';
