CREATE FUNCTION pgsim._take_batch(t pgsim._target, size int, lease interval, worker int) RETURNS TABLE (key text, source text, source_hash bytea, batch bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry record;
    claimed text[];
    removed text[];
    last_place smallint;
    last_id bigint;
    given int;
    found_keys text[];
    sources text[];
    hashes bytea[];
    batch_id bigint;
BEGIN
    PERFORM pgsim._reclaim(t.version_id, worker);
    IF EXISTS (SELECT FROM pgsim._backfill AS f WHERE f.version_id = t.version_id AND f.paused_at IS NOT NULL) THEN
        RETURN;
    END IF;
    IF worker IS NOT NULL THEN
        PERFORM pgsim._take_turn(t.version_id);
    END IF;
    LOOP
        claimed := '{}';
        removed := '{}';
        last_place := -1;
        last_id := 0;
        -- One entry at a time: a lock on more than is taken would keep other workers from it.
        WHILE cardinality(claimed) < size LOOP
            SELECT q.id, q.place, q.operation, q.keys INTO entry FROM pgsim._queue AS q
            WHERE q.version_id = t.version_id AND (q.place, q.id) > (last_place, last_id) ORDER BY q.place, q.id LIMIT 1 FOR UPDATE SKIP LOCKED;
            EXIT WHEN NOT FOUND;
            last_place := entry.place;
            last_id := entry.id;
            given := size - cardinality(claimed);
            IF entry.operation = 'delete' THEN
                removed := removed || entry.keys;
            ELSIF entry.operation = 'removed' THEN
                -- A vector that went by hand; its row is embedded again, unless it has another one by now.
                SELECT claimed || coalesce(array_agg(k.key), '{}') INTO claimed
                FROM unnest(entry.keys[1 : given], pgsim._have_vectors(t, entry.keys[1 : given])) AS k (key, has_vector) WHERE NOT k.has_vector;
            ELSE
                claimed := claimed || entry.keys[1 : given];
            END IF;
            IF entry.operation <> 'delete' AND given < cardinality(entry.keys) THEN
                UPDATE pgsim._queue AS q SET keys = entry.keys[given + 1 :] WHERE q.id = entry.id;
            ELSE
                DELETE FROM pgsim._queue AS q WHERE q.id = entry.id;
            END IF;
        END LOOP;
        EXIT WHEN last_id = 0;
        PERFORM pgsim._forget_vectors(t, claimed || removed);
        DELETE FROM pgsim._poison AS p WHERE p.version_id = t.version_id AND p.key = ANY (removed);
        -- What another worker embeds now, from the same text, comes back into the queue when that one does not store it.
        EXECUTE format(
            'WITH read AS MATERIALIZED ('
            '  SELECT i.given AS key, i.n, %1$s AS source, %2$s AS old_hash '
            '  FROM (SELECT %3$s, k.given, k.n FROM (SELECT u.given, min(u.n) AS n FROM unnest($1) WITH ORDINALITY AS u (given, n) GROUP BY 1) AS k) AS i JOIN %4$s AS b ON %5$s %6$s), '
            'hashed AS MATERIALIZED (SELECT r.*, pgsim._source_hash(r.source) AS source_hash FROM read AS r WHERE r.source IS NOT NULL), '
            'stale AS (SELECT s.key, s.source, s.source_hash FROM hashed AS s WHERE s.old_hash IS DISTINCT FROM s.source_hash '
            '  AND NOT EXISTS (SELECT FROM pgsim._poison AS p WHERE p.version_id = $2 AND p.key = s.key AND p.source_hash = s.source_hash) '
            '  AND NOT EXISTS (SELECT FROM pgsim._batch AS o CROSS JOIN LATERAL unnest(o.keys, o.hashes) AS x (key, hash) WHERE o.version_id = $2 AND x.key = s.key AND x.hash = s.source_hash) '
            '  ORDER BY s.n) '
            'SELECT array_agg(s.key), array_agg(s.source), array_agg(s.source_hash) FROM stale AS s',
            pgsim._source_text('b.', t.source_columns), CASE WHEN t.adopted THEN 'NULL::bytea' ELSE 'v.source_hash' END,
            pgsim._key_parse(t.base, 'k.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
            CASE WHEN t.adopted THEN '' ELSE format('LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END)
        INTO found_keys, sources, hashes USING claimed, t.version_id;
        IF found_keys IS NOT NULL THEN
            INSERT INTO pgsim._batch AS n (version_id, worker_id, keys, hashes, expires_at)
            VALUES (t.version_id, worker, found_keys, hashes, clock_timestamp() + lease) RETURNING n.id INTO batch_id;
            RETURN QUERY SELECT x.key, x.source, x.hash, batch_id FROM unnest(found_keys, sources, hashes) AS x (key, source, hash);
            RETURN;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._take_batch IS 'Takes rows out of a version''s queue into a batch, which comes back when its worker dies or its lease ends. worker NULL: one that pgsim does not know.';
