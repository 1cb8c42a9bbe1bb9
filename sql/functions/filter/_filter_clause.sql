CREATE FUNCTION pgsim._filter_clause(
    relation regclass, node jsonb, depth int, INOUT collected text[], inline boolean, negated boolean,
    OUT predicate text, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry record;
    branch jsonb;
    parts text[] := '{}';
    branches text[];
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
    FOR entry IN SELECT e.key, e.value FROM jsonb_each(node) AS e LOOP
        IF entry.key IN ('$and', '$or') THEN
            IF jsonb_typeof(entry.value) <> 'array' OR jsonb_array_length(entry.value) NOT BETWEEN 1 AND 1000 THEN
                RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%s takes a list of 1 to 1000 filters, not %s', entry.key, left(entry.value::text, 80)),
                    HINT = 'For instance: {"$or": [{"section": "games"}, {"size": {"$lt": 100}}]}. Use $in for many values of one column.';
            END IF;
            branches := '{}';
            FOR branch IN SELECT b FROM jsonb_array_elements(entry.value) AS b LOOP
                part := pgsim._filter_clause(relation, branch, depth + 1, collected, inline, negated);
                collected := part.collected;
                IF NOT columns @> part.columns THEN
                    columns := columns || part.columns;
                END IF;
                branches := branches || part.predicate;
            END LOOP;
            parts := parts || format('(%s)', array_to_string(branches, CASE entry.key WHEN '$and' THEN ' AND ' ELSE ' OR ' END));
        ELSIF entry.key = '$not' THEN
            part := pgsim._filter_clause(relation, entry.value, depth + 1, collected, inline, NOT negated);
            IF strpos(part.predicate, 'EXISTS (SELECT') > 0 AND (SELECT count(*) = 1 AND bool_and(left(k, 1) <> '$') FROM jsonb_object_keys(entry.value) AS k) THEN
                -- The same as $not under the path, and a join that PostgreSQL can plan: it does so for EXISTS, but not for its double negation.
                SELECT f.* INTO part FROM jsonb_each(entry.value) AS e,
                    pgsim._filter_column(relation, e.key, jsonb_build_object('$not', e.value), depth, collected, inline, negated, '{}', NULL) AS f;
                parts := parts || part.predicate;
            ELSE
                parts := parts || format('(NOT (%s))', part.predicate);
            END IF;
            collected := part.collected;
        ELSE
            part := pgsim._filter_column(relation, entry.key, entry.value, depth, collected, inline, negated, '{}', NULL);
            collected := part.collected;
            parts := parts || part.predicate;
        END IF;
        IF NOT columns @> part.columns THEN
            columns := columns || part.columns;
        END IF;
        IF cardinality(collected) > 1000 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = 'the filter has more than 1000 conditions', HINT = 'Use $in for many values of one column.';
        END IF;
    END LOOP;
    predicate := array_to_string(parts, ' AND ');
END
$$;
COMMENT ON FUNCTION pgsim._filter_clause IS
    'One JSON object of a filter: conditions that all hold. Each appends its value to collected, or NULL when it has none, so that collected counts them.';
