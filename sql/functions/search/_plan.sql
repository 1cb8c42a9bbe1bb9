CREATE FUNCTION pgsim._plan(statement text, given jsonb, query vector, counted boolean = false, shallow_query vector = NULL) RETURNS jsonb
LANGUAGE sql VOLATILE
RETURN pgsim._explained(statement, given, query, counted, shallow_query)::jsonb -> 0 -> 'Plan';
COMMENT ON FUNCTION pgsim._plan IS 'The plan that PostgreSQL makes for a statement, from what pgsim._explained gives.';
