CREATE FUNCTION pgsim._run_search(
    r pgsim._search_request, queries vector[], explained boolean, OUT query int, OUT keys text[], OUT distances float8[], OUT metric text, OUT details jsonb
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    started timestamptz := clock_timestamp();
    executed record;
    p pgsim._search_plan := pgsim._plan_search(r, explained);
    t pgsim._target := p.target;
BEGIN
    metric := t.metric;
    IF queries IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'queries is NULL', HINT = 'Give an array of query vectors; an empty one has no answers.';
    END IF;
    FOR i IN 1 .. cardinality(queries) LOOP
        query := i;
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
COMMENT ON FUNCTION pgsim._run_search IS 'Plans a search once and runs it for each query vector; what search, search_batch and explain_search share.';
