CREATE FUNCTION pgsim._compile_filter(
    relation regclass, filter jsonb, given jsonb, inline boolean, OUT predicate text, OUT "values" jsonb, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    clause record;
    plain record;
BEGIN
    IF filter IS NULL OR filter = 'null' OR filter = '{}' THEN
        predicate := NULL;
        "values" := given;
        columns := '{}';
        RETURN;
    END IF;
    IF NOT inline AND jsonb_typeof(filter) = 'object' AND NOT filter ?| '{$and,$or,$not}' THEN
        IF strpos(substr(filter::text, 2), '{') = 0 THEN
            -- Texts that are to equal something: most filters are nothing else.
            SELECT string_agg(format('(%I OPERATOR(pg_catalog.=) ($1 ->> ''$%s'')::text)', e.key, e.ordinal), ' AND ' ORDER BY e.ordinal) AS predicate,
                   jsonb_object_agg('$' || e.ordinal, e.value) AS "values", array_agg(e.key) AS columns, count(*) = count(a.attnum) AS complete
            INTO plain
            FROM jsonb_each(filter) WITH ORDINALITY AS e (key, value, ordinal)
            LEFT JOIN pg_attribute AS a ON a.attrelid = relation AND a.attname = e.key AND a.atttypid = 'text'::regtype AND a.attnum > 0 AND NOT a.attisdropped
                                           AND jsonb_typeof(e.value) = 'string';
        ELSE
            -- Most others compare texts, whole numbers and lists of texts: one query compiles them in half the time.
            SELECT string_agg(format(l.form, e.key, n.place, l.type_name), ' AND ' ORDER BY e.ordinal, o.ordinal) AS predicate, jsonb_object_agg(n.place, l.bound) AS "values",
                   array_agg(e.key) FILTER (WHERE o.ordinal = 1) AS columns, count(*) = count(l.form) AS complete
            INTO plain
            FROM jsonb_each(filter) WITH ORDINALITY AS e (key, value, ordinal)
            LEFT JOIN pg_attribute AS a ON a.attrelid = relation AND a.attname = e.key AND a.attnum > 0 AND NOT a.attisdropped AND left(e.key, 1) <> '$'
            CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(e.value) <> 'object' OR e.value = '{}' THEN jsonb_build_object('$eq', e.value) ELSE e.value END)
                WITH ORDINALITY AS o (operator, value, ordinal)
            CROSS JOIN LATERAL (SELECT concat('$', e.ordinal, '_' || nullif(o.ordinal, 1)) AS place) AS n
            CROSS JOIN LATERAL pgsim._filter_plain(a.atttypid, o.operator, o.value) AS l;
        END IF;
        IF plain.complete THEN
            predicate := plain.predicate;
            "values" := given || plain."values";
            columns := plain.columns;
            RETURN;
        END IF;
    END IF;
    clause := pgsim._filter_clause(relation, filter, 1, '{}', inline, false);
    predicate := clause.predicate;
    columns := clause.columns;
    -- Two lists joined that have some columns in common make at least three.
    IF cardinality(columns) > 2 THEN
        columns := ARRAY(SELECT DISTINCT c FROM unnest(columns) AS c);
    END IF;
    "values" := given;
    -- A query of its own costs as much as eight such steps do.
    IF cardinality(clause.collected) <= 8 THEN
        FOR i IN 1 .. cardinality(clause.collected) LOOP
            IF clause.collected[i] IS NOT NULL THEN
                "values" := "values" || jsonb_build_object('$' || i, clause.collected[i]);
            END IF;
        END LOOP;
    ELSE
        "values" := given || coalesce((SELECT jsonb_object_agg('$' || v.ordinal, v.value)
                                       FROM unnest(clause.collected) WITH ORDINALITY AS v (value, ordinal) WHERE v.value IS NOT NULL), '{}');
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._compile_filter IS
    'A JSON filter as a predicate over the table and one jsonb of values: ($1 ->> ''$3'')::integer reads the third. The values join those given; columns are those of the table that it reads. inline writes them as literals, for an index predicate.';
