CREATE FUNCTION pgsim.set_gate(collection text, name text, minimum float8, embedding text = 'default', max_age interval = '7 days') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_embedding int := pgsim._lock_embedding(collection, embedding);
BEGIN
    PERFORM pgsim._check_name('gate', name);
    IF minimum IN ('NaN', 'Infinity', '-Infinity') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('minimum is %s; it is a finite number', minimum), HINT = 'Give what has to be measured at least; NULL takes the gate away.';
    END IF;
    IF max_age IS NULL OR max_age <= '0' OR max_age > '1000 years' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('max_age is %s; it is a time span above 0, and at most 1000 years', coalesce(max_age::text, 'NULL')), HINT = 'The default is 7 days.';
    END IF;
    IF minimum IS NULL THEN
        DELETE FROM pgsim._gate AS g WHERE g.embedding_id = of_embedding AND g.name = set_gate.name;
        RETURN;
    END IF;
    INSERT INTO pgsim._gate AS g (embedding_id, name, minimum, max_age) VALUES (of_embedding, set_gate.name, set_gate.minimum, set_gate.max_age)
    ON CONFLICT ON CONSTRAINT _gate_pkey DO UPDATE SET minimum = excluded.minimum, max_age = excluded.max_age;
END
$$;
COMMENT ON FUNCTION pgsim.set_gate IS
$$Asks of every version of an embedding that it reached a quality before it is activated: the last value recorded under that name, not older than max_age.

name: recall and mrr are measured by pgsim.measure_quality; any other is recorded by pgsim.record_quality. minimum: NULL takes the gate away.
Errors: PS001, PS003, PS006, PS010, PS011, PS032.$$;
