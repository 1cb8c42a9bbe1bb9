CREATE FUNCTION pgsim._capture() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
SET intervalstyle = 'postgres'
SET extra_float_digits = 1
AS $$
DECLARE
    live record;
    key_sql text;
    stale_sql text;
    watched text[];
    key text;
    stale boolean;
    unseen boolean := false;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- A version that was made, or taken up again, after this transaction's snapshot is not seen here.
        unseen := (SELECT s.last_value > (SELECT coalesce(max(v.id), 0) FROM pgsim._version AS v) FROM pgsim._version_id_seq AS s WHERE s.is_called)
               OR EXISTS (SELECT FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id WHERE e.collection_id = TG_ARGV[0]::int AND v.state = 'retired');
    END IF;
    FOR live IN
        SELECT v.id, v.column_name, v.adopted, e.source_columns, c.relation, c.key_columns,
               -- A virtual column has no value here, and a renamed one is not found by its old name.
               ARRAY(SELECT a.attname::text FROM pg_attribute AS a
                     WHERE a.attrelid = c.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v') AS readable
        FROM pgsim._version AS v
        JOIN pgsim._embedding AS e ON e.id = v.embedding_id
        JOIN pgsim._collection AS c ON c.id = e.collection_id
        WHERE c.id = TG_ARGV[0]::int AND v.state <> 'retired' AND v.follows IS NULL AND e.source_columns <> '{}'
    LOOP
        IF NOT live.key_columns <@ live.readable OR live.adopted AND live.column_name <> ALL (live.readable) THEN
            RAISE WARNING USING MESSAGE = format('pgsim does not see changes of %s: a column of its key or of its vectors was renamed or dropped', live.relation),
                HINT = 'Run SELECT * FROM pgsim.check().';
            unseen := true;
            CONTINUE;
        END IF;
        key_sql := coalesce(key_sql, pgsim._key_text(live.relation, CASE TG_OP WHEN 'UPDATE' THEN '($2).' ELSE 'r.' END, live.key_columns));
        IF TG_OP = 'UPDATE' THEN
            -- Something that is watched has changed, says the trigger's condition. Where versions watch different columns, does it concern this one?
            stale_sql := 'true';
            watched := live.source_columns || live.key_columns;
            IF NOT watched @> TG_ARGV[1]::text[] AND live.source_columns <@ live.readable THEN
                SELECT format('record_image_ne(ROW(%s), ROW(%s))', string_agg(format('($1).%I', w), ', '), string_agg(format('($2).%I', w), ', '))
                INTO stale_sql FROM unnest(watched) AS w;
            END IF;
            -- An adopted column is the application's: a row whose vector came with the change is not stale.
            IF live.adopted THEN
                stale_sql := format('%1$s AND NOT record_image_ne(ROW(($1).%2$I), ROW(($2).%2$I))', stale_sql, live.column_name);
            END IF;
            EXECUTE format('SELECT %s, %s', key_sql, stale_sql) INTO key, stale USING OLD, NEW;
            IF stale THEN
                INSERT INTO pgsim._queue (version_id, operation, keys) VALUES (live.id, 'upsert', ARRAY[key]);
            END IF;
        ELSE
            EXECUTE format(
                'INSERT INTO pgsim._queue (version_id, operation, keys) '
                'SELECT $1, $2, s.keys[i : i + 1999] '
                'FROM (SELECT array_agg(%s) AS keys FROM pgsim_rows AS r %s) AS s, generate_series(1, cardinality(s.keys), 2000) AS i',
                key_sql, CASE WHEN TG_OP = 'INSERT' AND live.adopted THEN format('WHERE r.%I IS NULL', live.column_name) ELSE '' END)
            USING live.id, CASE TG_OP WHEN 'INSERT' THEN 'upsert' ELSE 'delete' END;
        END IF;
    END LOOP;
    IF unseen THEN
        -- Whoever asks next whether rows lack vectors has to compare the tables.
        INSERT INTO pgsim._queue (version_id, operation, keys) VALUES (-TG_ARGV[0]::int, 'removed', '{}');
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION pgsim._capture IS
    'Trigger: notes in the queue which rows of a base table need a vector. It only appends, so that no writer waits for a worker, and runs as its owner, so that writers need no right on the queue.';
REVOKE ALL ON FUNCTION pgsim._capture FROM PUBLIC;
