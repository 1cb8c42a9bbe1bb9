CREATE FUNCTION pgsim._map_row(map text) RETURNS pgsim._map
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_row pgsim._map;
BEGIN
    SELECT * INTO found_row FROM pgsim._map AS p WHERE p.name = map;
    IF found_row.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS054', MESSAGE = format('there is no map %s', coalesce(quote_literal(left(map, 200)), 'NULL')),
            DETAIL = coalesce('There are: ' || (SELECT string_agg(quote_literal(p.name), ', ' ORDER BY p.name) FROM (SELECT s.name FROM pgsim._map AS s ORDER BY s.name LIMIT 20) AS p), 'There is none.'),
            HINT = 'Fit one with "pgsim ladder fit", or store one with pgsim.create_map.';
    END IF;
    RETURN found_row;
END
$$;
COMMENT ON FUNCTION pgsim._map_row IS 'The map of that name, or PS054.';
