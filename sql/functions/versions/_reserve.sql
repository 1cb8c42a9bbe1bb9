CREATE FUNCTION pgsim._reserve(worker int, batch bigint, rows int, tokens bigint, lease interval, OUT verdict text, OUT wait float8)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f pgsim._backfill;
    cost numeric;
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    pace float8;
BEGIN
    SELECT b.* INTO f FROM pgsim._backfill AS b JOIN pgsim._worker AS w ON w.version_id = b.version_id WHERE w.id = worker;
    IF NOT FOUND THEN
        verdict := 'gone';
        RETURN;
    ELSIF f.paused_at IS NOT NULL THEN
        verdict := 'paused';
        RETURN;
    END IF;
    cost := coalesce(tokens * f.price / 1000, 0);
    IF tokens > f.tokens_a_day OR cost > f.money_a_day THEN
        RAISE EXCEPTION USING ERRCODE = 'PS046',
            MESSAGE = format('a call of %s tokens (%s of money) does not fit into the budget of a whole day: %s', tokens, round(cost, 6),
                             concat_ws(', ', f.calls_a_day || ' calls', f.tokens_a_day || ' tokens', f.money_a_day || ' of money')),
            HINT = 'Allow more a day (pgsim.limit_backfill), or take fewer rows or tokens in one call.';
    END IF;
    INSERT INTO pgsim._spending AS s (version_id, day, calls, tokens, money) VALUES (f.version_id, today, 1, _reserve.tokens, cost)
    ON CONFLICT ON CONSTRAINT _spending_pkey DO UPDATE SET calls = s.calls + 1, tokens = s.tokens + excluded.tokens, money = s.money + excluded.money
        WHERE s.calls < coalesce(f.calls_a_day, s.calls + 1) AND s.tokens + excluded.tokens <= coalesce(f.tokens_a_day, s.tokens + excluded.tokens)
          AND s.money + excluded.money <= coalesce(f.money_a_day, s.money + excluded.money);
    IF NOT FOUND THEN
        verdict := 'spent';
        RETURN;
    END IF;
    pace := greatest(1 / f.calls_a_second, _reserve.rows / f.rows_a_second);
    IF pace IS NOT NULL THEN
        UPDATE pgsim._backfill AS b SET next_at = greatest(b.next_at, clock_timestamp()) + make_interval(secs => pace)
        WHERE b.version_id = f.version_id RETURNING greatest(extract(epoch FROM b.next_at - clock_timestamp()) - pace, 0) INTO wait;
    END IF;
    UPDATE pgsim._batch AS b SET expires_at = clock_timestamp() + lease + make_interval(secs => coalesce(wait, 0)) WHERE b.id = batch;
    verdict := 'go';
END
$$;
COMMENT ON FUNCTION pgsim._reserve IS
    'Asks whether a worker may call its embedder: go, after wait seconds; paused; spent, when the day''s budget is; gone, when its version is. What it says go to is spent, whatever becomes of the call.';
