CREATE FUNCTION pgsim._map_rows(t pgsim._target, b pgsim._target, keys text[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p record;
    components pgsim._map.components%TYPE;
    own boolean := NOT b.adopted;
    mapped bigint;
BEGIN
    SELECT s.bias, s.normalized INTO p FROM pgsim._map AS s WHERE s.id = t.map_id;
    SELECT s.components INTO components FROM pgsim._map AS s WHERE s.id = t.map_id;
    EXECUTE pgsim._mapped_statement(t.version_id, CASE WHEN keys IS NULL THEN format('%s AS r', b.version_sql)
        ELSE format('%s AS r JOIN (SELECT %s FROM unnest($4) AS k (given)) AS i ON %s', b.version_sql, pgsim._key_parse(t.base, 'k.given', t.key_columns, own),
                    CASE WHEN own THEN pgsim._own_key_join('r.', 'i.', t.key_columns) ELSE pgsim._key_join('r.', 'i.', t.key_columns, false) END) END)
    USING components, p.bias, p.normalized, keys;
    GET DIAGNOSTICS mapped = ROW_COUNT;
    RETURN mapped;
END
$$;
COMMENT ON FUNCTION pgsim._map_rows IS 'Stores the images of rows, of all where keys is NULL, and returns how many.';
