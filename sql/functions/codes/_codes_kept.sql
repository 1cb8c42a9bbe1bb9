CREATE FUNCTION pgsim._codes_kept(base regclass, version_id int, mirrored text[], place text = 'serving') RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A trigger depends on the columns that its condition reads, whatever they are called by now.
    RETURN EXISTS (
        SELECT FROM pgsim._index AS i JOIN pg_trigger AS g ON g.tgrelid = base AND g.tgname = format('!pgsim_codes_%s_update', i.id) AND g.tgenabled IN ('O', 'A')
        WHERE i.version_id = _codes_kept.version_id AND i.method = 'codes' AND i.place = _codes_kept.place
          AND cardinality(mirrored) = (SELECT count(DISTINCT a.attnum) FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                                       WHERE d.classid = 'pg_trigger'::regclass AND d.objid = g.oid AND d.refobjid = base AND a.attname = ANY (mirrored)));
END
$$;
COMMENT ON FUNCTION pgsim._codes_kept IS 'Whether the base table still tells its codes of changes of just the columns that they mirror: none was renamed or dropped, and the trigger is there and enabled.';
