CREATE FUNCTION pgsim._require_text_kept(c pgsim._collection, x pgsim._text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT x.complete OR NOT pgsim._text_usable(x, c.relation, c.key_columns) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the text index of collection %L is not kept up: a column or the configuration that it reads was renamed or dropped, or its triggers were off', c.name),
            HINT = format('Make it anew: SELECT pgsim.disable_text(%L), pgsim.enable_text(%1$L).', c.name);
    ELSIF NOT x.built THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the text index of collection %L is still being made', c.name),
            HINT = format('Try again when it is; if nobody is at it any more, SELECT pgsim.disable_text(%L), pgsim.enable_text(%1$L).', c.name);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._require_text_kept IS 'Raises PS035 where a text index does not agree with its table, or may not any more.';
