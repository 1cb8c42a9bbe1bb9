CREATE FUNCTION pgsim._sample(t pgsim._target, wanted int, seed int, OUT keys text[], OUT vectors vector[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key_count int := cardinality(t.key_columns);
    key_text text := pgsim._key_text(t.base, 'b.', t.key_columns);
    stored text := format('b.%I AS stored', t.column_name);
    vector_join text := '';
    estimate float8 := pgsim._rows_estimate(t.base);
    -- Rows of one block often came together: ten times as many are read as are kept.
    part text := CASE WHEN estimate > 50.0 * wanted THEN format('TABLESAMPLE SYSTEM (%s) REPEATABLE (%s)', 1000.0 * wanted / estimate, seed) END;
BEGIN
    IF seed IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'seed is NULL; it is a whole number', HINT = 'The same seed takes the same rows. Leave it out for 0.';
    END IF;
    IF NOT t.adopted THEN
        SELECT string_agg(format('b.%I AS k_%s', k.name, k.ordinal), ', '),
               format('LEFT JOIN %s AS v ON ', t.version_sql)
               || string_agg(format('v.%I OPERATOR(pg_catalog.=) s.k_%s', pgsim._key_column(k.ordinal, key_count), k.ordinal), ' AND ')
        INTO stored, vector_join
        FROM unnest(t.key_columns) WITH ORDINALITY AS k (name, ordinal);
    END IF;
    LOOP
        -- Through the base table, whose row-level security holds. The order is a hash of the key: the same rows each time.
        EXECUTE format(
            'SELECT array_agg(s.key ORDER BY s.place, s.key), array_agg(%s::%s.vector ORDER BY s.place, s.key) '
            'FROM (SELECT %s, %s AS key, hashtextextended(%4$s, %s) AS place FROM %s AS b %s ORDER BY place, key LIMIT %s) AS s %s',
            CASE WHEN t.adopted THEN 's.stored' ELSE format('v.%I', t.column_name) END, t.vector_schema,
            stored, key_text, seed, t.base_sql, part, wanted, vector_join)
        INTO keys, vectors;
        -- An estimate may be far off, and row-level security may hide most rows.
        EXIT WHEN part IS NULL OR cardinality(keys) >= wanted / 2;
        part := NULL;
    END LOOP;
    keys := coalesce(keys, '{}');
    vectors := coalesce(vectors, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._sample IS
    'Rows of a collection that the caller may see: keys, and vectors, NULL where a row has none. The same seed takes the same rows while the table does not change. A large table is sampled by blocks.';
