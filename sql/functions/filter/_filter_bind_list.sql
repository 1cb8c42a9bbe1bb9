CREATE FUNCTION pgsim._filter_bind_list(type text, items text[], collected text[], inline boolean) RETURNS pgsim._clause
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF inline OR array_position(items, NULL) IS NOT NULL OR items = '{""}' OR strpos(array_to_string(items, ''), E'\x1f') > 0 THEN
        RETURN pgsim._filter_bind(type || '[]', items::text, collected, inline);
    END IF;
    -- The text of an array would be read anew for every row; texts between separators PostgreSQL reads once, when it plans.
    RETURN (format('pg_catalog.string_to_array($1 ->> ''$%s'', E''\x1f'')%s', cardinality(collected) + 1, CASE WHEN type <> 'text' THEN '::' || type || '[]' END),
            collected || array_to_string(items, E'\x1f'));
END
$$;
COMMENT ON FUNCTION pgsim._filter_bind_list IS 'What stands in the predicate for a list: its place in the one jsonb of values, or a literal.';
