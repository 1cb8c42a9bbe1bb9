CREATE FUNCTION pgsim._gate_reasons(t pgsim._target, OUT reasons text[], OUT results jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    g record;
BEGIN
    reasons := '{}';
    results := '{}';
    FOR g IN
        SELECT s.name, s.minimum, s.max_age, q.value, q.measured_at FROM pgsim._gate AS s
        LEFT JOIN LATERAL (SELECT m.value, m.measured_at FROM pgsim._quality AS m
                           WHERE m.version_id = t.version_id AND m.name = s.name ORDER BY m.id DESC LIMIT 1) AS q ON true
        WHERE s.embedding_id = (SELECT v.embedding_id FROM pgsim._version AS v WHERE v.id = t.version_id) ORDER BY s.name
    LOOP
        results := results || jsonb_build_object(g.name, jsonb_build_object('minimum', g.minimum, 'value', g.value, 'measured_at', g.measured_at));
        IF g.value IS NULL THEN
            reasons := reasons || format('gate %L asks for %s, and it was not measured: pgsim.measure_quality or pgsim.record_quality', g.name, g.minimum);
        ELSIF g.value < g.minimum THEN
            reasons := reasons || format('gate %L asks for %s, and %s was measured at %s', g.name, g.minimum, g.value, g.measured_at::timestamptz(0));
        ELSIF g.measured_at < now() - g.max_age THEN
            reasons := reasons || format('gate %L asks for a measurement not older than %s, and the last is of %s', g.name, g.max_age, g.measured_at::timestamptz(0));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._gate_reasons IS 'Which quality gates a version does not pass, by its last recorded measurements, and what those are.';
