CREATE FUNCTION pgsim.record_quality(collection text, model text, name text, value float8, embedding text = 'default', details jsonb = '{}') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._check_name('gate', name);
    IF value IS NULL OR value IN ('NaN', 'Infinity', '-Infinity') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('value is %s; it is a finite number', coalesce(value::text, 'NULL')), HINT = 'Record what was measured.';
    END IF;
    INSERT INTO pgsim._quality (version_id, name, value, details) VALUES (t.version_id, record_quality.name, record_quality.value, coalesce(record_quality.details, '{}'));
END
$$;
COMMENT ON FUNCTION pgsim.record_quality IS
$$Notes what was measured of a version, for the gates of pgsim.set_gate: higher is better.

model NULL: the active version. details: whatever tells how it was measured. Errors: PS001 to PS004, PS006, PS010, PS011, PS032.$$;
