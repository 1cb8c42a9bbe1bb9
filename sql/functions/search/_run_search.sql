CREATE FUNCTION pgsim._run_search(
    r pgsim._search_request, queries vector[], h pgsim._fusion_request, explained boolean,
    OUT query int, OUT keys text[], OUT distances float8[], OUT metric text, OUT details jsonb, OUT scores float8[], OUT row_details jsonb[]
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    started timestamptz := clock_timestamp();
    executed record;
    p pgsim._search_plan;
    t pgsim._target;
    statement text;
    found bigint;
BEGIN
    IF r.k > 10000 THEN
        PERFORM pgsim._check_k(r.k);
    END IF;
    IF cardinality(h.texts) = 1 AND h.texts[1] IS NOT NULL AND coalesce(cardinality(queries), 1) = 1 AND h.text_form = 'any' AND h.per_group = 1 AND r.k >= 1 AND r.mode = 'auto' AND NOT explained
       AND num_nonnulls(queries[1], h.sparse, h.legs, h.fusion, h.weights, h.rank_constant, h.candidates, r.filter, r.model, r.recall, r.dims, r.oversample, r.max_distance, r.after, r.distinct_on,
                        r.where_sql, r.where_values, r.where_columns) = 0 THEN
        executed := pgsim._search_plain_text(r.collection, h.texts[1], r.k);
        IF executed.keys IS NOT NULL THEN
            query := 1;
            keys := executed.keys;
            scores := executed.scores;
            row_details := executed.row_details;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    IF num_nonnulls(h.texts, h.sparse, h.legs, h.fusion, h.weights, h.rank_constant, h.candidates) > 0 OR h.text_form IS DISTINCT FROM 'any' OR h.per_group IS DISTINCT FROM 1 THEN
        IF least(cardinality(queries), cardinality(h.texts), cardinality(h.sparse)) <> greatest(cardinality(queries), cardinality(h.texts), cardinality(h.sparse)) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = concat_ws(' and ', format('there are %s queries', cardinality(queries)), cardinality(h.texts) || ' text_queries', cardinality(h.sparse) || ' sparse_queries'),
                HINT = 'Give one of each for every search, or leave a kind out.';
        END IF;
        FOR i IN 1 .. coalesce(cardinality(queries), cardinality(h.texts), cardinality(h.sparse), 1) LOOP
            query := i;
            executed := pgsim._search_fused(r, queries[i], h.texts[i], h.sparse[i], h, explained);
            keys := executed.keys;
            distances := executed.distances;
            metric := executed.metric;
            details := executed.details;
            scores := executed.scores;
            row_details := executed.row_details;
            RETURN NEXT;
        END LOOP;
        RETURN;
    END IF;
    p := pgsim._plan_search(r, explained);
    t := p.target;
    metric := t.metric;
    IF queries IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'queries is NULL', HINT = 'Give an array of query vectors; an empty one has no answers.';
    END IF;
    IF t.map_id IS NOT NULL THEN
        queries := pgsim._mapped_queries(t, queries);
    END IF;
    IF p.few AND NOT explained THEN
        statement := pgsim._search_statement(p);
    END IF;
    FOR i IN 1 .. cardinality(queries) LOOP
        query := i;
        -- Whatever happens around a statement that ranks so few rows takes as long as the statement.
        IF statement IS NOT NULL AND pgsim._vector_problem(queries[i], t.dim, metric, t.element) IS NULL THEN
            EXECUTE statement INTO keys, distances, found USING p.given, queries[i];
            IF found <= p.bound THEN
                details := jsonb_build_object('strategy', 'exact', 'model', t.model);
                IF t.record_share > 0 OR t.audit_share > 0 THEN
                    PERFORM pgsim._record_some(p, queries[i], keys, distances, details, started);
                    started := clock_timestamp();
                END IF;
                RETURN NEXT;
                CONTINUE;
            END IF;
        END IF;
        executed := pgsim._execute_search(p, queries[i], explained);
        keys := executed.keys;
        distances := executed.distances;
        details := executed.details;
        IF explained THEN
            details := jsonb_set(details, '{seconds,plan}', to_jsonb(extract(epoch FROM executed.started - started)));
        ELSIF t.record_share > 0 OR t.audit_share > 0 THEN
            PERFORM pgsim._record_some(p, queries[i], keys, distances, details, started);
        END IF;
        RETURN NEXT;
        started := clock_timestamp();
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._run_search IS
    'Runs a search for each query vector, planned once; what search, search_batch and explain_search share. Anything beyond one vector is fused by pgsim._search_fused, and has scores and row_details.';
