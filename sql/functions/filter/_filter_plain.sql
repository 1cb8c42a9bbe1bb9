CREATE FUNCTION pgsim._filter_plain(name text, type oid, condition jsonb, collected text[]) RETURNS pgsim._clause
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    operators jsonb;
    operator text := '$eq';
    value jsonb := condition;
    -- Numbers of so few digits certainly fit.
    digits text := CASE type WHEN 'int4'::regtype THEN '^-?\d{1,9}$' WHEN 'int8'::regtype THEN '^-?\d{1,18}$' WHEN 'int2'::regtype THEN '^-?\d{1,4}$' END;
    mark text;
    predicate text := '';
BEGIN
    IF jsonb_typeof(condition) = 'object' THEN
        operators := jsonb_path_query_array(condition, '$.keyvalue()');
        IF operators = '[]' THEN
            RETURN NULL;
        END IF;
    END IF;
    FOR i IN 0 .. coalesce(jsonb_array_length(operators), 1) - 1 LOOP
        IF operators IS NOT NULL THEN
            operator := operators -> i ->> 'key';
            value := operators -> i -> 'value';
        END IF;
        IF type = 'text'::regtype AND operator = '$eq' AND jsonb_typeof(value) = 'string' THEN
            collected := collected || (value #>> '{}');
            predicate := predicate || format(' AND (%I OPERATOR(pg_catalog.=) ($1 ->> ''$%s'')::text)', name, cardinality(collected));
        ELSIF digits IS NOT NULL AND operator IN ('$eq', '$gt', '$gte', '$lt', '$lte') AND value::text ~ digits THEN
            mark := CASE operator WHEN '$eq' THEN '=' WHEN '$gt' THEN '>' WHEN '$gte' THEN '>=' WHEN '$lt' THEN '<' ELSE '<=' END;
            collected := collected || value::text;
            predicate := predicate || format(' AND (%I OPERATOR(pg_catalog.%s) ($1 ->> ''$%s'')::%s)', name, mark, cardinality(collected), format_type(type, NULL));
        ELSIF digits IS NOT NULL AND operator = '$between' AND jsonb_typeof(value) = 'array' AND jsonb_array_length(value) = 2 AND (value -> 0)::text ~ digits AND (value -> 1)::text ~ digits THEN
            collected := collected || ARRAY[value ->> 0, value ->> 1];
            predicate := predicate || format(' AND (%1$I OPERATOR(pg_catalog.>=) ($1 ->> ''$%2$s'')::%4$s AND %1$I OPERATOR(pg_catalog.<=) ($1 ->> ''$%3$s'')::%4$s)',
                                             name, cardinality(collected) - 1, cardinality(collected), format_type(type, NULL));
        ELSIF (type = 'text'::regtype AND operator = '$in' OR type = 'text[]'::regtype AND operator IN ('$contains', '$overlap')) AND jsonb_typeof(value) = 'array'
              AND NOT jsonb_path_exists(value, 'strict $[*] ? (@.type() != "string" || @ == "" || @ like_regex "\\x1f")') THEN
            -- Texts between separators: unlike the text of an array, PostgreSQL reads them once, and not once a row.
            collected := collected || coalesce((SELECT string_agg(e, E'\x1f') FROM jsonb_array_elements_text(value) AS e), '');
            predicate := predicate || format(CASE operator WHEN '$in' THEN ' AND (%I OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array($1 ->> ''$%s'', E''\x1f'')))'
                                                           WHEN '$contains' THEN ' AND (%I OPERATOR(pg_catalog.@>) pg_catalog.string_to_array($1 ->> ''$%s'', E''\x1f''))'
                                                           ELSE ' AND (%I OPERATOR(pg_catalog.&&) pg_catalog.string_to_array($1 ->> ''$%s'', E''\x1f''))' END, name, cardinality(collected));
        ELSE
            RETURN NULL;
        END IF;
    END LOOP;
    RETURN (substr(predicate, 6), collected);
END
$$;
COMMENT ON FUNCTION pgsim._filter_plain IS
    'The conditions on one column where all are of the plainest kinds: a text that it equals, whole numbers that certainly fit, lists of texts. NULL for any other, which _filter_column compiles or refuses.';
