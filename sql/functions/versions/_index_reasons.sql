CREATE FUNCTION pgsim._index_reasons(t pgsim._target) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reasons text[];
    active_name text;
BEGIN
    SELECT array_agg(CASE WHEN i.method IN ('codes', 'inverted') AND k.oid IS NOT NULL THEN format('%s %s are not complete', CASE i.method WHEN 'codes' THEN 'codes' ELSE 'the inverted lists' END, i.name)
                          WHEN k.oid IS NULL THEN format('index %s is gone: pgsim.drop_index, or pgsim.create_index again', i.name)
                          ELSE format('index %s is invalid: its build failed or is under way', i.name) END ORDER BY i.id)
    INTO reasons
    FROM pgsim._index AS i
    LEFT JOIN pg_class AS k ON CASE WHEN i.method = 'codes' THEN k.oid = i.relation ELSE k.relname = i.name AND k.relnamespace = t.version_schema AND k.relkind IN ('i', 'I') END
    LEFT JOIN pg_index AS x ON x.indexrelid = k.oid AND x.indrelid = t.version
    WHERE i.version_id = t.version_id AND i.place = 'serving' AND (k.oid IS NULL OR NOT i.complete OR i.method <> 'codes' AND x.indisvalid IS NOT TRUE);
    SELECT min(i.name) INTO active_name
    FROM pgsim._version AS v JOIN pgsim._index AS i ON i.version_id = v.id
    WHERE v.state = 'active' AND i.method <> 'codes' AND v.embedding_id = (SELECT s.embedding_id FROM pgsim._version AS s WHERE s.id = t.version_id);
    IF active_name IS NOT NULL AND NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method <> 'codes') THEN
        reasons := reasons || format('it has no vector index, and the active version has %s: pgsim.create_index(%L, %L)', active_name, t.collection, t.model);
    END IF;
    RETURN coalesce(reasons, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._index_reasons IS 'What is wrong with the indexes of a version that is to take the place of the active one.';
