CREATE FUNCTION pgsim._version_problems(version_id int, shown text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v record;
    drift text;
BEGIN
    SELECT s.* INTO v FROM pgsim.versions AS s WHERE s.id = _version_problems.version_id;
    IF v.state <> 'retired' AND NOT EXISTS (SELECT FROM pgsim._version AS s WHERE s.embedding_id = (SELECT o.embedding_id FROM pgsim._version AS o WHERE o.id = v.id) AND (s.state = 'active' OR s.state <> 'retired' AND s.id < v.id)) THEN
        RETURN QUERY SELECT 'error', _version_problems.shown, 'no version of this embedding is active: searches that name no model fail', format('SELECT pgsim.activate(%L, %L, %L)', v.collection, v.model, v.embedding);
    END IF;
    IF NOT v.adopted AND (SELECT count(*) FROM pg_trigger AS g WHERE g.tgrelid = v.relation AND g.tgfoid = 'pgsim._note_removal'::regproc AND g.tgenabled IN ('O', 'A')) < 2 THEN
        RETURN QUERY SELECT 'error', _version_problems.shown, format('a trigger of %s, note_removal or note_truncation, is missing or disabled: that vectors were deleted would not be noticed', v.relation),
            format('SELECT pgsim.sync_privileges(%L)', v.collection);
    END IF;
    -- Where policies hide rows, a sample of the others tells nothing.
    IF v.state <> 'retired' AND NOT row_security_active(v.relation) AND has_table_privilege(v.relation, 'SELECT') THEN
        drift := pgsim._vector_drift(pgsim._target(v.collection, v.model, v.embedding));
    END IF;
    IF drift IS NOT NULL THEN
        RETURN QUERY SELECT 'warning', _version_problems.shown, drift,
            'Another model, prefix or normalization made them, or their rows are of another kind. Compare the embedder: pgsim check --embedder module:object; store what is wrong again.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._version_problems IS 'What pgsim.check says of the life of a version: whether one of its embedding is active, and whether its newest vectors look like the others.';
