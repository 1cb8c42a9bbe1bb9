CREATE FUNCTION pgsim._refuse_retired(t pgsim._target) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named text := (SELECT v.embedding FROM pgsim.versions AS v WHERE v.id = t.version_id);
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the version of %L under model %L is retired: its vectors were not kept up with changes', t.collection, t.model),
        HINT = format('Leave model out for the active version. To bring it back: pgsim.revive(%L, %L, %L), embed what is missing, pgsim.activate.', t.collection, t.model, named);
END
$$;
COMMENT ON FUNCTION pgsim._refuse_retired IS 'Raises PS035 for a search of a retired version, and says how it comes back.';
