CREATE FUNCTION pgsim._waiting_rows(t pgsim._target, most int) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    waiting bigint;
BEGIN
    IF t.source_columns = '{}' OR NOT EXISTS (SELECT FROM pgsim._queue AS q WHERE q.version_id = t.version_id AND q.operation = 'upsert') AND NOT EXISTS (SELECT FROM pgsim._batch AS o WHERE o.version_id = t.version_id) THEN
        RETURN 0;
    END IF;
    -- What is queued may have been settled since, by vectors that came another way.
    EXECUTE format(
        'SELECT count(*) FROM (SELECT FROM (SELECT unnest(q.keys) FROM pgsim._queue AS q WHERE q.version_id = $1 AND q.operation = ''upsert'' UNION SELECT unnest(o.keys) FROM pgsim._batch AS o WHERE o.version_id = $1) AS n (given) '
        'CROSS JOIN LATERAL (SELECT %s OFFSET 0) AS i JOIN %s AS b ON %s %s LIMIT %s) AS w',
        pgsim._key_parse(t.base, 'n.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
        CASE WHEN t.adopted THEN format('WHERE b.%I IS NULL AND %s IS NOT NULL', t.column_name, pgsim._source_text('b.', t.source_columns))
             ELSE format('LEFT JOIN %s AS v ON %s WHERE %s IS NOT NULL AND v.source_hash IS DISTINCT FROM pgsim._source_hash(%3$s)',
                         t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true), pgsim._source_text('b.', t.source_columns)) END,
        most)
    INTO waiting USING t.version_id;
    RETURN waiting;
END
$$;
COMMENT ON FUNCTION pgsim._waiting_rows IS
    'How many of the rows that are queued for a version, or with a worker, really wait for a vector (those settled otherwise do not count), up to so many. Of an adopted column: those that are NULL.';
