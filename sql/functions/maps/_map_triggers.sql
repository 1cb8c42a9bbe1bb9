CREATE FUNCTION pgsim._map_triggers(c pgsim._collection) RETURNS TABLE (relation regclass, name text, definition text, arguments bytea)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
    fixed text[];
BEGIN
    SELECT array_agg(k ORDER BY k) INTO fixed
    FROM unnest(c.key_columns) AS k JOIN pg_attribute AS a ON a.attrelid = c.relation AND a.attname = k AND a.attgenerated = '';
    FOR f IN
        SELECT v.id, b.relation, b.adopted, b.column_name, r.relkind = 'p' AS partitioned, pgsim._changed_condition(ARRAY[b.column_name]) AS moved, pgsim._changed_condition(b.column_name || c.key_columns) AS moved_or_named,
               EXISTS (SELECT FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid JOIN pg_language AS l ON l.oid = p.prolang
                       WHERE g.tgrelid = b.relation AND NOT g.tgisinternal AND g.tgtype & 19 = 19 AND l.lanname NOT IN ('internal', 'c')) AS rewritten
        FROM pgsim._version AS v JOIN pgsim._version AS b ON b.id = v.follows JOIN pgsim._embedding AS e ON e.id = v.embedding_id
        JOIN pg_class AS r ON r.oid = b.relation
        WHERE e.collection_id = c.id AND EXISTS (SELECT FROM pg_class AS k WHERE k.oid = v.relation)
          -- Of columns that are gone no trigger can be made, and none is of use.
          AND NOT EXISTS (SELECT FROM unnest(pgsim._key_names(c.key_columns, NOT b.adopted) || b.column_name) AS n WHERE NOT EXISTS (
              SELECT FROM pg_attribute AS a WHERE a.attrelid = b.relation AND a.attname = n AND NOT a.attisdropped))
    LOOP
        -- A deleted row of the base table takes its images with it by their foreign key, and so does a truncated table. Names begin with !:
        -- triggers fire in the order of their names, and what a trigger of the user's changes further must get here later.
        RETURN QUERY
            SELECT f.relation, format('%spgsim_map_%s_%s', CASE t.part WHEN 'key' THEN '~' ELSE '!' END, f.id, t.name), format('%s ON %s %s EXECUTE FUNCTION pgsim._keep_mapped(%L, %L, %L)', t.event, f.relation, t.condition, c.id, f.id, t.part),
                   convert_to(c.id::text, 'UTF8') || '\x00' || convert_to(f.id::text, 'UTF8') || '\x00' || convert_to(t.part, 'UTF8') || '\x00'
            FROM (VALUES
                ('insert', 'AFTER INSERT', 'REFERENCING NEW TABLE AS pgsim_rows FOR EACH STATEMENT', 'rows', NOT f.partitioned),
                ('update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS pgsim_before NEW TABLE AS pgsim_rows FOR EACH STATEMENT', 'rows', NOT f.adopted),
                ('delete', 'AFTER DELETE', 'REFERENCING OLD TABLE AS pgsim_rows FOR EACH STATEMENT', 'rows', NOT f.adopted),
                ('truncate', 'AFTER TRUNCATE', 'FOR EACH STATEMENT', 'rows', NOT f.adopted),
                -- To tell whether a vector has changed it must be read: only of updates that name its column, or of all where a trigger of the user's may change it unnamed.
                (CASE WHEN f.rewritten THEN 'any_update' ELSE 'update' END, CASE WHEN f.rewritten THEN 'AFTER UPDATE' ELSE format('AFTER UPDATE OF %I', f.column_name) END,
                    format('FOR EACH ROW WHEN (%s)', f.moved), 'row', f.adopted AND NOT f.partitioned),
                -- Partitions inherit triggers for each row, those to come as well. A row that moves to another is inserted there.
                ('insert', 'AFTER INSERT', 'FOR EACH ROW', 'row', f.partitioned),
                ('update', 'AFTER UPDATE', format('FOR EACH ROW WHEN (%s)', f.moved_or_named), 'row', f.partitioned),
                ('key', 'BEFORE UPDATE', 'FOR EACH ROW WHEN ' || pgsim._changed_condition(fixed), 'key', f.partitioned AND fixed IS NOT NULL)
            ) AS t (name, event, condition, part, wanted)
            WHERE t.wanted;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._map_triggers IS 'The triggers that keep a collection''s derived versions, where the vectors are that they follow.';
