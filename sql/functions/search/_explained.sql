CREATE FUNCTION pgsim._explained(statement text, given jsonb, query vector, counted boolean, shallow_query vector = NULL) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    plan json;
BEGIN
    -- A loop, and not EXECUTE ... INTO: a cursor takes one statement and no more.
    FOR plan IN EXECUTE pg_catalog.concat('EXPLAIN (FORMAT JSON', CASE WHEN counted THEN ', ANALYZE, TIMING off, SUMMARY off' END, ') ', statement) USING given, query, shallow_query LOOP
        RETURN plan;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._explained IS 'What EXPLAIN tells of a statement over $1, the values, and $2, the query vector, or $3, that of a shallow layer; counted: it runs, and the plan tells the rows read. It has the caller''s search_path, as the statement has.';
