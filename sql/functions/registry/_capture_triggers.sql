CREATE FUNCTION pgsim._capture_triggers(c pgsim._collection) RETURNS TABLE (relation regclass, name text, definition text, arguments bytea)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    watched text[];
    fixed text[];
BEGIN
    SELECT array_agg(DISTINCT s.name ORDER BY s.name) INTO watched
    FROM pgsim._embedding AS e CROSS JOIN unnest(e.source_columns) AS s (name)
    WHERE e.collection_id = c.id AND EXISTS (SELECT FROM pgsim._version AS v WHERE v.embedding_id = e.id AND v.state <> 'retired');
    IF watched IS NULL THEN
        RETURN;
    END IF;
    SELECT array_agg(k ORDER BY k) INTO fixed
    FROM unnest(c.key_columns) AS k JOIN pg_attribute AS a ON a.attrelid = c.relation AND a.attname = k AND a.attgenerated = '';

    RETURN QUERY
        SELECT t.relation, t.name,
               format('%s ON %s %s EXECUTE FUNCTION pgsim._capture(%L, %L)', t.event, t.relation, t.condition, c.id, t.columns),
               convert_to(c.id::text, getdatabaseencoding()) || '\x00' || convert_to(t.columns::text, getdatabaseencoding()) || '\x00'
        FROM (
            -- A row trigger with a condition costs an update of other columns next to nothing, and partitions inherit it.
            SELECT c.relation, 'pgsim_capture_update', 'AFTER UPDATE',
                   'FOR EACH ROW WHEN ' || pgsim._changed_condition(watched || c.key_columns, c.relation), watched || c.key_columns
            UNION ALL
            -- A row that moves to another partition is deleted and inserted, and no trigger AFTER UPDATE sees it.
            SELECT c.relation, 'pgsim_capture_move', 'BEFORE UPDATE', 'FOR EACH ROW WHEN ' || pgsim._changed_condition(fixed, c.relation), fixed
            FROM pg_partitioned_table AS p WHERE p.partrelid = c.relation
            UNION ALL
            -- A statement trigger costs a bulk insert one call, but fires only on the table that a statement names.
            SELECT p.relid, v.name, v.event, v.condition || ' TABLE AS pgsim_rows FOR EACH STATEMENT', '{}'
            FROM (SELECT s.relid FROM pg_partition_tree(c.relation) AS s UNION SELECT c.relation) AS p (relid)
            JOIN pg_class AS r ON r.oid = p.relid AND r.relkind IN ('r', 'p')
            CROSS JOIN (VALUES ('pgsim_capture_insert', 'AFTER INSERT', 'REFERENCING NEW'),
                               ('pgsim_capture_delete', 'AFTER DELETE', 'REFERENCING OLD')) AS v (name, event, condition)
        ) AS t (relation, name, event, condition, columns);
END
$$;
COMMENT ON FUNCTION pgsim._capture_triggers IS
    'The triggers that a collection''s base table and its partitions should have now, and the arguments by which each is known: the collection, and the columns it watches.';
