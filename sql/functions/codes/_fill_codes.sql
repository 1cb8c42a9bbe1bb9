CREATE FUNCTION pgsim._fill_codes(t pgsim._target, codes regclass, filter_columns text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text[] := pgsim._codes_columns(t.key_columns, filter_columns);
BEGIN
    -- In the order of the first filter column, so that its matches lie together.
    EXECUTE format(
        'INSERT INTO %s (%s, code) SELECT %s, %s FROM %s AS b%s ORDER BY %s ON CONFLICT DO NOTHING',
        codes, pgsim._key_list('', columns, false), pgsim._key_list('b.', columns, false), pgsim._codes_code(t, codes), t.base_sql,
        CASE WHEN t.adopted THEN '' ELSE format(' LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END,
        pgsim._key_list('b.', ARRAY(
            SELECT o.name FROM (SELECT f.name, 0 AS part, f.ordinal FROM unnest(filter_columns[1:1]) WITH ORDINALITY AS f (name, ordinal)
                                UNION ALL SELECT k.name, 1, k.ordinal FROM unnest(t.key_columns) WITH ORDINALITY AS k (name, ordinal)) AS o
            JOIN pg_attribute AS a ON a.attrelid = t.base AND a.attname = o.name AND NOT a.attisdropped
            WHERE pgsim._is_ordered(a.atttypid) ORDER BY o.part, o.ordinal), false));
    EXECUTE format('ANALYZE %s', codes);
END
$$;
COMMENT ON FUNCTION pgsim._fill_codes IS 'Fills codes from the base table and its vectors; rows that are there stay as they are.';
