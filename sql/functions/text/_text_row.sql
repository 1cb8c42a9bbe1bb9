CREATE FUNCTION pgsim._text_row(c pgsim._collection) RETURNS pgsim._text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x pgsim._text;
BEGIN
    SELECT * INTO x FROM pgsim._text AS s WHERE s.collection_id = c.id;
    IF x.collection_id IS NULL THEN
        SELECT s.collection_id, s.text_config, s.columns, s.k1, s.b, true, true INTO x.collection_id, x.text_config, x.columns, x.k1, x.b, x.complete, x.built
        FROM pgsim._text_backend AS s WHERE s.collection_id = c.id;
    END IF;
    IF x.collection_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('collection %L has no text index', c.name), HINT = format('Make it with pgsim.enable_text(%L).', c.name);
    END IF;
    RETURN x;
END
$$;
COMMENT ON FUNCTION pgsim._text_row IS 'The text index of a collection, or PS035. One of another extension''s has no tables: documents is NULL.';
