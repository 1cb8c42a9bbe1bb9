CREATE FUNCTION pgsim._free_name(relation regclass, stem text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    schema oid := (SELECT r.relnamespace FROM pg_class AS r WHERE r.oid = relation);
    attempt int := 1;
    name text;
BEGIN
    -- A name is cut by bytes; characters of several bytes leave room for fewer of them.
    WHILE octet_length(stem) > 58 LOOP
        stem := left(stem, -1);
    END LOOP;
    name := stem;
    WHILE EXISTS (SELECT FROM pg_class AS k WHERE k.relnamespace = schema AND k.relname = name)
          OR EXISTS (SELECT FROM pg_statistic_ext AS s WHERE s.stxnamespace = schema AND s.stxname = name) LOOP
        attempt := attempt + 1;
        name := stem || '_' || attempt;
    END LOOP;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim._free_name IS 'A name that no index and no statistics have in the schema of a table.';
