CREATE FUNCTION pgsim._map_problems(c pgsim._collection, version_id int, subject text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v record;
    missing bigint;
BEGIN
    SELECT d.* INTO v FROM pgsim.versions AS d JOIN pgsim._version AS s ON s.id = d.id WHERE d.id = version_id AND s.follows IS NOT NULL;
    IF NOT FOUND OR row_security_active(c.relation) THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pgsim._version AS s JOIN pgsim._version AS b ON b.id = s.follows JOIN pg_class AS r ON r.oid = b.relation WHERE s.id = v.id) THEN
        RETURN QUERY SELECT 'error', subject, 'the table of the version that it follows was dropped: nothing keeps it up',
            (SELECT format('SELECT pgsim.drop_version(%L, %L, %L, force => true)', o.collection, o.model, o.embedding) FROM pgsim._version AS s JOIN pgsim.versions AS o ON o.id = s.follows WHERE s.id = v.id)
            || ': this one stays, and takes vectors of that model itself.';
        RETURN;
    END IF;
    missing := pgsim._map_missing(pgsim._target(v.collection, v.model, v.embedding));
    IF missing > 0 THEN
        RETURN QUERY SELECT 'warning', subject, format('%s rows are not mapped yet: a batch a call is filled until none is left', missing), format('SELECT * FROM pgsim.fill_version(%L, %L, %L)', v.collection, v.model, v.embedding);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._map_problems IS 'Whether a derived version has lost the one that it follows, or lacks rows of it.';
