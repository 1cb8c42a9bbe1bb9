CREATE FUNCTION pgsim._filter_key(relation regclass, path text, label text, column_name text, OUT step text, OUT key oid, OUT target regclass)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first record;
BEGIN
    SELECT k.*, count(*) OVER (PARTITION BY k.level, k.step) AS candidates INTO first
    FROM pgsim._filter_keys(relation) AS k
    WHERE starts_with(path, k.step || '.') AND length(k.step) >= length(coalesce(column_name, ''))
    ORDER BY k.level, length(k.step) DESC LIMIT 1;
    IF first.candidates > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: %I leads from table %s along %s foreign keys', left(label, 200), first.step, relation, first.candidates),
            DETAIL = (SELECT string_agg(format('(%s) references %s', (SELECT string_agg(quote_ident(a.attname), ', ') FROM unnest(k.key_columns) AS c
                                                                      JOIN pg_attribute AS a ON a.attrelid = relation AND a.attnum = c), k.target), '; ' ORDER BY k.key_columns)
                      FROM pgsim._filter_keys(relation) AS k WHERE k.level = first.level AND k.step = first.step),
            HINT = coalesce((
                SELECT 'Name one of ' || left(string_agg(DISTINCT quote_ident(k.step), ', '), 300) || ' instead.'
                FROM pgsim._filter_keys(relation) AS k
                WHERE k.step <> first.step
                  AND k.key IN (SELECT o.key FROM pgsim._filter_keys(relation) AS o WHERE o.level = first.level AND o.step = first.step)
                  AND NOT EXISTS (SELECT FROM pgsim._filter_keys(relation) AS o WHERE o.step = k.step AND o.key <> k.key AND o.level <= k.level)),
                'Write it as SQL, in where_sql.');
    END IF;
    step := first.step;
    key := first.key;
    target := first.target;
END
$$;
COMMENT ON FUNCTION pgsim._filter_key IS
    'The foreign key along which a path leaves a table, its first step being no shorter than the column that the path begins with; PS014 when there are several. NULL where there is none.';
