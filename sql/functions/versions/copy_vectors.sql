CREATE FUNCTION pgsim.copy_vectors(collection text, column_name text, embedding text = 'default', after text = NULL, size int = 10000) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    own_keys text;
    last_key text;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, NULL, embedding);
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._check_vector_column(t, column_name);
    IF size IS NULL OR size < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('size is %s; it is a number of rows above 0', coalesce(size::text, 'NULL')), HINT = 'The default is 10000.';
    END IF;
    IF t.adopted THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the vectors of %L are in column %I of %s already', collection, t.column_name, t.base_sql), HINT = 'pgsim.eject leaves them there.';
    END IF;
    IF after IS NOT NULL THEN
        PERFORM pgsim._check_keys(t.base, t.key_columns, ARRAY[after]);
    END IF;
    own_keys := pgsim._key_list('v.', t.key_columns, true);
    EXECUTE format(
        'WITH batch AS MATERIALIZED (SELECT %1$s, v.embedding FROM %2$s AS v, (SELECT %3$s) AS i %4$s ORDER BY %1$s LIMIT %5$s), '
        'changed AS (UPDATE %6$s AS b SET %7$I = v.embedding FROM batch AS v WHERE %8$s AND record_image_ne(ROW(b.%7$I), ROW(v.embedding))) '
        'SELECT %9$s FROM %6$s AS b JOIN (SELECT * FROM batch AS v ORDER BY %10$s LIMIT 1) AS v ON %8$s',
        own_keys, t.version_sql, coalesce(CASE WHEN after IS NOT NULL THEN pgsim._key_parse(t.base, '$1', t.key_columns, true) END, '1'),
        CASE WHEN after IS NOT NULL THEN format('WHERE (%s) > (%s)', own_keys, pgsim._key_list('i.', t.key_columns, true)) ELSE '' END, size,
        t.base_sql, column_name, pgsim._key_join('b.', 'v.', t.key_columns, true), pgsim._key_text(t.base, 'b.', t.key_columns), replace(own_keys, ', ', ' DESC, ') || ' DESC')
    INTO last_key USING after;
    RETURN last_key;
END
$$;
COMMENT ON FUNCTION pgsim.copy_vectors IS
$$Copies the active version's vectors into a column of the base table, up to size rows in the order of their keys, and returns the last key; NULL when no row is left.

Give that key as after in the next call, each in a transaction of its own: so a large table is filled while it is read and written. Rows that have the
vector already are left alone. pgsim.eject ends it. "pgsim eject --column" does all of it.
Errors: PS001, PS003 to PS006, PS010, PS012, PS016, PS020, PS032, PS035.$$;
