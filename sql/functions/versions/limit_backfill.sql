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
    IF t.follows IS NOT NULL THEN
        t := pgsim._followed(t);
    END IF;
    FOR given IN
        -- Below the least rate, and above such amounts, a time or a sum is more than its type holds.
        SELECT * FROM (VALUES ('calls_a_second', calls_a_second::numeric, 0.000001), ('rows_a_second', rows_a_second::numeric, 0.000001), ('calls_a_day', calls_a_day, 0), ('tokens_a_day', tokens_a_day, 0),
                              ('money_a_day', money_a_day, 0), ('price', price, 0)) AS g (name, number, least)
        WHERE NOT (g.number > 0 AND g.number >= g.least AND g.number < 1e1000)
    LOOP
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is %s; a limit is a finite number above 0%s', given.name, left(given.number::text, 80), CASE WHEN given.least > 0 THEN ', at least ' || given.least ELSE '' END),
            HINT = 'NULL is no limit; pgsim.pause_backfill holds all workers.';
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
what it began. price: of 1000 tokens. Limits that stood before are replaced, also by NULL. model NULL: the active version; a derived one: the version that it follows.
Errors: PS001 to PS004, PS006, PS010, PS032.$$;
