CREATE FUNCTION pgsim._filter_clause(
    relation regclass, node jsonb, depth int, INOUT collected text[], inline boolean, negated boolean, names text[], types oid[],
    OUT predicate text, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entries jsonb;
    name text;
    value jsonb;
    plain pgsim._clause;
    parts text[] := '{}';
    branches text[];
    part_columns text[];
    part record;
BEGIN
    IF depth > 32 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = 'the filter is nested more than 32 deep', HINT = 'Write the conditions flatter.';
    END IF;
    IF jsonb_typeof(node) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('a filter is a JSON object, not %s', left(node::text, 80)),
            HINT = 'For instance: {"section": "games", "size": {"$lt": 100}}.';
    END IF;
    columns := '{}';
    IF node = '{}' THEN
        predicate := 'true';
        collected := array_append(collected, NULL);
        RETURN;
    END IF;
    -- Steps like these cost a tenth of what a query does.
    entries := jsonb_path_query_array(node, '$.keyvalue()');
    FOR i IN 0 .. jsonb_array_length(entries) - 1 LOOP
        name := entries -> i ->> 'key';
        value := entries -> i -> 'value';
        IF name IN ('$and', '$or') THEN
            IF jsonb_typeof(value) <> 'array' OR jsonb_array_length(value) NOT BETWEEN 1 AND 1000 THEN
                RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%s takes a list of 1 to 1000 filters, not %s', name, left(value::text, 80)),
                    HINT = 'For instance: {"$or": [{"section": "games"}, {"size": {"$lt": 100}}]}. Use $in for many values of one column.';
            END IF;
            branches := '{}';
            FOR j IN 0 .. jsonb_array_length(value) - 1 LOOP
                part := pgsim._filter_clause(relation, value -> j, depth + 1, collected, inline, negated, names, types);
                collected := part.collected;
                IF NOT columns @> part.columns THEN
                    columns := columns || part.columns;
                END IF;
                branches := branches || part.predicate;
            END LOOP;
            part_columns := '{}';
            parts := parts || format('(%s)', array_to_string(branches, CASE name WHEN '$and' THEN ' AND ' ELSE ' OR ' END));
        ELSIF name = '$not' THEN
            part := pgsim._filter_clause(relation, value, depth + 1, collected, inline, NOT negated, names, types);
            IF strpos(part.predicate, 'EXISTS (SELECT') > 0 AND (SELECT count(*) = 1 AND bool_and(left(k, 1) <> '$') FROM jsonb_object_keys(value) AS k) THEN
                -- The same as $not under the path, and a join that PostgreSQL can plan: it does so for EXISTS, but not for its double negation.
                SELECT f.* INTO part FROM jsonb_each(value) AS e,
                    pgsim._filter_column(relation, e.key, jsonb_build_object('$not', e.value), depth, collected, inline, negated, '{}', NULL) AS f;
                parts := parts || part.predicate;
            ELSE
                parts := parts || format('(NOT (%s))', part.predicate);
            END IF;
            collected := part.collected;
            part_columns := part.columns;
        ELSE
            IF names IS NOT NULL THEN
                plain := pgsim._filter_plain(name, types[array_position(names, name)], value, collected);
            END IF;
            IF plain.predicate IS NOT NULL THEN
                collected := plain.collected;
                parts := parts || plain.predicate;
                part_columns := ARRAY[name];
            ELSE
                part := pgsim._filter_column(relation, name, value, depth, collected, inline, negated, '{}', NULL);
                collected := part.collected;
                parts := parts || part.predicate;
                part_columns := part.columns;
            END IF;
        END IF;
        IF NOT columns @> part_columns THEN
            columns := columns || part_columns;
        END IF;
        IF cardinality(collected) > 1000 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = 'the filter has more than 1000 conditions', HINT = 'Use $in for many values of one column.';
        END IF;
    END LOOP;
    predicate := array_to_string(parts, ' AND ');
END
$$;
COMMENT ON FUNCTION pgsim._filter_clause IS
    'One JSON object of a filter: conditions that all hold. Each appends its value to collected, or NULL when it has none, so that collected counts them. names and types are the table''s columns; without them every condition is compiled as an uncommon one is.';
