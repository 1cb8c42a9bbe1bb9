CREATE FUNCTION pgsim._record_transition(
    version_id int, action text, from_state text, to_state text, reason text = NULL, forced boolean = false, gates jsonb = '{}', previous_version int = NULL
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO pgsim._transition (embedding_id, version_id, model, action, from_state, to_state, previous_version, previous_model, forced, reason, gates)
    SELECT v.embedding_id, v.id, m.name, action, from_state, to_state, previous_version,
           (SELECT o.name FROM pgsim._version AS p JOIN pgsim._model AS o ON o.id = p.model_id WHERE p.id = previous_version), forced, reason, gates
    FROM pgsim._version AS v JOIN pgsim._model AS m ON m.id = v.model_id
    WHERE v.id = version_id;
END;
COMMENT ON FUNCTION pgsim._record_transition IS 'Notes a step in the life of a version, with who took it and when.';
