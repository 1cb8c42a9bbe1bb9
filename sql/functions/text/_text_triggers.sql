CREATE FUNCTION pgsim._text_triggers(c pgsim._collection) RETURNS TABLE (relation regclass, name text, definition text, arguments bytea)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    watched text[];
    is_parted boolean := EXISTS (SELECT FROM pg_partitioned_table AS p WHERE p.partrelid = c.relation);
BEGIN
    SELECT c.key_columns || x.columns INTO watched FROM pgsim._text AS x JOIN pg_class AS d ON d.oid = x.documents WHERE x.collection_id = c.id;
    -- Of an index whose columns are gone no trigger can be made, and none is of use.
    IF watched IS NULL OR EXISTS (SELECT FROM unnest(watched) AS w WHERE NOT EXISTS (
        SELECT FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = w AND NOT a.attisdropped)) THEN
        RETURN;
    END IF;
    -- Their names begin with !: triggers fire in the order of their names, and what a trigger of the user's changes further must get here later.
    RETURN QUERY
        SELECT p.relation, '!pgsim_text_' || t.name,
               format('AFTER %s ON %s %s EXECUTE FUNCTION pgsim._keep_text(%L, %L)', t.event, p.relation, t.condition, c.id, p.part),
               convert_to(c.id::text, 'UTF8') || '\x00' || convert_to(p.part, 'UTF8') || '\x00'
        FROM (SELECT s.relid::regclass AS relation, CASE WHEN s.relid::regclass = c.relation THEN 'all' ELSE 'part' END AS part
              FROM pg_partition_tree(c.relation) AS s JOIN pg_class AS r ON r.oid = s.relid AND r.relkind IN ('r', 'p')
              UNION SELECT c.relation, 'all') AS p
        CROSS JOIN (VALUES
            ('insert', 'INSERT', 'REFERENCING NEW TABLE AS pgsim_rows FOR EACH STATEMENT', NULL),
            ('delete', 'DELETE', 'REFERENCING OLD TABLE AS pgsim_before FOR EACH STATEMENT', NULL),
            ('truncate', 'TRUNCATE', 'FOR EACH STATEMENT', NULL),
            -- A row trigger with a condition costs an update of other columns next to nothing, where one of a statement copies every row. But it is told
            -- nothing of rows that move to another partition.
            ('update', 'UPDATE', 'FOR EACH ROW WHEN ' || pgsim._changed_condition(watched, c.relation), false),
            ('update', 'UPDATE', 'REFERENCING OLD TABLE AS pgsim_before NEW TABLE AS pgsim_rows FOR EACH STATEMENT', true)
        ) AS t (name, event, condition, parted)
        WHERE t.parted IS NULL OR t.parted = is_parted;
END
$$;
COMMENT ON FUNCTION pgsim._text_triggers IS 'The triggers that keep the text index of a collection, on its base table and each partition.';
