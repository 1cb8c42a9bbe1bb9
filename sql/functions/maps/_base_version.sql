CREATE FUNCTION pgsim._base_version(c pgsim._collection, e pgsim._embedding, m pgsim._model, column_name text) RETURNS pgsim._version
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v pgsim._version;
    base text := (SELECT b.name FROM pgsim._map AS p JOIN pgsim._model AS b ON b.id = p.from_model_id WHERE p.id = m.map_id);
BEGIN
    IF column_name IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('column_name is %s, and a version under the derived model %L has a table of its own', quote_literal(left(column_name, 80)), m.name),
            HINT = 'Leave it out: pgsim maps the vectors and keeps them.';
    END IF;
    SELECT s.* INTO v FROM pgsim._version AS s JOIN pgsim._model AS b ON b.id = s.model_id JOIN pg_class AS r ON r.oid = s.relation
    WHERE s.embedding_id = e.id AND b.name = base AND s.state <> 'retired' FOR NO KEY UPDATE OF s;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('embedding %L of collection %L has no live version under model %L, whose vectors %L maps', e.name, c.name, base, m.name),
            HINT = format('Make that first: pgsim.create_version(%L, %L, embedding => %L).', c.name, base, e.name);
    END IF;
    RETURN v;
END
$$;
COMMENT ON FUNCTION pgsim._base_version IS 'The version that one under a derived model is to follow; PS035 where there is none that is kept up.';
