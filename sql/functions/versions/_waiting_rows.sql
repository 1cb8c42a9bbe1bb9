CREATE FUNCTION pgsim._waiting_rows(t pgsim._target, most int) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    waiting bigint;
BEGIN
    IF t.follows IS NOT NULL THEN
        -- What it follows is embedded, and mapped on the way.
        RETURN pgsim._waiting_rows(pgsim._followed(t), most);
    END IF;
    IF t.source_columns = '{}' OR NOT EXISTS (SELECT FROM pgsim._queue AS q WHERE q.version_id = t.version_id AND q.operation = 'upsert'
                                              UNION ALL SELECT FROM pgsim._batch AS o WHERE o.version_id = t.version_id
                                              UNION ALL SELECT FROM pgsim._poison AS p WHERE p.version_id = t.version_id) THEN
        RETURN 0;
    END IF;
    PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    -- What is queued may have been settled since, by vectors that came another way; a column does not tell, so of one every change of a text counts.
    EXECUTE format(
        'SELECT count(*) FROM (SELECT FROM (SELECT k.given, bool_or(k.hash IS NULL) AS queued, array_agg(k.hash) AS hashes FROM ('
        '    SELECT unnest(q.keys), NULL::bytea FROM pgsim._queue AS q WHERE q.version_id = $1 AND q.operation = ''upsert'' '
        '    UNION ALL SELECT x.key, x.hash FROM pgsim._batch AS o CROSS JOIN LATERAL unnest(o.keys, o.hashes) AS x (key, hash) WHERE o.version_id = $1 '
        '    UNION ALL SELECT p.key, p.source_hash FROM pgsim._poison AS p WHERE p.version_id = $1) AS k (given, hash) GROUP BY 1) AS n '
        'CROSS JOIN LATERAL (SELECT %s OFFSET 0) AS i JOIN %s AS b ON %s %s LIMIT %s) AS w',
        pgsim._key_parse(t.base, 'n.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
        CASE WHEN t.adopted THEN format('WHERE (b.%1$I IS NULL OR n.queued OR pgsim._source_hash(%2$s) = ANY (n.hashes)) AND %2$s IS NOT NULL', t.column_name, pgsim._source_text('b.', t.source_columns))
             ELSE format('LEFT JOIN %s AS v ON %s WHERE %s IS NOT NULL AND v.source_hash IS DISTINCT FROM pgsim._source_hash(%3$s)',
                         t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true), pgsim._source_text('b.', t.source_columns)) END,
        most)
    INTO waiting USING t.version_id;
    RETURN waiting;
END
$$;
COMMENT ON FUNCTION pgsim._waiting_rows IS
    'How many of the rows that are queued for a version, with a worker or set aside really wait for a vector (those settled otherwise do not count), up to so many. Of a derived version those of the one that it follows.';
