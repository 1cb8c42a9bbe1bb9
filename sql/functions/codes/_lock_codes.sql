CREATE FUNCTION pgsim._lock_codes(version_id int, keys text[]) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    free text[] := keys;
    codes record;
BEGIN
    -- Also of versions that are this one, mapped: what is stored here is written there by the same statement.
    FOR codes IN
        WITH RECURSIVE written AS (
            SELECT _lock_codes.version_id AS id
            UNION SELECT v.id FROM written AS w JOIN pgsim._version AS v ON v.follows = w.id)
        SELECT i.relation, c.relation AS base, c.key_columns
        FROM written AS w JOIN pgsim._index AS i ON i.version_id = w.id AND i.method = 'codes' JOIN pg_class AS r ON r.oid = i.relation
        JOIN pgsim._version AS v ON v.id = w.id JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS c ON c.id = e.collection_id
        -- As the triggers fire that a writer comes to them by: in the order of their names.
        ORDER BY (i.id || '_') COLLATE "C"
    LOOP
        EXECUTE format(
            'WITH offered AS MATERIALIZED (SELECT %1$s, k.given FROM unnest($1) AS k (given)), '
            'locked AS MATERIALIZED (SELECT i.given FROM offered AS i JOIN %2$s AS k ON %3$s FOR NO KEY UPDATE OF k %4$s) '
            'SELECT array_agg(i.given) FROM offered AS i WHERE EXISTS (SELECT FROM locked AS l WHERE l.given = i.given) OR NOT EXISTS (SELECT FROM %2$s AS k WHERE %3$s)',
            pgsim._key_parse(codes.base, 'k.given', codes.key_columns, false), codes.relation, pgsim._key_join('k.', 'i.', codes.key_columns, false),
            -- Who holds nothing else may wait.
            CASE WHEN cardinality(keys) > 1 THEN 'SKIP LOCKED' ELSE '' END)
        INTO free USING free;
    END LOOP;
    RETURN coalesce(free, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._lock_codes IS
    'Locks the codes of some rows before a worker stores their vectors, and returns the keys of those that nobody else is writing; for those of one row it waits. A writer of filter columns has codes locked in an order of its own, and two that wait for each other would not end.';
REVOKE ALL ON FUNCTION pgsim._lock_codes FROM PUBLIC;
