CREATE FUNCTION pgsim._filter_atoms(filter jsonb, depth int, OUT path text, OUT operator text, OUT value jsonb) RETURNS SETOF record
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry record;
BEGIN
    IF filter IS NULL OR filter = 'null' THEN
        RETURN;
    ELSIF jsonb_typeof(filter) <> 'object' OR depth > 32 THEN
        operator := '?';
        RETURN NEXT;
        RETURN;
    END IF;
    FOR entry IN SELECT e.key, e.value FROM jsonb_each(filter) AS e LOOP
        IF entry.key = '$and' AND jsonb_typeof(entry.value) = 'array' THEN
            RETURN QUERY SELECT a.* FROM jsonb_array_elements(entry.value) AS b, pgsim._filter_atoms(b, depth + 1) AS a;
        ELSIF left(entry.key, 1) = '$' THEN
            path := NULL;
            operator := entry.key;
            value := entry.value;
            RETURN NEXT;
        ELSIF jsonb_typeof(entry.value) = 'object' AND jsonb_path_exists(entry.value, '$.keyvalue() ? (@.key starts with "$")') THEN
            RETURN QUERY SELECT entry.key, e.key, e.value FROM jsonb_each(entry.value) AS e;
        ELSE
            path := entry.key;
            operator := '$eq';
            value := entry.value;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._filter_atoms IS
    'The conditions of a filter that must all hold: of one path, one operator and its value each, and with no path $or and $not as they stand. What is no filter is an operator ?.';
