CREATE FUNCTION pgsim._fusion_row(c pgsim._collection, name text) RETURNS pgsim._fusion
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f pgsim._fusion;
BEGIN
    SELECT * INTO f FROM pgsim._fusion AS s WHERE s.collection_id = c.id AND s.name = _fusion_row.name;
    IF f.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS009',
            MESSAGE = format('collection %L has no fusion %s, and it is no method: %s', c.name, coalesce(quote_literal(left(name, 200)), 'NULL'), array_to_string(pgsim._fusion_methods(), ', ')),
            DETAIL = coalesce('It has: ' || (SELECT string_agg(quote_literal(s.name), ', ' ORDER BY s.name) FROM pgsim._fusion AS s WHERE s.collection_id = c.id), 'It has none.'),
            HINT = format('pgsim tune fusion %s makes one from queries of yours; so does pgsim.create_fusion.', c.name);
    END IF;
    RETURN f;
END
$$;
COMMENT ON FUNCTION pgsim._fusion_row IS 'The fusion of that name, or PS009.';
