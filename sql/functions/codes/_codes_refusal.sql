CREATE FUNCTION pgsim._codes_refusal(p pgsim._search_plan) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    previous jsonb;
BEGIN
    previous := pgsim._set(p.settings);
    PERFORM pgsim._plan(format(E'SELECT FROM (SELECT * FROM %s) AS %I WHERE %s', (p.target).codes_sql, (SELECT r.relname FROM pg_class AS r WHERE r.oid = (p.target).base), p.predicate),
                        p.given, NULL);
    PERFORM pgsim._set(previous);
    RETURN NULL;
EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
    -- What was set is undone with the block.
    RETURN 'where_sql does not hold over key and filter columns alone: ' || SQLERRM;
END
$$;
COMMENT ON FUNCTION pgsim._codes_refusal IS 'Why a condition in SQL cannot be read over codes, or NULL: it may name other columns than where_columns says, the table by its schema, or its rows as a whole.';
