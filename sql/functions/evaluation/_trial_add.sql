CREATE FUNCTION pgsim._trial_add(t pgsim._target, keys text[]) RETURNS int
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    added int;
BEGIN
    EXECUTE format(
        'INSERT INTO pg_temp._pgsim_trial (key, v) SELECT DISTINCT ON (s_key) s_key, stored FROM (SELECT %s AS s_key, s.%I AS stored FROM (SELECT %s FROM unnest($1) AS g (given)) AS i %s) AS f WHERE stored IS NOT NULL',
        pgsim._key_text(t.base, 'b.', t.key_columns), t.column_name, pgsim._key_parse(t.base, 'g.given', t.key_columns, true),
        CASE WHEN t.adopted THEN format('JOIN %s AS b ON %s CROSS JOIN LATERAL (SELECT b.%I) AS s', t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true), t.column_name)
             ELSE format('JOIN %s AS b ON %s JOIN %s AS s ON %s', t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true), t.version_sql, pgsim._key_join('b.', 's.', t.key_columns, true)) END)
    USING keys;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('a relevant key cannot be read as %s: %s', pgsim._key_types(t.base, t.key_columns), SQLERRM), HINT = 'Give keys as pgsim.search returns them.';
END
$$;
COMMENT ON FUNCTION pgsim._trial_add IS 'Adds rows of those keys to the rows that indexes are tried on; how many there were.';
