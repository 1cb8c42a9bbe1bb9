CREATE FUNCTION pgsim._repair_codes(t pgsim._target, codes regclass, filter_columns text[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text[] := pgsim._codes_columns(t.key_columns, filter_columns);
    rows_sql text;
    differing text;
    keys text[];
    changed bigint := 0;
    step bigint;
BEGIN
    rows_sql := format('SELECT %s, %s AS code FROM %s AS b%s', pgsim._key_list('b.', columns, false), pgsim._codes_code(t, codes), t.base_sql,
        CASE WHEN t.adopted THEN '' ELSE format(' LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END);
    EXECUTE format('DELETE FROM %s AS k WHERE NOT EXISTS (SELECT FROM %s AS b WHERE %s)', codes, t.base_sql, pgsim._key_join('b.', 'k.', t.key_columns, false));
    GET DIAGNOSTICS changed = ROW_COUNT;
    differing := format('SELECT array_agg(%s) FROM (%s) AS r LEFT JOIN %s AS k ON %s WHERE k.ctid IS NULL OR record_image_ne(ROW(%s)::%3$s, k)',
        pgsim._key_text(t.base, 'r.', t.key_columns), rows_sql, codes, pgsim._key_join('r.', 'k.', t.key_columns, false),
        pgsim._key_list('r.', columns || 'code'::text, false));
    EXECUTE differing INTO keys;
    -- Few: what changed while codes were filled. Their rows are held still while they are read again.
    FOR i IN 0 .. (coalesce(cardinality(keys), 0) - 1) / 1000 LOOP
        -- FOR UPDATE keeps a first vector of a row from being stored, which takes the row's key FOR KEY SHARE.
        EXECUTE format('SELECT FROM %s AS b JOIN (SELECT %s FROM unnest($1) AS k (given)) AS g ON %s ORDER BY %s FOR %s OF b',
            t.base_sql, pgsim._key_parse(t.base, 'k.given', t.key_columns, false), pgsim._key_join('b.', 'g.', t.key_columns, false),
            pgsim._key_list('b.', t.key_columns, false), CASE WHEN t.adopted THEN 'SHARE' ELSE 'UPDATE' END) USING keys[i * 1000 + 1 : (i + 1) * 1000];
        IF NOT t.adopted THEN
            EXECUTE format('SELECT FROM %s AS v JOIN (SELECT %s FROM unnest($1) AS k (given)) AS g ON %s ORDER BY %s FOR SHARE OF v',
                t.version_sql, pgsim._key_parse(t.base, 'k.given', t.key_columns, false), pgsim._key_join('g.', 'v.', t.key_columns, true),
                pgsim._key_list('v.', t.key_columns, true)) USING keys[i * 1000 + 1 : (i + 1) * 1000];
        END IF;
        EXECUTE format('INSERT INTO %1$s AS k (%2$s, code) SELECT %3$s FROM (%4$s) AS r JOIN (SELECT %5$s FROM unnest($1) AS g (given)) AS g ON %6$s ON CONFLICT (%7$s) DO UPDATE SET (%2$s, code) = ROW(%8$s)',
            codes, pgsim._key_list('', columns, false), pgsim._key_list('r.', columns || 'code'::text, false), rows_sql,
            pgsim._key_parse(t.base, 'g.given', t.key_columns, false), pgsim._key_join('r.', 'g.', t.key_columns, false),
            pgsim._key_list('', t.key_columns, false), pgsim._key_list('excluded.', columns || 'code'::text, false)) USING keys[i * 1000 + 1 : (i + 1) * 1000];
        GET DIAGNOSTICS step = ROW_COUNT;
        changed := changed + step;
    END LOOP;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION pgsim._repair_codes IS 'Brings codes to what the base table and its vectors say now, and returns how many rows differed.';
