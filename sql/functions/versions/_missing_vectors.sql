CREATE FUNCTION pgsim._missing_vectors(t pgsim._target, stale boolean) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a record;
    has_text text;
    has_vector text := format('EXISTS (SELECT FROM %s AS v WHERE %s)', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true));
    missing bigint;
BEGIN
    IF t.source_columns = '{}' THEN
        -- Without a text nothing says which rows should have a vector, but those that have one now.
        SELECT v.relation, v.column_name, v.adopted INTO a FROM pgsim._version AS v
        WHERE v.state = 'active' AND v.embedding_id = (SELECT s.embedding_id FROM pgsim._version AS s WHERE s.id = t.version_id) AND v.id <> t.version_id;
        IF NOT FOUND THEN
            RETURN 0;
        END IF;
        EXECUTE format(
            'SELECT count(*) FROM %s AS b WHERE %s AND %s', t.base,
            CASE WHEN a.adopted THEN format('b.%I IS NOT NULL', a.column_name)
                 ELSE format('EXISTS (SELECT FROM %s AS a WHERE %s)', a.relation, pgsim._key_join('b.', 'a.', t.key_columns, true)) END,
            CASE WHEN t.adopted THEN format('b.%I IS NULL', t.column_name) ELSE 'NOT ' || has_vector END)
        INTO missing;
        RETURN missing;
    END IF;
    PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    has_text := pgsim._source_text('b.', t.source_columns) || ' IS NOT NULL';
    IF t.adopted THEN
        EXECUTE format('SELECT count(*) FROM %s AS b WHERE b.%I IS NULL AND %s', t.base_sql, t.column_name, has_text) INTO missing;
    ELSIF stale THEN
        EXECUTE format('SELECT count(*) FROM %s AS b LEFT JOIN %s AS v ON %s WHERE %s AND coalesce(v.source_hash <> pgsim._source_hash(%s), v.embedding IS NULL)',
                       t.base_sql, t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true), has_text, pgsim._source_text('b.', t.source_columns)) INTO missing;
    ELSE
        -- Keys first, by their indexes: the texts are read of those rows alone that lack a vector.
        EXECUTE format('WITH lacking AS MATERIALIZED (SELECT %s FROM %s AS b WHERE NOT %s) SELECT count(*) FROM lacking AS l JOIN %s AS b ON %s WHERE %s',
                       pgsim._key_list('b.', t.key_columns, false), t.base_sql, has_vector, t.base_sql, pgsim._key_join('b.', 'l.', t.key_columns, false), has_text) INTO missing;
    END IF;
    RETURN missing;
END
$$;
COMMENT ON FUNCTION pgsim._missing_vectors IS
    'How many rows of a version should have a vector and have none; of one whose changes were not followed (stale) also those whose text is another now.';
