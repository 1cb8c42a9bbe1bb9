CREATE FUNCTION pgsim._record_some(p pgsim._search_plan, query vector, keys text[], distances float8[], details jsonb, started timestamptz) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    r pgsim._search_request := p.request;
    seconds float8 := extract(epoch FROM clock_timestamp() - started);
    audited boolean := random() < t.audit_share;
    exact_started timestamptz := clock_timestamp();
    exact record;
    exact_seconds float8;
    recall float8;
BEGIN
    IF NOT audited AND random() >= t.record_share OR pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean
       OR current_setting('pgsim.recording', true) = 'off' THEN
        RETURN;
    END IF;
    IF audited THEN
        p.strategy := 'exact';
        SELECT e.distances AS truth INTO exact FROM pgsim._execute_search(p, query, false) AS e;
        exact_seconds := extract(epoch FROM clock_timestamp() - exact_started);
        recall := pgsim._tie_recall(distances, exact.truth);
    END IF;
    PERFORM pgsim._record_search(
        collection_id => t.collection_id, version_id => t.version_id,
        shape => concat_ws(', ', nullif(pgsim._filter_shape(r.filter), ''), CASE WHEN r.where_sql IS NOT NULL THEN 'where_sql' END), filter => r.filter,
        k => r.k, recall_asked => p.recall, strategy => details ->> 'strategy', estimated => p.estimated, matches => NULL,
        returned => coalesce(cardinality(keys), 0), seconds => seconds, exact_seconds => exact_seconds, recall => recall, keys => keys);
END
$$;
COMMENT ON FUNCTION pgsim._record_some IS 'Records a share of searches, as pgsim.record_searches sets it, and of those audited how much of the exact answer they found.';
