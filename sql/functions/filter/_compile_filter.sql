CREATE FUNCTION pgsim._compile_filter(
    relation regclass, filter jsonb, given jsonb, inline boolean, OUT predicate text, OUT "values" jsonb, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    clause record;
    names text[];
    types oid[];
BEGIN
    IF filter IS NULL OR filter = 'null' OR filter = '{}' THEN
        predicate := NULL;
        "values" := given;
        columns := '{}';
        RETURN;
    END IF;
    IF NOT inline THEN
        SELECT array_agg(a.attname::text), array_agg(a.atttypid) INTO names, types FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
    END IF;
    clause := pgsim._filter_clause(relation, filter, 1, '{}', inline, false, names, types);
    predicate := clause.predicate;
    columns := clause.columns;
    -- Two lists joined that have some columns in common make at least three.
    IF cardinality(columns) > 2 THEN
        columns := ARRAY(SELECT DISTINCT c FROM unnest(columns) AS c);
    END IF;
    -- A query of its own costs as much as several such steps do.
    IF cardinality(clause.collected) <= 8 THEN
        "values" := given || jsonb_strip_nulls(jsonb_object((ARRAY['$1', '$2', '$3', '$4', '$5', '$6', '$7', '$8'])[:cardinality(clause.collected)], clause.collected));
    ELSE
        "values" := given || coalesce((SELECT jsonb_object_agg('$' || v.ordinal, v.value)
                                       FROM unnest(clause.collected) WITH ORDINALITY AS v (value, ordinal) WHERE v.value IS NOT NULL), '{}');
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._compile_filter IS
    'A JSON filter as a predicate over the table and one jsonb of values: ($1 ->> ''$3'')::integer reads the third. The values join those given; columns are those of the table that it reads. inline writes them as literals, for an index predicate.';
