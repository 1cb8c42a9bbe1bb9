CREATE FUNCTION pgsim._enqueue_missing(collection text, model text, embedding text, order_by text, caller_path text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
AS $$
DECLARE
    t pgsim._target;
    missing bigint;
    key_sql text;
    source_sql text;
    hits text := '';
    sorted text := '';
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        RETURN pgsim._enqueue_missing(collection, (pgsim._followed(t)).model, embedding, order_by, caller_path);
    END IF;
    PERFORM pgsim._check_backfill(t, embedding);
    -- One at a time for a version: two would queue the same rows.
    PERFORM pg_advisory_xact_lock('pgsim._queue'::regclass::oid::int, t.version_id);
    key_sql := pgsim._key_text(t.base, 'b.', t.key_columns);
    source_sql := pgsim._source_text('b.', t.source_columns);
    -- A row that is gone is set aside no more.
    EXECUTE format('DELETE FROM pgsim._poison AS p USING (SELECT %1$s, k.key AS given FROM pgsim._poison AS k WHERE k.version_id = $1) AS i '
                   'WHERE p.version_id = $1 AND p.key = i.given AND NOT EXISTS (SELECT FROM %2$s AS b WHERE %3$s)',
                   pgsim._key_parse(t.base, 'k.key', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true)) USING t.version_id;
    IF order_by IS NOT NULL THEN
        DELETE FROM pgsim._queue AS q WHERE q.version_id = t.version_id AND q.place = 1;
        IF order_by = 'recency' THEN
            sorted := 'ORDER BY age(b.xmin), b.ctid DESC';
        ELSIF order_by = 'hot' THEN
            IF NOT EXISTS (SELECT FROM pgsim._search_log AS l WHERE l.collection_id = t.collection_id AND l.keys <> '{}') THEN
                RAISE EXCEPTION USING ERRCODE = 'PS047', MESSAGE = format('no search of collection %L is recorded, so no row is known to be found more often than another', collection),
                    HINT = format('Record some first: pgsim.record_searches(%L, share => 0.1); or choose another order.', collection);
            END IF;
            hits := format('LEFT JOIN (SELECT k.key, count(*) AS found FROM pgsim._search_log AS l CROSS JOIN LATERAL unnest(l.keys) AS k (key) '
                           'WHERE l.collection_id = %s GROUP BY 1) AS h ON h.key = %s', t.collection_id, key_sql);
            sorted := 'ORDER BY h.found DESC NULLS LAST';
        ELSIF btrim(order_by) = '' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'order_by is empty; it is recency, hot, or SQL over the table', HINT = 'order_by => ''published DESC''; NULL is any order.';
        ELSE
            sorted := format(E'ORDER BY %s\n', order_by);
            PERFORM set_config('search_path', concat_ws(', ', 'pg_catalog', nullif(caller_path, '')), true);
        END IF;
    END IF;
    EXECUTE format(
        'WITH known AS MATERIALIZED (SELECT k.key FROM pgsim._queue AS q CROSS JOIN LATERAL unnest(q.keys) AS k (key) WHERE q.version_id = $1 AND q.operation OPERATOR(pg_catalog.<>) ''delete'' '
        '  UNION ALL SELECT k.key FROM pgsim._batch AS t CROSS JOIN LATERAL unnest(t.keys) AS k (key) WHERE t.version_id = $1), '
        'missing AS MATERIALIZED (SELECT array_agg(m.pgsim_key) AS keys FROM ('
        '  SELECT %1$s AS pgsim_key FROM %2$s AS b %5$s WHERE %3$s AND %4$s IS NOT NULL '
        '  AND NOT EXISTS (SELECT FROM known AS o WHERE o.key OPERATOR(pg_catalog.=) (%1$s)) '
        '  AND NOT EXISTS (SELECT FROM pgsim._poison AS p WHERE p.version_id = $1 AND p.key OPERATOR(pg_catalog.=) (%1$s) AND coalesce(p.source_hash OPERATOR(pg_catalog.=) pgsim._source_hash(%4$s), false)) '
        '  %6$s) AS m), '
        'added AS (INSERT INTO pgsim._queue (version_id, operation, keys, place) '
        '  SELECT $1, ''upsert'', m.keys[i : i + 1999], 1 FROM missing AS m, generate_series(1, cardinality(m.keys), 2000) AS i ORDER BY i '
        '  RETURNING cardinality(keys) AS added) '
        'SELECT coalesce(sum(added), 0) FROM added',
        key_sql, t.base_sql,
        -- A vector stored without a hash has not been made from a text, as far as is known, and counts as right.
        CASE WHEN t.adopted THEN format('b.%I IS NULL', t.column_name)
             ELSE format('NOT EXISTS (SELECT FROM %s AS v WHERE %s AND coalesce(v.source_hash OPERATOR(pg_catalog.=) pgsim._source_hash(%s), true))',
                         t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true), source_sql) END,
        source_sql, hits, sorted)
    INTO missing USING t.version_id;
    RETURN missing;
END
$$;
COMMENT ON FUNCTION pgsim._enqueue_missing IS 'pgsim.enqueue_missing, which gives it the caller''s search_path: order_by is SQL of the caller''s.';
