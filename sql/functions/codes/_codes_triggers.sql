CREATE FUNCTION pgsim._codes_triggers(c pgsim._collection) RETURNS TABLE (relation regclass, name text, definition text, arguments bytea)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    codes record;
    mirrored text[] := pgsim._codes_columns(c.key_columns, c.filter_columns);
    filtered text := pgsim._changed_condition(mirrored, c.relation);
BEGIN
    FOR codes IN
        SELECT i.id, v.relation, v.adopted, v.column_name, pgsim._changed_condition(ARRAY[v.column_name]) AS moved,
               EXISTS (SELECT FROM pg_trigger AS g JOIN pg_proc AS f ON f.oid = g.tgfoid JOIN pg_language AS l ON l.oid = f.prolang
                       WHERE g.tgrelid = v.relation AND NOT g.tgisinternal AND g.tgtype & 19 = 19 AND l.lanname NOT IN ('internal', 'c')) AS rewritten
        FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._embedding AS e ON e.id = v.embedding_id
        JOIN pg_class AS r ON r.oid = v.relation
        WHERE e.collection_id = c.id AND i.method = 'codes'
          -- Of codes whose columns are gone no trigger can be made, and none is of use.
          AND NOT EXISTS (SELECT FROM unnest(mirrored) AS m WHERE NOT EXISTS (
              SELECT FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = m AND NOT a.attisdropped))
          AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = v.relation AND a.attname = v.column_name AND NOT a.attisdropped)
    LOOP
        -- An update has row triggers with conditions: of another column it costs next to nothing, where a statement trigger would copy
        -- every row. To tell whether a vector has changed it must be read, so that is asked only of updates that name its column, or of
        -- all where a trigger of the user's may change it unnamed. Their names begin with !: triggers fire in the order of their names,
        -- and what a trigger of the user's changes further must reach the codes later.
        RETURN QUERY
            SELECT t.relation, format('!pgsim_codes_%s_%s', codes.id, t.name),
                   format('%s %s ON %s %s EXECUTE FUNCTION pgsim._keep_codes(%L, %L, %L)', CASE t.part WHEN 'begin' THEN 'BEFORE' ELSE 'AFTER' END, t.event, t.relation, t.condition, c.id, codes.id, t.part),
                   convert_to(c.id::text, 'UTF8') || '\x00' || convert_to(codes.id::text, 'UTF8') || '\x00' || convert_to(t.part, 'UTF8') || '\x00'
            FROM (VALUES
                (c.relation, 'begin', 'INSERT OR DELETE', 'FOR EACH STATEMENT WHEN (pg_catalog.current_setting(''pgsim.codes_depth'', true) <> '''')', 'begin'),
                (c.relation, 'insert', 'INSERT', 'REFERENCING NEW TABLE AS pgsim_rows FOR EACH STATEMENT', 'base'),
                (c.relation, 'delete', 'DELETE', 'REFERENCING OLD TABLE AS pgsim_rows FOR EACH STATEMENT', 'base'),
                (c.relation, 'truncate', 'TRUNCATE', 'FOR EACH STATEMENT', 'base'),
                (c.relation, 'key', 'UPDATE OF ' || pgsim._key_list('', c.key_columns, false), 'FOR EACH ROW WHEN ' || pgsim._changed_condition(c.key_columns), 'key'),
                (c.relation, 'update', 'UPDATE', 'FOR EACH ROW WHEN ' || filtered, 'base'),
                (codes.relation, CASE WHEN codes.rewritten THEN 'vector_any_update' ELSE 'vector_update' END,
                    CASE WHEN codes.rewritten THEN 'UPDATE' ELSE format('UPDATE OF %I', codes.column_name) END,
                    format('FOR EACH ROW WHEN (%s%s)', CASE WHEN codes.adopted THEN format('NOT %s AND ', filtered) ELSE '' END, codes.moved),
                    CASE WHEN codes.adopted THEN 'base' ELSE 'version' END),
                (codes.relation, 'vector_insert', 'INSERT', 'REFERENCING NEW TABLE AS pgsim_rows FOR EACH STATEMENT', 'version'),
                (codes.relation, 'vector_delete', 'DELETE', 'REFERENCING OLD TABLE AS pgsim_rows FOR EACH STATEMENT', 'version'),
                (codes.relation, 'vector_truncate', 'TRUNCATE', 'FOR EACH STATEMENT', 'version'),
                (codes.relation, 'vector_key', 'UPDATE', 'FOR EACH ROW WHEN ' || pgsim._changed_condition(pgsim._key_names(c.key_columns, true)), 'version')
            ) AS t (relation, name, event, condition, part)
            WHERE t.part <> 'version' OR NOT codes.adopted;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._codes_triggers IS
    'The triggers that keep the codes of a collection''s versions: on the base table for keys and filter columns, and where the vectors are for the codes themselves.';
