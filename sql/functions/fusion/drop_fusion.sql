CREATE FUNCTION pgsim.drop_fusion(collection text, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    f pgsim._fusion;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    f := pgsim._fusion_row(c, name);
    DELETE FROM pgsim._fusion AS d WHERE d.id = f.id;
END
$$;
COMMENT ON FUNCTION pgsim.drop_fusion IS 'Forgets a fusion of a collection; searches that name it fail from then on. Errors: PS001, PS006, PS009, PS032.';
