CREATE FUNCTION pgsim.finish_batch(batch bigint, failed jsonb = NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    taken pgsim._batch;
    t pgsim._target;
    put_back text[];
    stranger text;
BEGIN
    PERFORM pgsim._require_registrar();
    IF jsonb_typeof(failed) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('failed is a JSON %s; it is an object of keys and what is wrong with their rows', jsonb_typeof(failed)), HINT = '{"17": "too long"}';
    END IF;
    SELECT * INTO taken FROM pgsim._batch AS b WHERE b.id = batch FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS045', MESSAGE = format('batch %s is not lent to anybody: it was finished, or its lease ended', coalesce(batch::text, 'NULL')),
            HINT = 'What of it was not stored is in the queue again: take the next batch, with a longer lease if need be.';
    END IF;
    t := pgsim._version_target(taken.version_id);
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    SELECT f.key INTO stranger FROM jsonb_object_keys(failed) AS f (key) WHERE f.key <> ALL (taken.keys) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('failed names key %L, which is not in batch %s', left(stranger, 200), batch), HINT = 'Give keys as pgsim.next_batch returned them with this batch.';
    END IF;
    -- Those that had been set aside for another text are not any more.
    DELETE FROM pgsim._poison AS p USING unnest(taken.keys, taken.hashes) AS x (key, hash)
    WHERE p.version_id = taken.version_id AND p.key = x.key AND p.source_hash <> x.hash;
    PERFORM pgsim._set_aside(taken.version_id, x.key, x.hash, failed ->> x.key) FROM unnest(taken.keys, taken.hashes) AS x (key, hash) WHERE failed ? x.key;
    -- A second look, after what this transaction stored: whatever changed before it is seen here, and whatever changes after it is captured.
    EXECUTE format(
        'SELECT array_agg(i.given) FROM (SELECT %1$s, k.given FROM unnest($1) AS k (given)) AS i JOIN %2$s AS b ON %3$s %4$s '
        'WHERE %5$s IS NOT NULL AND %6$s AND NOT EXISTS (SELECT FROM pgsim._poison AS p WHERE p.version_id = $2 AND p.key = i.given AND p.source_hash = pgsim._source_hash(%5$s))',
        pgsim._key_parse(t.base, 'k.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
        CASE WHEN t.adopted THEN '' ELSE format('LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END,
        pgsim._source_text('b.', t.source_columns),
        -- A column tells nothing of the text its vector was made from. What is seen of a transaction that is under way is this one's own.
        CASE WHEN t.adopted THEN format('(b.%I IS NULL OR CASE WHEN age(b.xmin) > 0 THEN true ELSE pg_xact_status((pg_current_xact_id()::text::bigint - age(b.xmin))::text::xid8) <> ''in progress'' END)', t.column_name) ELSE format('v.source_hash IS DISTINCT FROM pgsim._source_hash(%s)', pgsim._source_text('b.', t.source_columns)) END)
    INTO put_back USING taken.keys, taken.version_id;
    IF put_back IS NOT NULL THEN
        INSERT INTO pgsim._queue (version_id, operation, keys) VALUES (taken.version_id, 'upsert', put_back);
    END IF;
    DELETE FROM pgsim._batch AS b WHERE b.id = batch;
    IF taken.worker_id IS NULL THEN
        INSERT INTO pgsim._backfill AS f (version_id, done) VALUES (taken.version_id, cardinality(taken.keys) - coalesce(cardinality(put_back), 0))
        ON CONFLICT ON CONSTRAINT _backfill_pkey DO UPDATE SET done = f.done + excluded.done;
    END IF;
    RETURN coalesce(cardinality(put_back), 0);
END
$$;
COMMENT ON FUNCTION pgsim.finish_batch IS
$$Says that a batch of pgsim.next_batch is done, and returns how many of its rows had to go back into the queue: not stored, or changed since.

Call it in the transaction that stores the vectors: of an adopted column only what that has stored counts as done. failed: rows that cannot be embedded, as {"key": "what is wrong"}: they are set aside
(pgsim.poison_rows) until their text changes, or pgsim.retry_poison. Errors: PS004 to PS006, PS010, PS032, PS045.$$;
