CREATE FUNCTION pgsim.next_batch(collection text, model text = NULL, embedding text = 'default', size int = 64)
RETURNS TABLE (key text, source text, source_hash bytea)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    entry record;
    claimed text[];
    removed text[];
    last_id bigint;
    given int;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        RETURN QUERY SELECT * FROM pgsim.next_batch(collection, (pgsim._followed(t)).model, embedding, size);
        RETURN;
    END IF;
    PERFORM pgsim._require_all_rows(t);
    IF size IS NULL OR size NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('size is %s; a batch has 1 to 10000 rows', coalesce(size::text, 'NULL')), HINT = 'Take what the embedder takes in one call.';
    END IF;
    IF t.source_columns = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('embedding %L of collection %L has no source columns, so nothing can be embedded for it', embedding, collection),
            HINT = 'Its vectors come through pgsim.upsert; or declare another embedding with source columns.';
    END IF;
    LOOP
        claimed := '{}';
        removed := '{}';
        last_id := 0;
        -- One entry at a time: a lock on more than is taken would keep other workers from it.
        WHILE cardinality(claimed) < size LOOP
            SELECT q.id, q.operation, q.keys INTO entry FROM pgsim._queue AS q
            WHERE q.version_id = t.version_id AND q.id > last_id ORDER BY q.id LIMIT 1 FOR UPDATE SKIP LOCKED;
            EXIT WHEN NOT FOUND;
            last_id := entry.id;
            given := size - cardinality(claimed);
            IF entry.operation = 'delete' THEN
                removed := removed || entry.keys;
            ELSE
                claimed := claimed || entry.keys[1 : given];
            END IF;
            IF entry.operation = 'upsert' AND given < cardinality(entry.keys) THEN
                UPDATE pgsim._queue AS q SET keys = entry.keys[given + 1 :] WHERE q.id = entry.id;
            ELSE
                DELETE FROM pgsim._queue AS q WHERE q.id = entry.id;
            END IF;
        END LOOP;
        EXIT WHEN claimed = '{}' AND removed = '{}';
        PERFORM pgsim._forget_vectors(t, claimed || removed);
        RETURN QUERY EXECUTE format(
            'SELECT s.key, s.source, pgsim._source_hash(s.source) FROM ('
            '  SELECT i.given AS key, %1$s AS source, %2$s AS old_hash '
            '  FROM (SELECT %3$s, k.given FROM (SELECT DISTINCT u FROM unnest($1) AS u) AS k (given)) AS i JOIN %4$s AS b ON %5$s %6$s) AS s '
            'WHERE s.source IS NOT NULL AND s.old_hash IS DISTINCT FROM pgsim._source_hash(s.source)',
            pgsim._source_text('b.', t.source_columns), CASE WHEN t.adopted THEN 'NULL::bytea' ELSE 'v.source_hash' END,
            pgsim._key_parse(t.base, 'k.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
            CASE WHEN t.adopted THEN '' ELSE format('LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END)
        USING claimed;
        EXIT WHEN FOUND;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim.next_batch IS
$$Takes up to size rows that wait to be embedded out of the queue, and returns their keys, texts and the texts' hashes.

Embed the texts and store them with pgsim.upsert(..., source_hashes => ..., skip_absent => true) in the same transaction: when it
commits the rows are done, and when anything fails they are in the queue again. Workers do not meet: what one has taken, others
pass over. Rows whose text is what their vector was made from, whose text is gone, or that were deleted are settled here.
No rows: nothing is left that another worker has not taken. model NULL: the active version.
Errors: PS001 to PS004, PS010, PS032, PS035.$$;
