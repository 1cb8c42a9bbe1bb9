CREATE FUNCTION pgsim._check_fusion(method text, rank_constant float8) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF method IS NULL OR NOT method = ANY (pgsim._fusion_methods()) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the method of fusion is %s; known are %s', coalesce(quote_literal(left(method, 80)), 'NULL'), array_to_string(pgsim._fusion_methods(), ', ')),
            HINT = 'minmax is the default.';
    END IF;
    IF rank_constant IS NOT NULL AND method <> 'rrf' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('rank_constant is %s, and the method of fusion is %s; only rrf has a constant', rank_constant, method),
            HINT = 'Leave it out, or fuse by rrf.';
    END IF;
    IF NOT rank_constant BETWEEN 0 AND 1e6 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('rank_constant is %s; it is a number from 0 to 1000000', rank_constant), HINT = 'The default is 60.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_fusion IS 'Raises PS010 for a method that there is not, or a constant that it has not.';
