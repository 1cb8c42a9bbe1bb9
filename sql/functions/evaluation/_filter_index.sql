CREATE FUNCTION pgsim._filter_index(base regclass, path text, operator text, rows float8, OUT method text, OUT item text, OUT row_bytes float8, OUT correlation float8)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    col record := pgsim._filter_column_type(base, path);
    a record;
    compiled record;
    suffix CONSTANT text := ' = ''"x"''::jsonb)';
    present boolean;
BEGIN
    IF path IS NULL THEN
        RETURN;
    END IF;
    IF col.name IS NULL THEN
        BEGIN
            compiled := pgsim._compile_filter(base, jsonb_build_object(path, 'x'), '{}', true);
        EXCEPTION WHEN OTHERS THEN
            RETURN;
        END;
        -- A path into a jsonb column: the operand is what stands before the value.
        IF operator IN ('$eq', '$in') AND right(compiled.predicate, length(suffix)) = suffix AND (pgsim._filter_column_type(base, compiled.columns[1])).type = 'jsonb' THEN
            method := 'btree';
            item := format('(%s)', substr(compiled.predicate, 2, length(compiled.predicate) - 1 - length(suffix)));
            row_bytes := 32;
            present := EXISTS (SELECT FROM pg_index AS x WHERE x.indrelid = base AND x.indexprs IS NOT NULL AND format('((%s))', pg_get_indexdef(x.indexrelid, 1, true)) IN (item, format('((%s))', item), format('(%s)', item)));
        END IF;
    ELSE
        SELECT f.attnum, f.atttypid, f.attgenerated, coalesce(s.avg_width, 16) AS width, coalesce(s.correlation, 0) AS correlation,
               CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * rows ELSE nullif(s.n_distinct, 0) END AS distinct_values, s.elem_count_histogram[cardinality(s.elem_count_histogram)] AS elements
        INTO a
        FROM pg_attribute AS f
        JOIN pg_class AS r ON r.oid = f.attrelid
        JOIN pg_namespace AS n ON n.oid = r.relnamespace
        LEFT JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = r.relname AND s.attname = f.attname
        WHERE f.attrelid = base AND f.attname = col.name
        ORDER BY s.inherited DESC LIMIT 1;
        item := quote_ident(col.name);
        -- A long text is more than a btree takes, and its writer would be refused.
        IF col.kind = 'scalar' AND col.operand = item AND a.width <= 200 AND pgsim._is_ordered(a.atttypid) AND operator IN ('$eq', '$in', '$gt', '$gte', '$lt', '$lte', '$between') THEN
            method := 'btree';
            row_bytes := CASE WHEN rows > 5 * a.distinct_values THEN 7 ELSE (12 + 8 * ceil(a.width / 8.0)) / 0.9 END;
            correlation := a.correlation;
        ELSIF col.kind = 'array' AND operator IN ('$contains', '$overlap') THEN
            method := 'gin';
            row_bytes := 4 + 4 * coalesce(a.elements, 4);
        ELSIF col.type = 'jsonb' AND operator = '$contains' THEN
            method := 'gin';
            row_bytes := 4 + a.width / 3.0;
            item := item || ' jsonb_path_ops';
        END IF;
        present := a.attgenerated = 'v' OR EXISTS (SELECT FROM pg_index AS x JOIN pg_class AS k ON k.oid = x.indexrelid JOIN pg_am AS m ON m.oid = k.relam
                           WHERE x.indrelid = base AND x.indpred IS NULL AND CASE WHEN method = 'gin' THEN m.amname IN ('gin', 'gist') AND a.attnum = ANY (x.indkey)
                                                                                 ELSE m.amname NOT IN ('hnsw', 'ivfflat') AND a.attnum = x.indkey[0] END);
    END IF;
    correlation := coalesce(correlation, 0);
    IF present THEN
        method := NULL;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._filter_index IS 'The index that would serve a condition of a filter, as CREATE INDEX names its column, and its bytes a row; method is NULL where there is one already, or none serves.';
