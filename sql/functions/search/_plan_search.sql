CREATE FUNCTION pgsim._plan_search(r pgsim._search_request, thorough boolean = true, slice text = NULL) RETURNS pgsim._search_plan
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p pgsim._search_plan;
    t pgsim._target := pgsim._target(r.collection, r.model, r.embedding);
    compiled record;
    estimate json;
    -- Compiling a scan of some thousand rows takes longer than the scan.
    settings jsonb := CASE WHEN current_setting('jit') = 'on' THEN '{"jit": "off"}' ELSE '{}' END;
    previous jsonb;
BEGIN
    IF t.element = 'sparsevec' THEN
        PERFORM pgsim._require_dense(t, 'query is');
    END IF;
    IF slice IS NOT NULL THEN
        t := pgsim._slice_target(t, slice);
    END IF;
    IF t.state = 'retired' THEN
        PERFORM pgsim._refuse_retired(t);
    END IF;
    IF NOT has_table_privilege(t.base, 'SELECT') OR NOT has_schema_privilege(t.base_schema, 'USAGE') OR NOT has_table_privilege(t.version, 'SELECT') THEN
        PERFORM pgsim._require_select(t.base, t.version);
    END IF;
    IF r.recall IS NOT NULL AND r.recall NOT BETWEEN .5 AND 1 OR r.k IS NULL OR r.k NOT BETWEEN 1 AND 10000 OR r.mode IS NULL OR r.mode <> 'auto'
       OR num_nonnulls(r.dims, r.oversample, r.max_distance, r.after, r.distinct_on, r.where_sql, r.where_values, r.where_columns) > 0 THEN
        PERFORM pgsim._check_search(t, r);
    END IF;
    compiled := pgsim._compile_filter(t.base, r.filter, coalesce(r.where_values, '{}'), false);
    p.target := t;
    p.request := r;
    p.predicate := compiled.predicate;
    p.columns := compiled.columns;
    p.given := compiled."values";
    p.recall := coalesce(r.recall, .95);
    p.depth := r.k;
    IF num_nonnulls(r.where_sql, r.after, r.distinct_on) > 0 THEN
        IF r.where_sql IS NOT NULL THEN
            p.predicate := concat_ws(' AND ', p.predicate, format(E'(%s\n)', r.where_sql));
            p.columns := CASE WHEN r.where_columns IS NOT NULL THEN p.columns || r.where_columns END;
            settings := settings || jsonb_build_object('search_path', concat_ws(', ', 'pg_catalog', nullif(r.search_path, '')));
        END IF;
        IF r.after IS NOT NULL THEN
            p.given := p.given || jsonb_build_object('$after', r.after);
            p.depth := least(r.k + coalesce((r.after ->> 'rank')::numeric::int, 0), 20000);
        END IF;
        IF r.distinct_on IS NOT NULL THEN
            p.depth := 4 * p.depth;
        END IF;
    END IF;
    p.settings := settings;
    p.reachable := greatest(t.rows, 0);
    p.parts := 1;
    -- Where policies hide rows, only PostgreSQL can tell how many are left.
    IF p.predicate IS NULL AND t.rows >= 0 AND NOT t.partitioned AND NOT row_security_active(t.base) THEN
        p.expected := t.rows;
        p.scanned := t.rows;
    ELSE
        IF settings <> '{}' THEN
            previous := pgsim._set(settings);
        END IF;
        estimate := pgsim._explained(concat('SELECT FROM ', t.base_sql, E' WHERE ' || p.predicate), p.given, NULL, false);
        IF previous IS NOT NULL THEN
            PERFORM pgsim._set(previous);
        END IF;
        p.expected := (estimate #>> '{0,Plan,Plan Rows}')::float8;
        IF t.partitioned THEN
            SELECT coalesce(sum(greatest(k.reltuples, 0)), 0), greatest(count(*), 1), count(*) = 1 INTO p.reachable, p.parts, p.pruned
            FROM pg_partition_tree(t.base) AS l JOIN pg_class AS k ON k.oid = l.relid
            WHERE l.isleaf AND to_jsonb(k.relname) IN (SELECT e FROM jsonb_path_query(estimate::jsonb, '$.**."Relation Name"') AS e);
        END IF;
        p.reachable := greatest(p.reachable, p.expected, 1);
        -- No name looks like this: JSON escapes the quotes in it.
        p.scanned := CASE WHEN strpos(estimate::text, '"Node Type": "Seq Scan"') > 0 THEN p.reachable ELSE p.expected END;
    END IF;
    p.estimated := p.expected;
    -- Whoever is bound by row-level security gets every answer through the base table: the version table's policies may lag behind.
    p.through_base := t.adopted OR p.predicate IS NOT NULL OR r.distinct_on IS NOT NULL OR row_security_active(t.base);
    -- So few rows are ranked before anything else has begun. (Should there be more, it stops, and looks again.)
    p.few := p.scanned < 400 AND r.mode = 'auto' AND p.predicate IS NOT NULL AND p.depth <= 100 AND settings = '{}' AND num_nonnulls(r.dims, r.max_distance, r.after, r.distinct_on, r.where_sql) = 0;
    IF p.few AND NOT thorough THEN
        p.strategy := 'exact';
        p.bound := 1000;
        RETURN p;
    END IF;
    RETURN pgsim._choose_strategy(p, thorough);
END
$$;
COMMENT ON FUNCTION pgsim._plan_search IS 'Checks the arguments of a search, compiles its filter, estimates its matches and decides how it is answered. It reads no row but the planner''s statistics.';
