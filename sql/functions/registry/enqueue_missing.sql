CREATE FUNCTION pgsim.enqueue_missing(collection text, model text = NULL, embedding text = 'default') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
AS $$
DECLARE
    t pgsim._target;
    missing bigint;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        RETURN pgsim.enqueue_missing(collection, (pgsim._followed(t)).model, embedding);
    END IF;
    PERFORM pgsim._require_all_rows(t);
    IF t.source_columns = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('embedding %L of collection %L has no source columns, so nothing can be embedded for it', embedding, collection),
            HINT = 'Its vectors come through pgsim.upsert; or declare another embedding with source columns.';
    END IF;
    EXECUTE format(
        'WITH missing AS (SELECT array_agg(m.key) AS keys FROM ('
        '  SELECT %1$s AS key FROM %2$s AS b WHERE %3$s AND %4$s IS NOT NULL'
        '  EXCEPT SELECT k FROM pgsim._queue AS q CROSS JOIN unnest(q.keys) AS k WHERE q.version_id = $1 AND q.operation = ''upsert'') AS m), '
        'added AS (INSERT INTO pgsim._queue (version_id, operation, keys) '
        '  SELECT $1, ''upsert'', m.keys[i : i + 1999] FROM missing AS m, generate_series(1, cardinality(m.keys), 2000) AS i '
        '  RETURNING cardinality(keys) AS added) '
        'SELECT coalesce(sum(added), 0) FROM added',
        pgsim._key_text(t.base, 'b.', t.key_columns), t.base_sql,
        -- A vector stored without a hash has not been made from a text, as far as is known, and counts as right.
        CASE WHEN t.adopted THEN format('b.%I IS NULL', t.column_name)
             ELSE format('NOT EXISTS (SELECT FROM %s AS v WHERE %s AND coalesce(v.source_hash = pgsim._source_hash(%s), true))',
                         t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true), pgsim._source_text('b.', t.source_columns)) END,
        pgsim._source_text('b.', t.source_columns))
    INTO missing USING t.version_id;
    RETURN missing;
END
$$;
COMMENT ON FUNCTION pgsim.enqueue_missing IS
$$Queues the rows of a version that have no vector, or one made from another text, and are not queued yet; returns how many.

It finds them by comparing the tables, so it also mends a queue that missed something: rows that were there before the version,
that came in through a partition made since, or were written while triggers were off. Of an adopted column it finds the NULLs.
Rows without text are left out. It takes no lock on the base table. model NULL: the active version.
Errors: PS001 to PS004, PS032, PS035.$$;
