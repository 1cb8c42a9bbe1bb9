CREATE FUNCTION pgsim._index_strategy(p pgsim._search_plan, covering boolean) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN p.ladder IS NOT NULL THEN 'funnel' WHEN covering THEN 'partial' WHEN p.pruned THEN 'partition' ELSE 'ann' END;
COMMENT ON FUNCTION pgsim._index_strategy IS 'What a search by a vector index is called: a funnel, by a covering partial index, by the one partition that is needed, or plain ann.';
