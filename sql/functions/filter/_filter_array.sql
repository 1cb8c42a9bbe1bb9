CREATE FUNCTION pgsim._filter_array(path text, element text, operator text, value jsonb, OUT type text, OUT items text[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := pgsim._filter_wanted(element);
    odd jsonb;
    given text[];
    fitting text[];
    unfit numeric;
BEGIN
    type := element;
    IF jsonb_typeof(value) <> 'array' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: %s takes a list of values, not %s', left(path, 200), operator, left(value::text, 80)),
            HINT = format('For instance: {"%s": ["a", "b"]}.', operator);
    END IF;
    SELECT e INTO odd FROM jsonb_array_elements(value) AS e WHERE jsonb_typeof(e) <> wanted LIMIT 1;
    IF FOUND THEN
        PERFORM pgsim._filter_value_type(path, element, operator, odd);
    END IF;
    IF wanted = 'number' THEN
        SELECT array_agg(trim_scale(n)::text), array_agg(trim_scale(n)::text) FILTER (WHERE f), min(n) FILTER (WHERE NOT f) INTO given, fitting, unfit
        FROM (SELECT e::numeric, pgsim._filter_fits(element, e::numeric) FROM jsonb_array_elements(value) AS e) AS l (n, f);
        IF unfit IS NOT NULL AND operator NOT IN ('$in', '$nin') THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: %s takes values of type %s, which %s is not', left(path, 200), operator, element, left(unfit::text, 80)),
                HINT = 'Leave it out: no row can have it.';
        ELSIF unfit IS NOT NULL AND fitting IS NULL THEN
            type := 'numeric';
        ELSE
            given := fitting;
        END IF;
    ELSE
        given := (SELECT array_agg(e) FROM jsonb_array_elements_text(value) AS e);
    END IF;
    given := coalesce(given, '{}');
    IF wanted = 'string' AND element NOT IN ('text', 'character varying', 'bpchar') THEN
        PERFORM pgsim._filter_cast(path, element, given);
    END IF;
    items := given;
END
$$;
COMMENT ON FUNCTION pgsim._filter_array IS
    'A list of values as texts, checked, and the type of its elements. Of $in and $nin numbers that the column cannot hold are left out, since no row has them; a list of nothing else is compared as numeric.';
