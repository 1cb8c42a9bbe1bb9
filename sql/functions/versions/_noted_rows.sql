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
    IF t.follows IS NOT NULL THEN
        -- What it follows is embedded, and mapped on the way.
        missing := 0;
        waiting := (pgsim._noted_rows(pgsim._followed(t))).waiting;
        RETURN;
    END IF;
    PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    -- What is queued may have been settled since, by vectors that came another way; a column does not tell, so of one every change of a text counts.
    EXECUTE format(
        'SELECT count(*) FILTER (WHERE %1$s), count(*) FILTER (WHERE n.changed AND %2$s) FROM ('
        '  SELECT k.given, bool_or(k.changed) AS changed, bool_or(k.changed AND k.hash IS NULL) AS queued, array_agg(k.hash) AS hashes FROM ('
        '    SELECT unnest(q.keys), q.operation = ''upsert'', NULL::bytea FROM pgsim._queue AS q WHERE q.version_id = $1 AND q.operation <> ''delete'' '
        '    UNION ALL SELECT x.key, true, x.hash FROM pgsim._batch AS o CROSS JOIN LATERAL unnest(o.keys, o.hashes) AS x (key, hash) WHERE o.version_id = $1 '
        '    UNION ALL SELECT p.key, true, p.source_hash FROM pgsim._poison AS p WHERE p.version_id = $1) AS k (given, changed, hash) GROUP BY 1 OFFSET 0) AS n '
        'CROSS JOIN LATERAL (SELECT %3$s OFFSET 0) AS i JOIN %4$s AS b ON %5$s %6$s WHERE %7$s IS NOT NULL',
        CASE WHEN t.adopted THEN format('b.%I IS NULL', t.column_name) ELSE 'v.embedding IS NULL' END,
        CASE WHEN t.adopted THEN format('(b.%I IS NULL OR n.queued OR pgsim._source_hash(%s) = ANY (n.hashes))', t.column_name, source) ELSE format('v.source_hash IS DISTINCT FROM pgsim._source_hash(%s)', source) END,
        pgsim._key_parse(t.base, 'n.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
        CASE WHEN t.adopted THEN '' ELSE format('LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END, source)
    INTO missing, waiting USING t.version_id;
END
$$;
COMMENT ON FUNCTION pgsim._noted_rows IS
    'Of the rows that are queued for a version, with a worker or set aside: how many have no vector, and how many wait for one of their text of now. Of a derived version those of the one that it follows.';
