CREATE FUNCTION pgsim._filter_column(
    relation regclass, path text, condition jsonb, depth int, INOUT collected text[], inline boolean, negated boolean, led text[], leaf text,
    OUT predicate text, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    col record;
    label text := CASE led WHEN '{}' THEN path ELSE array_to_string(led || path, '.') END;
    prefix text;
    steps text[];
    operator record;
    parts text[] := '{}';
    part record;
    related text;
BEGIN
    col := pgsim._filter_column_type(relation, path);
    IF col.name IS NULL THEN
        -- A column's name may hold dots itself, and no name is longer than 63 characters: the longest that fits is meant.
        prefix := left(path, 64);
        WHILE col.name IS NULL AND strpos(prefix, '.') > 0 LOOP
            prefix := left(prefix, -strpos(reverse(prefix), '.'));
            col := pgsim._filter_column_type(relation, prefix);
        END LOOP;
        IF col.name IS NULL AND left(path, 1) = '$' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%s is not known here', quote_literal(left(path, 80))),
                HINT = 'Between conditions stand $and, $or and $not; other operators stand under a column: {"size": {"$lt": 100}}.';
        END IF;
        IF col.kind IS DISTINCT FROM 'json' THEN
            part := pgsim._filter_related(relation, path, condition, depth, collected, inline, negated, led, leaf, col.name);
            IF part.predicate IS NOT NULL THEN
                collected := part.collected;
                predicate := part.predicate;
                columns := part.columns;
                RETURN;
            END IF;
            related := (SELECT left(string_agg(DISTINCT quote_ident(k.step), ', '), 300) FROM pgsim._filter_keys(relation) AS k);
        END IF;
        IF col.name IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PS005', MESSAGE = format('%s: table %s has no column %s', CASE led WHEN '{}' THEN 'filter' ELSE quote_literal(left(label, 200)) END,
                                                                      relation, quote_literal(left(path, 200))),
                DETAIL = 'It has: ' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute AS a
                                        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped),
                HINT = CASE WHEN EXISTS (SELECT FROM pgsim._filter_keys(relation) AS k WHERE k.step = path)
                            THEN format('%1$I leads into a related table: name a column of that, {"%1$s.column": ...}.', path)
                            ELSE concat('Column names are compared exactly, upper and lower case included.', ' Paths lead into related tables by ' || related || '.') END;
        ELSIF col.kind <> 'json' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: column %I is %s, which has no paths', left(label, 200), col.name, col.type),
                HINT = concat('A path leads into a column of type jsonb: {"meta.author.name": "Ada"}',
                              coalesce(', or along a foreign key into a related table, here by ' || related, ''), '.');
        END IF;
        steps := coalesce(nullif(string_to_array(substr(path, length(col.name) + 2), '.'), '{}'), '{""}');
    END IF;
    IF led <> '{}' THEN
        IF NOT has_column_privilege(relation, col.name, 'SELECT') THEN
            PERFORM pgsim._filter_unreadable(relation, ARRAY[col.name], label);
        END IF;
        col.operand := format('r%s.%s', cardinality(led), col.operand);
    END IF;
    IF steps IS NOT NULL THEN
        col.operand := format('(%s #> %L::text[])', col.operand, steps);
    END IF;

    -- Without an operator the value is what the column is to equal; an object is one only where the column is JSON.
    IF jsonb_typeof(condition) <> 'object'
       OR col.kind = 'json' AND condition <> '{}' AND NOT EXISTS (SELECT FROM jsonb_object_keys(condition) AS k WHERE left(k, 1) = '$') THEN
        condition := jsonb_build_object('$eq', condition);
    ELSIF condition = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L has an empty condition', left(label, 200)), HINT = 'Give a value or an operator: {"$lt": 100}.';
    END IF;
    FOR operator IN SELECT e.key, e.value FROM jsonb_each(condition) AS e LOOP
        IF operator.key = '$not' THEN
            IF depth >= 32 THEN
                RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = 'the filter is nested more than 32 deep', HINT = 'Write the conditions flatter.';
            END IF;
            part := pgsim._filter_column(relation, path, operator.value, depth + 1, collected, inline, negated, led, NULL);
            parts := parts || format('(NOT (%s))', part.predicate);
            collected := part.collected;
            CONTINUE;
        ELSIF operator.key NOT IN ('$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$between', '$like', '$ilike', '$exists',
                                   '$contains', '$contained', '$overlap') THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: operator %s is not known', left(label, 200), quote_literal(left(operator.key, 80))),
                HINT = 'Known are $eq $ne $gt $gte $lt $lte $in $nin $between $like $ilike $exists $contains $contained $overlap $not.';
        ELSIF col.kind = 'json' THEN
            part := pgsim._filter_json(label, col.operand, operator.key, operator.value, collected, inline);
        ELSE
            part := pgsim._filter_operator(label, col.operand, col.type, col.element, col.kind, operator.key, operator.value, collected, inline);
        END IF;
        collected := part.collected;
        parts := parts || part.predicate;
    END LOOP;
    predicate := array_to_string(parts, ' AND ');
    IF leaf IS NOT NULL THEN
        predicate := format(leaf, predicate);
    END IF;
    columns := ARRAY[col.name];
END
$$;
COMMENT ON FUNCTION pgsim._filter_column IS 'The conditions on one column, or on one path into a jsonb column or along foreign keys. led are the steps that led into this table; negated and leaf are as in _filter_related.';
