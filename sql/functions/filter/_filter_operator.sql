CREATE FUNCTION pgsim._filter_operator(
    path text, operand text, type text, element text, kind text, operator text, value jsonb,
    collected text[], inline boolean
) RETURNS pgsim._clause
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mark text := CASE operator WHEN '$eq' THEN '=' WHEN '$ne' THEN '<>' WHEN '$gt' THEN '>' WHEN '$gte' THEN '>=' WHEN '$lt' THEN '<' WHEN '$lte' THEN '<='
                                 WHEN '$in' THEN '=' WHEN '$nin' THEN '<>' WHEN '$contains' THEN '@>' WHEN '$contained' THEN '<@' WHEN '$overlap' THEN '&&' END;
    -- IS NULL asks of a row whether all its fields are.
    absent text := operand || CASE kind WHEN 'row' THEN ' IS NOT DISTINCT FROM NULL' ELSE ' IS NULL' END;
    present text := operand || CASE kind WHEN 'row' THEN ' IS DISTINCT FROM NULL' ELSE ' IS NOT NULL' END;
    symbol text;
    list record;
    fitting text;
    bound pgsim._clause;
    lower pgsim._clause;
BEGIN
    -- With where_sql the predicate runs on the caller's search_path, where an operator without its schema may be anybody's.
    symbol := CASE WHEN kind = 'scalar' AND strpos(type, '.') > 0 THEN pgsim._filter_symbol(type, mark) ELSE format('OPERATOR(pg_catalog.%s)', mark) END;
    CASE
    WHEN operator = '$exists' THEN
        IF jsonb_typeof(value) <> 'boolean' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: $exists takes true or false, not %s', left(path, 200), left(value::text, 80)), HINT = 'true finds rows with a value, false rows with NULL.';
        END IF;
        RETURN (format('(%s)', CASE WHEN value = 'true' THEN present ELSE absent END), array_append(collected, NULL));
    WHEN operator IN ('$eq', '$ne') AND value = 'null' THEN
        RETURN (format('(%s)', CASE operator WHEN '$eq' THEN absent ELSE present END), array_append(collected, NULL));
    WHEN kind = 'array' AND operator IN ('$eq', '$ne', '$contains', '$contained', '$overlap') THEN
        IF operator IN ('$contains', '$overlap') AND jsonb_typeof(value) NOT IN ('array', 'object', 'null') THEN
            value := jsonb_build_array(value);
        END IF;
        list := pgsim._filter_array(path, element, operator, value);
        bound := pgsim._filter_bind_list(list.type, list.items, collected, inline);
        RETURN (format('(%s %s %s)', operand, symbol, bound.predicate), bound.collected);
    WHEN kind = 'array' OR operator IN ('$contains', '$contained', '$overlap') AND kind <> 'range' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: %s does not go with a column of type %s', left(path, 200), operator, type),
            HINT = CASE WHEN kind = 'array' THEN 'An array column takes $contains, $contained, $overlap, $eq, $ne and $exists.'
                        ELSE '$contains, $contained and $overlap are for arrays, ranges and jsonb.' END;
    WHEN operator IN ('$in', '$nin') THEN
        -- SQL's NOT IN finds nothing once a NULL is listed; a listed null means the rows without a value here.
        IF value @> '[null]' THEN
            bound := pgsim._filter_operator(path, operand, type, element, kind, operator,
                                            (SELECT coalesce(jsonb_agg(e), '[]') FROM jsonb_array_elements(value) AS e WHERE e <> 'null'), collected, inline);
            RETURN (CASE operator WHEN '$in' THEN format('(%s OR %s)', bound.predicate, absent) ELSE format('(%s AND %s)', bound.predicate, present) END, bound.collected);
        END IF;
        list := pgsim._filter_array(path, element, operator, value);
        bound := pgsim._filter_bind_list(list.type, list.items, collected, inline);
        IF list.type <> element THEN
            operand := format('%s::%s', operand, list.type);
        END IF;
        RETURN (format('(%s %s %s (%s))', operand, symbol, CASE operator WHEN '$in' THEN 'ANY' ELSE 'ALL' END, bound.predicate), bound.collected);
    WHEN operator = '$between' THEN
        IF jsonb_typeof(value) <> 'array' OR jsonb_array_length(value) <> 2 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: $between takes a list of two values, not %s', left(path, 200), left(value::text, 80)), HINT = 'For instance: {"$between": [10, 20]}; both ends belong to it.';
        END IF;
        lower := pgsim._filter_operator(path, operand, type, element, kind, '$gte', value -> 0, collected, inline);
        bound := pgsim._filter_operator(path, operand, type, element, kind, '$lte', value -> 1, lower.collected, inline);
        RETURN (format('(%s AND %s)', lower.predicate, bound.predicate), bound.collected);
    WHEN operator IN ('$like', '$ilike') THEN
        IF element NOT IN ('text', 'character varying', 'bpchar') AND element !~ '(^|\.)citext$' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: %s does not go with a column of type %s', left(path, 200), operator, type), HINT = 'It is for text.';
        END IF;
        fitting := pgsim._filter_value_type(path, 'text', operator, value);
        IF length(value #>> '{}') % 2 <> length(rtrim(value #>> '{}', '\')) % 2 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: the pattern of %s ends with a lone backslash: %s', left(path, 200), operator, right(value #>> '{}', 80)), HINT = 'A backslash takes the next character as it is; write two for one.';
        END IF;
        bound := pgsim._filter_bind(fitting, value #>> '{}', collected, inline);
        RETURN (format('(%s %s %s)', operand, CASE WHEN operator = '$ilike' OR element LIKE '%citext' THEN 'OPERATOR(pg_catalog.~~*)' ELSE 'OPERATOR(pg_catalog.~~)' END, bound.predicate), bound.collected);
    ELSE
        fitting := pgsim._filter_value_type(path, element, operator, value);
        -- 5.0 is an integer too, but the integer types do not read it.
        bound := pgsim._filter_bind(fitting, CASE jsonb_typeof(value) WHEN 'number' THEN trim_scale(value::numeric)::text ELSE value #>> '{}' END, collected, inline);
        IF fitting <> element THEN
            operand := format('%s::%s', operand, fitting);
        END IF;
        RETURN (format('(%s %s %s)', operand, symbol, bound.predicate), bound.collected);
    END CASE;
END
$$;
COMMENT ON FUNCTION pgsim._filter_operator IS 'One operator on a column that is not JSON.';
