CREATE FUNCTION pgsim._store_batch(batch bigint, worker int, lease interval, OUT stored bigint, OUT refused bigint, OUT busy text[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- Nothing is known of the temporary table, and a plan for many rows would read the whole base table.
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
-- Of two that wait for each other it is the worker who gives way, before PostgreSQL looks whom to refuse (deadlock_timeout).
SET lock_timeout = '100ms'
AS $$
DECLARE
    t pgsim._target;
    of_version int;
    bad record;
    offered text[];
    free text[];
BEGIN
    -- A batch that is locked is taken back by nobody. One that is gone is another worker's by now, and nothing of it is stored.
    UPDATE pgsim._batch AS b SET expires_at = clock_timestamp() + lease WHERE b.id = batch RETURNING b.version_id INTO of_version;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    t := pgsim._version_target(of_version);
    refused := 0;
    FOR bad IN EXECUTE 'DELETE FROM pg_temp.pgsim_vectors AS i WHERE pgsim._vector_problem(i.embedding, $1, $2, $3) IS NOT NULL '
                       'RETURNING i.key, i.source_hash, pgsim._vector_problem(i.embedding, $1, $2, $3) AS problem' USING t.dim, t.metric, t.element LOOP
        PERFORM pgsim._set_aside(of_version, bad.key, bad.source_hash, 'its vector ' || bad.problem);
        refused := refused + 1;
    END LOOP;
    EXECUTE 'SELECT coalesce(array_agg(k.key), ''{}'') FROM pg_temp.pgsim_vectors AS k' INTO offered;
    busy := '{}';
    BEGIN
        IF t.adopted THEN
            -- Rows that somebody is writing are passed over, so that no writer and no worker waits for the other: they come again.
            EXECUTE format(
                'WITH offered AS (SELECT %1$s, k.key AS given, k.source_hash, k.embedding FROM pg_temp.pgsim_vectors AS k), '
                'free AS (SELECT i.given, i.embedding, %2$s FROM offered AS i JOIN %3$s AS b ON %4$s WHERE pgsim._source_hash(%5$s) = i.source_hash FOR NO KEY UPDATE OF b SKIP LOCKED), '
                'stored AS (UPDATE %3$s AS b SET %6$I = i.embedding::%7$s.%8$I FROM free AS i WHERE %9$s RETURNING i.given), '
                'again AS (INSERT INTO pgsim._queue (version_id, operation, keys) SELECT $1, ''upsert'', array_agg(i.given) FROM offered AS i JOIN %3$s AS b ON %4$s '
                '  WHERE pgsim._source_hash(%5$s) = i.source_hash AND NOT EXISTS (SELECT FROM stored AS s WHERE s.given = i.given) HAVING count(*) > 0) '
                'SELECT count(*) FROM stored',
                pgsim._key_parse(t.base, 'k.key', t.key_columns, true), pgsim._key_list('b.', t.key_columns, false), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
                pgsim._source_text('b.', t.source_columns), t.column_name, t.vector_schema, t.element, pgsim._key_join('b.', 'i.', t.key_columns, false))
            INTO stored USING of_version;
            -- What is stored or queued again is the batch's no more: a column tells nothing of the text its vector was made from.
            DELETE FROM pgsim._poison AS p USING pg_temp.pgsim_vectors AS i WHERE p.version_id = of_version AND p.key = i.key AND p.source_hash <> i.source_hash;
            UPDATE pgsim._batch AS b
            SET (keys, hashes) = (SELECT coalesce(array_agg(x.key), '{}'), coalesce(array_agg(x.hash), '{}') FROM unnest(b.keys, b.hashes) AS x (key, hash)
                                  WHERE NOT EXISTS (SELECT FROM pg_temp.pgsim_vectors AS i WHERE i.key = x.key))
            WHERE b.id = batch;
        ELSE
            -- Nothing below waits for a writer of rows: who is passed over comes again.
            free := pgsim._lock_codes(of_version, offered);
            busy := ARRAY(SELECT unnest(offered) EXCEPT SELECT unnest(free));
            EXECUTE format(
                'INSERT INTO %1$s AS v (%2$s, embedding, provisional, source_hash, embedded_at) '
                'SELECT %3$s, i.embedding::%4$s.%5$I, false, i.source_hash, now() '
                'FROM (SELECT %6$s, k.source_hash, k.embedding FROM pg_temp.pgsim_vectors AS k WHERE k.key = ANY ($1)) AS i JOIN %7$s AS b ON %8$s '
                'WHERE pgsim._source_hash(%9$s) = i.source_hash ORDER BY %3$s FOR KEY SHARE OF b SKIP LOCKED '
                'ON CONFLICT (%2$s) DO UPDATE SET embedding = excluded.embedding, provisional = excluded.provisional, '
                'source_hash = excluded.source_hash, embedded_at = excluded.embedded_at',
                t.version_sql, pgsim._key_list('', t.key_columns, true), pgsim._key_list('b.', t.key_columns, false), t.vector_schema, t.element,
                pgsim._key_parse(t.base, 'k.key', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
                pgsim._source_text('b.', t.source_columns)) USING free;
            GET DIAGNOSTICS stored = ROW_COUNT;
        END IF;
    EXCEPTION
        WHEN lock_not_available THEN
            stored := 0;
            busy := offered;
        WHEN insufficient_privilege THEN
            RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not store vectors of %s: %s', current_user, t.base_sql, SQLERRM),
                HINT = format('It takes SELECT, INSERT and UPDATE on %s (SELECT and UPDATE for an adopted column).', t.base_sql);
    END;
    UPDATE pgsim._worker AS w
    SET done = w.done + stored, stored_at = clock_timestamp(),
        -- Of the last half minute or so, by weights that fade.
        rate = coalesce(w.rate + (1 - exp(-s.since / 30)) * (stored / s.since - w.rate), stored / s.since)
    FROM (SELECT greatest(extract(epoch FROM clock_timestamp() - k.stored_at), 0.001)::float8 AS since FROM pgsim._worker AS k WHERE k.id = worker) AS s
    WHERE w.id = worker;
END
$$;
COMMENT ON FUNCTION pgsim._store_batch IS
    'Stores the vectors that a worker has copied, of rows whose text is still the one they were made from, and says how many; NULL when the batch is not the worker''s any more. refused: vectors that the model cannot have, whose rows are set aside. busy: rows that somebody else is writing.';
