CREATE FUNCTION pgsim._leg_request(r pgsim._search_request, l pgsim._search_leg) RETURNS pgsim._search_request
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF l.spec ?| '{query,sparse_query,slice}' THEN
        -- A slice of the search's own query is searched where that is.
        r.model := coalesce(l.spec ->> 'model', CASE WHEN NOT l.spec ?| '{query,sparse_query}' THEN r.model END);
        r.embedding := coalesce(l.spec ->> 'embedding', CASE WHEN NOT l.spec ?| '{query,sparse_query}' THEN r.embedding END, 'default');
        r.recall := coalesce((l.spec ->> 'recall')::float8, r.recall);
        r.mode := coalesce(l.spec ->> 'mode', CASE WHEN l.spec ? 'slice' THEN nullif(r.mode, 'codes') ELSE r.mode END, 'auto');
        r.dims := CASE WHEN jsonb_typeof(l.spec -> 'dims') = 'array' THEN ARRAY(SELECT d.value::int FROM jsonb_array_elements_text(l.spec -> 'dims') AS d) ELSE (l.spec ->> 'dims')::int[] END;
        r.oversample := (l.spec ->> 'oversample')::int;
        r.max_distance := (l.spec ->> 'max_distance')::float8;
    END IF;
    RETURN r;
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L cannot be read: %s', l.name, SQLERRM), HINT = 'Its properties are those of pgsim.search''s arguments.';
END
$$;
COMMENT ON FUNCTION pgsim._leg_request IS 'The request of a leg over vectors: what the search asks of all, and what the leg says of itself.';
