CREATE FUNCTION pgsim._noted_rows(t pgsim._target, OUT missing bigint, OUT waiting bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
-- Nothing is known of how many there are, and a plan for many rows would read the whole base table.
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    source text := pgsim._source_text('b.', t.source_columns);
BEGIN
    -- What is queued may have been settled since, by vectors that came another way. Of what is set aside, it is known that its text of now has none.
    EXECUTE format(
        'SELECT count(*) FILTER (WHERE %1$s), count(*) FILTER (WHERE n.changed AND %2$s) FROM ('
        '  SELECT k.given, bool_or(k.changed) AS changed FROM ('
        '    SELECT unnest(q.keys), q.operation = ''upsert'' FROM pgsim._queue AS q WHERE q.version_id = $1 AND q.operation <> ''delete'' '
        '    UNION ALL SELECT unnest(o.keys), true FROM pgsim._batch AS o WHERE o.version_id = $1 '
        '    UNION ALL SELECT p.key, false FROM pgsim._poison AS p WHERE p.version_id = $1) AS k (given, changed) GROUP BY 1 OFFSET 0) AS n '
        'CROSS JOIN LATERAL (SELECT %3$s OFFSET 0) AS i JOIN %4$s AS b ON %5$s %6$s WHERE %7$s IS NOT NULL',
        CASE WHEN t.adopted THEN format('b.%I IS NULL', t.column_name) ELSE 'v.embedding IS NULL' END,
        CASE WHEN t.adopted THEN format('b.%I IS NULL', t.column_name) ELSE format('v.source_hash IS DISTINCT FROM pgsim._source_hash(%s)', source) END,
        pgsim._key_parse(t.base, 'n.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
        CASE WHEN t.adopted THEN '' ELSE format('LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END, source)
    INTO missing, waiting USING t.version_id;
END
$$;
COMMENT ON FUNCTION pgsim._noted_rows IS
    'Of the rows that are queued for a version, with a worker or set aside: how many have no vector, and how many wait for one of their text of now.';
