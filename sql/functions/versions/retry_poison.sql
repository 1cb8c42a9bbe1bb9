CREATE FUNCTION pgsim.retry_poison(collection text, model text = NULL, embedding text = 'default', keys text[] = NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    again text[];
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        t := pgsim._followed(t);
    END IF;
    WITH taken AS (
        DELETE FROM pgsim._poison AS p WHERE p.version_id = t.version_id AND (retry_poison.keys IS NULL OR p.key = ANY (retry_poison.keys)) RETURNING p.key
    )
    SELECT array_agg(k.key) INTO again FROM taken AS k;
    INSERT INTO pgsim._queue (version_id, operation, keys)
    SELECT t.version_id, 'upsert', again[i : i + 1999] FROM generate_series(1, cardinality(again), 2000) AS i;
    RETURN coalesce(cardinality(again), 0);
END
$$;
COMMENT ON FUNCTION pgsim.retry_poison IS
$$Queues rows again that were set aside because they could not be embedded (pgsim.poison_rows), and returns how many.

keys: only these; NULL: all of the version. model NULL: the active version; a derived one: the version that it follows. Errors: PS001 to PS004, PS006, PS032.$$;
