CREATE FUNCTION pgsim._release_followers(version_id int, force boolean) RETURNS regclass[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
    t pgsim._target;
    followers regclass[] := '{}';
BEGIN
    FOR f IN SELECT v.collection, v.model, v.embedding, v.relation, o.model AS base, EXISTS (SELECT FROM pg_class AS r WHERE r.oid = o.relation) AS kept FROM pgsim._version AS s JOIN pgsim.versions AS v ON v.id = s.id JOIN pgsim.versions AS o ON o.id = s.follows
             WHERE s.follows = version_id ORDER BY s.id LOOP
        IF NOT coalesce(force, false) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS021', MESSAGE = format('the version of %L under model %L follows the one under %L: its vectors are those, mapped', f.collection, f.model, f.base),
                HINT = format('Drop that first, or drop this one with pgsim.drop_version(..., force => true): %L stays then, and takes vectors of %L itself, mapped on their way.', f.model, f.base);
        END IF;
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_class AS r WHERE r.oid = f.relation);
        t := pgsim._target(f.collection, f.model, f.embedding);
        PERFORM pgsim._require_all_rows(t);
        IF f.kept AND pgsim._map_missing(t) > 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('not every row of %L under model %L is mapped to %L yet, and what is not would be lost', f.collection, f.base, f.model),
                HINT = format('Call pgsim.fill_version(%L, %L, %L) until it fills none, or drop that version first.', f.collection, f.model, f.embedding);
        END IF;
        followers := followers || f.relation;
    END LOOP;
    RETURN followers;
END
$$;
COMMENT ON FUNCTION pgsim._release_followers IS 'The tables of derived versions that follow a version which is to go; PS021 where there are and force does not say that they are to stay.';
