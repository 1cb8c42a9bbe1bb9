CREATE FUNCTION pgsim.drop_index(index regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_id int;
    codes_of record;
BEGIN
    PERFORM pgsim._require_registrar();
    SELECT i.version_id, v.relation INTO codes_of FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id WHERE i.relation = drop_index.index AND i.method = 'codes';
    IF FOUND THEN
        PERFORM pgsim._require_owner(codes_of.relation);
        PERFORM pgsim._drop_codes(codes_of.version_id, index);
        RETURN;
    END IF;
    SELECT i.id INTO found_id
    FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id
    JOIN pg_index AS x ON x.indexrelid = drop_index.index AND x.indrelid = v.relation
    JOIN pg_class AS k ON k.oid = x.indexrelid AND k.relname = i.name;
    IF found_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS008', MESSAGE = format('%s is not an index that pgsim made', coalesce(index::text, 'NULL')),
            HINT = 'The view pgsim.indexes lists them; drop others with DROP INDEX.';
    END IF;
    PERFORM pgsim._require_owner((SELECT x.indrelid FROM pg_index AS x WHERE x.indexrelid = drop_index.index));
    IF EXISTS (SELECT FROM pgsim._index AS i WHERE i.id = found_id AND i.method = 'inverted') THEN
        PERFORM pgsim._drop_inverted(found_id);
        RETURN;
    END IF;
    EXECUTE format('DROP INDEX %s', index);
    DELETE FROM pgsim._index AS i WHERE i.id = found_id;
END
$$;
COMMENT ON FUNCTION pgsim.drop_index IS 'Drops an index that pgsim made; of codes, their table. Errors: PS008, PS032.';
