CREATE FUNCTION pgsim._explain_stage(p pgsim._search_plan, statement text, settings jsonb, query vector) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Run a second time to be counted. How many rows a policy hides is not for those whom it binds.
    counted boolean := NOT row_security_active((p.target).base);
    plan jsonb := pgsim._plan(statement, p.given, query, counted, p.shallow_query);
BEGIN
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'index', pgsim._plan_indexes(plan),
        'ef', CASE WHEN p.strategy NOT IN ('exact', 'codes') THEN (settings ->> 'hnsw.ef_search')::int END,
        'keep', CASE WHEN p.strategy = 'codes' THEN p.shortlist WHEN p.strategy = 'funnel' THEN greatest(p.wanted, (p.rungs).keep[1]) WHEN p.strategy <> 'exact' THEN p.wanted END,
        'margin', CASE WHEN p.strategy = 'codes' THEN round(p.margin::numeric, 2) END,
        'tuples', CASE WHEN counted THEN (
            SELECT round(sum((n ->> 'Actual Loops')::numeric * ((n ->> 'Actual Rows')::numeric + coalesce((n ->> 'Rows Removed by Filter')::numeric, 0)
                                                                + coalesce((n ->> 'Rows Removed by Index Recheck')::numeric, 0))))
            FROM jsonb_path_query(plan, '$.** ? (exists(@."Relation Name") && @."Node Type" != "CTE Scan")') AS n) END));
END
$$;
COMMENT ON FUNCTION pgsim._explain_stage IS 'What one stage of a search read, for explain_search.';
