CREATE FUNCTION pgsim._unmapped_statement(t pgsim._target, b pgsim._target, after boolean, locked text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN (
    -- Whoever writes a row's vector holds its lock before the trigger writes the image. So does this, and none waits for the other crosswise.
    format('SELECT array_agg(s.key) FROM (SELECT %s AS key FROM %s AS b%s%s WHERE NOT EXISTS (SELECT FROM %s AS d WHERE %s)%s%s ORDER BY %s LIMIT $1 FOR NO KEY UPDATE OF %s %s%s) AS s',
        pgsim._key_text(t.base, 'b.', t.key_columns), t.base_sql,
        CASE WHEN b.adopted THEN '' ELSE format(' JOIN %s AS v ON %s', b.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END,
        CASE WHEN after THEN format(' CROSS JOIN (SELECT %s) AS a', pgsim._key_parse(t.base, '$2', t.key_columns, false)) ELSE '' END,
        t.version_sql, pgsim._key_join('b.', 'd.', t.key_columns, true),
        CASE WHEN b.adopted THEN format(' AND b.%I IS NOT NULL', b.column_name) ELSE '' END,
        CASE WHEN after THEN format(' AND ROW(%s) OPERATOR(pg_catalog.>) ROW(%s)', pgsim._key_list('b.', t.key_columns, false), pgsim._key_list('a.', t.key_columns, false)) ELSE '' END,
        pgsim._key_list('b.', t.key_columns, false), CASE WHEN b.adopted THEN 'b' ELSE 'v' END, locked,
        CASE WHEN b.adopted THEN '' ELSE format(' FOR KEY SHARE OF b %s', locked) END)
);
COMMENT ON FUNCTION pgsim._unmapped_statement IS 'The statement that takes rows whose vectors have no image yet, $1 of them, those behind key $2, and holds them; its row is their keys.';
