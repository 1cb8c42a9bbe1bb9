CREATE FUNCTION pgsim.fill_version(collection text, model text, embedding text = 'default', size int = 1000, after text = NULL, OUT filled bigint, OUT last_key text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    b pgsim._target;
    keys text[];
BEGIN
    PERFORM pgsim._require_registrar();
    IF model IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS002', MESSAGE = 'model is NULL', HINT = 'Name the derived model whose version is to be filled.';
    END IF;
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._require_all_rows(t);
    b := pgsim._followed(t);
    IF size IS NULL OR size NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('size is %s; a batch has 1 to 100000 rows', coalesce(size::text, 'NULL')), HINT = 'Who changes a row of the batch waits until it ends: 1000 take a tenth of a second or less.';
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('in a %s transaction rows would be mapped as they were when it began', current_setting('transaction_isolation')),
            HINT = 'Fill in a READ COMMITTED transaction.';
    END IF;
    IF after IS NOT NULL THEN
        PERFORM pgsim._check_keys(t.base, t.key_columns, ARRAY[after]);
    END IF;
    EXECUTE pgsim._unmapped_statement(t, b, after IS NOT NULL, 'SKIP LOCKED') INTO keys USING size, after;
    IF keys IS NULL THEN
        -- None, or others hold those that there are: one is waited for, while nothing that anybody waits for is held.
        EXECUTE pgsim._unmapped_statement(t, b, after IS NOT NULL, '') INTO keys USING 1, after;
    END IF;
    filled := 0;
    IF keys IS NOT NULL THEN
        last_key := keys[cardinality(keys)];
        filled := pgsim._map_rows(t, b, keys);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim.fill_version IS
$$Maps up to size rows that a derived version lacks, in the order of their keys, and returns how many it stored (filled) and the last it looked at.

Give last_key as after to the next call, in a transaction of its own; when it is NULL the end is reached. A call from the start
that fills none says that nothing is missing. It may be stopped at any moment, and readers never wait for it; who writes a row of the batch waits for the batch.
Rows whose image a vector cannot hold (all zeros under cosine) have none. Errors: PS001 to PS006, PS010, PS016, PS032, PS035.$$;
