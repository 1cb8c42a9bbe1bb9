CREATE FUNCTION pgsim._followed(t pgsim._target) RETURNS pgsim._target
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    b record;
BEGIN
    IF t.follows IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035',
            MESSAGE = format('the version of collection %L under model %L %s', t.collection, t.model, CASE WHEN t.map_id IS NULL THEN 'is not derived from another' ELSE 'follows no other any more' END),
            HINT = CASE WHEN t.map_id IS NULL THEN 'Its vectors come through an embedder, or pgsim.upsert.' ELSE 'Its base was dropped: its vectors come through an embedder of the base model, or pgsim.upsert, and are mapped on their way.' END;
    END IF;
    SELECT v.collection, v.model, v.embedding INTO b FROM pgsim.versions AS v WHERE v.id = t.follows;
    RETURN pgsim._target(b.collection, b.model, b.embedding);
END
$$;
COMMENT ON FUNCTION pgsim._followed IS 'The version that a derived one follows; PS035 where there is none.';
