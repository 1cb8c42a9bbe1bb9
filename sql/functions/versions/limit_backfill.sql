CREATE FUNCTION pgsim.limit_backfill(
    collection text, model text = NULL, embedding text = 'default', calls_a_second float8 = NULL, rows_a_second float8 = NULL,
    calls_a_day bigint = NULL, tokens_a_day bigint = NULL, money_a_day numeric = NULL, price numeric = NULL
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    given record;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    FOR given IN
        SELECT * FROM (VALUES ('calls_a_second', calls_a_second), ('rows_a_second', rows_a_second), ('calls_a_day', calls_a_day::float8), ('tokens_a_day', tokens_a_day::float8),
                              ('money_a_day', money_a_day::float8), ('price', price::float8)) AS g (name, number)
        WHERE NOT (g.number > 0 AND g.number < 'infinity')
    LOOP
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is %s; a limit is a finite number above 0', given.name, given.number), HINT = 'NULL is no limit; pgsim.pause_backfill holds all workers.';
    END LOOP;
    IF money_a_day IS NOT NULL AND price IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'money_a_day is given, and no price', HINT = 'price is that of 1000 tokens, in the same money.';
    END IF;
    INSERT INTO pgsim._backfill AS f (version_id, calls_a_second, rows_a_second, calls_a_day, tokens_a_day, money_a_day, price)
    VALUES (t.version_id, limit_backfill.calls_a_second, limit_backfill.rows_a_second, limit_backfill.calls_a_day, limit_backfill.tokens_a_day, limit_backfill.money_a_day, limit_backfill.price)
    ON CONFLICT (version_id) DO UPDATE SET calls_a_second = excluded.calls_a_second, rows_a_second = excluded.rows_a_second, calls_a_day = excluded.calls_a_day,
        tokens_a_day = excluded.tokens_a_day, money_a_day = excluded.money_a_day, price = excluded.price, next_at = '-infinity';
END
$$;
COMMENT ON FUNCTION pgsim.limit_backfill IS
$$Sets how fast the workers of a version may go, all of them together, and what they may spend on a day (UTC); what is NULL has no limit.

calls_a_second, rows_a_second: of the embedder. calls_a_day, tokens_a_day, money_a_day: noted before each call, so that a crash spends
what it began. price: of 1000 tokens. Limits that stood before are replaced, also by NULL. model NULL: the active version.
Errors: PS001 to PS004, PS006, PS010, PS032.$$;
