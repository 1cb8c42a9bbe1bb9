CREATE FUNCTION pgsim._version_target(version_id int) RETURNS pgsim._target
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named record;
BEGIN
    SELECT w.collection, w.model, w.embedding INTO named FROM pgsim.versions AS w WHERE w.id = version_id;
    RETURN pgsim._target(named.collection, named.model, named.embedding);
END
$$;
COMMENT ON FUNCTION pgsim._version_target IS 'The same as pgsim._target, of a version''s id.';
