CREATE FUNCTION pgsim._filter_related(
    relation regclass, path text, condition jsonb, depth int, INOUT collected text[], inline boolean, negated boolean, led text[], leaf text, column_name text,
    OUT predicate text, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    label text := array_to_string(led || path, '.');
    met boolean;
    number int := cardinality(led) + 1;
    stem text := 'j' || number || '_';
    complement boolean := false;
    found_key record;
    related record;
    inner_part record;
BEGIN
    found_key := pgsim._filter_key(relation, path, label, column_name);
    IF found_key.key IS NULL THEN
        RETURN;
    ELSIF number > 4 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L leads through more than 4 tables', left(label, 200)),
            HINT = 'Write it as SQL, in where_sql.';
    END IF;

    -- A row without a related row is as one whose columns there are NULL. EXISTS knows true and false alone, so what must not be lost is asked at the
    -- end of the path: under no $not where the condition is true, under one where it is false.
    IF leaf IS NULL THEN
        met := pgsim._filter_on_null(condition);
        complement := CASE WHEN negated THEN met IS NOT FALSE ELSE met IS TRUE END;
        leaf := CASE WHEN negated AND complement THEN 'NOT (%s)' WHEN negated THEN '(%s) IS NOT FALSE' WHEN complement THEN '(%s) IS NOT TRUE' ELSE '%s' END;
        -- The table's columns stand in the subquery without a table's name: nothing there may be called like one.
        WHILE EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND starts_with(a.attname, stem)) LOOP
            stem := stem || '_';
        END LOOP;
    END IF;
    -- Columns match as the key itself has it: by its operators, under the collation of the referenced column.
    SELECT array_agg(m.own) AS key_columns, array_agg(m.other) AS target_columns,
           bool_and(has_column_privilege(relation, m.own, 'SELECT')) AS key_readable,
           bool_and(has_column_privilege(found_key.target, m.other, 'SELECT')) AS readable,
           string_agg(format('r%s.%I AS %s%s', number, m.other, stem, m.n), ', ') AS selected,
           string_agg(format('j%s.%s%s OPERATOR(%s) %s%I%s', number, stem, m.n, m.operator, CASE WHEN number > 1 THEN format('r%s.', number - 1) END, m.own, m.compared_by), ' AND ') AS matching
    INTO related
    FROM (
        SELECT u.n, u.operator::regoper, f.attname::text AS own, r.attname::text AS other,
               CASE WHEN f.attcollation <> r.attcollation THEN (SELECT format(' COLLATE %I.%I', c.nspname, l.collname)
                                                                FROM pg_collation AS l JOIN pg_namespace AS c ON c.oid = l.collnamespace
                                                                WHERE l.oid = r.attcollation) END AS compared_by
        FROM pg_constraint AS k
        CROSS JOIN unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY AS u (own, other, operator, n)
        JOIN pg_attribute AS f ON f.attrelid = relation AND f.attnum = u.own
        JOIN pg_attribute AS r ON r.attrelid = k.confrelid AND r.attnum = u.other
        WHERE k.oid = found_key.key
        ORDER BY u.n
    ) AS m;
    IF inline THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L leads into table %s, but an index sees the columns of its own table alone', left(label, 200), found_key.target),
            HINT = 'Keep what the index is to depend on in a column of the table.';
    ELSIF NOT related.key_readable AND number > 1 THEN
        PERFORM pgsim._filter_unreadable(relation, related.key_columns, label);
    ELSIF NOT related.readable OR NOT has_schema_privilege((SELECT t.relnamespace FROM pg_class AS t WHERE t.oid = found_key.target), 'USAGE') THEN
        PERFORM pgsim._filter_unreadable(found_key.target, related.target_columns, label);
    END IF;
    inner_part := pgsim._filter_column(found_key.target, substr(path, length(found_key.step) + 2), condition, depth, collected, inline, negated, led || found_key.step, leaf);
    collected := inner_part.collected;
    columns := related.key_columns;
    predicate := format('(%sEXISTS (SELECT FROM (SELECT %s FROM %s AS r%s WHERE %s) AS j%s WHERE %s))', CASE WHEN complement THEN 'NOT ' END,
                        related.selected, found_key.target, number, inner_part.predicate, number, related.matching);
END
$$;
COMMENT ON FUNCTION pgsim._filter_related IS
    'A condition on a path that leads along a foreign key, as EXISTS over the related table; predicate is NULL where the path leads along none. negated: it stands under an odd number of $not. leaf is what to ask of the condition at the end of the path, NULL where the path begins.';
