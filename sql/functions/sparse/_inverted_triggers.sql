CREATE FUNCTION pgsim._inverted_triggers(c pgsim._collection) RETURNS TABLE (relation regclass, name text, definition text, arguments bytea)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- Their names begin with !: triggers fire in the order of their names, and what a trigger of the user's changes further must get here later.
    SELECT v.relation, format('!pgsim_inverted_%s_%s', i.id, t.name),
           format('AFTER %s ON %s %s EXECUTE FUNCTION pgsim._keep_inverted(%L, %L)', t.event, v.relation, t.condition, c.id, i.id),
           convert_to(c.id::text, 'UTF8') || '\x00' || convert_to(i.id::text, 'UTF8') || '\x00'
    FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._embedding AS e ON e.id = v.embedding_id
    JOIN pg_class AS r ON r.oid = v.relation JOIN pg_class AS k ON k.oid = i.relation
    CROSS JOIN LATERAL (VALUES
        ('insert', 'INSERT', 'REFERENCING NEW TABLE AS pgsim_rows FOR EACH STATEMENT', NULL),
        ('delete', 'DELETE', 'REFERENCING OLD TABLE AS pgsim_before FOR EACH STATEMENT', NULL),
        ('truncate', 'TRUNCATE', 'FOR EACH STATEMENT', NULL),
        -- Of an adopted column most updates are of others: a row trigger with a condition costs those next to nothing.
        ('update', 'UPDATE', 'FOR EACH ROW WHEN ' || pgsim._changed_condition(ARRAY[v.column_name]), true),
        ('update', 'UPDATE', 'REFERENCING OLD TABLE AS pgsim_before NEW TABLE AS pgsim_rows FOR EACH STATEMENT', false)
    ) AS t (name, event, condition, adopted)
    WHERE e.collection_id = c.id AND i.method = 'inverted' AND coalesce(t.adopted = v.adopted, true)
      -- Of a column that is gone no trigger can be made, and none is of use.
      AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = v.relation AND a.attname = v.column_name AND NOT a.attisdropped);
END;
COMMENT ON FUNCTION pgsim._inverted_triggers IS 'The triggers that keep the inverted indexes of a collection''s sparse vectors, where the vectors are.';
