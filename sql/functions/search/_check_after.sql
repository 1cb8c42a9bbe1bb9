CREATE FUNCTION pgsim._check_after(t pgsim._target, after jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known boolean;
BEGIN
    IF jsonb_typeof(after) <> 'object' OR jsonb_typeof(after -> 'distance') IS DISTINCT FROM 'number' OR jsonb_typeof(after -> 'key') IS DISTINCT FROM 'string'
       OR coalesce(jsonb_typeof(after -> 'rank') <> 'number' OR (after ->> 'rank')::numeric NOT BETWEEN 1 AND 1000000 OR (after ->> 'rank')::numeric % 1 <> 0, false)
       OR (after - '{distance,key,rank}'::text[]) <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('after is %s; it is the last row of the page before: its distance, its key and its rank', left(after::text, 200)),
            HINT = 'For instance: after => jsonb_build_object(''distance'', distance, ''key'', key, ''rank'', rank). Without the rank every match is ranked.';
    END IF;
    BEGIN
        PERFORM (after ->> 'distance')::float8;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the distance of after, %s..., is no double precision number', left(after ->> 'distance', 40)),
            HINT = 'Give it as pgsim.search returned it.';
    END;
    BEGIN
        EXECUTE format('SELECT k IS NOT NULL FROM (SELECT %s) AS k', pgsim._key_parse(t.base, '$1', t.key_columns, true)) INTO known USING after ->> 'key';
    EXCEPTION WHEN data_exception THEN
        known := false;
    END;
    IF NOT known THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('the key of after, %s, cannot be read as %s', quote_literal(left(after ->> 'key', 80)), pgsim._key_types(t.base, t.key_columns)),
            HINT = 'Give it as pgsim.search returned it.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_after IS 'Raises PS010 or PS016 for a cursor that is not the last row of a page.';
