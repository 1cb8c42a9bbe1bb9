CREATE FUNCTION pgsim._wants_codes(t pgsim._target, dims int, where_filter jsonb) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(dims, t.dim) = t.dim AND t.element <> 'sparsevec' AND where_filter IS NULL AND c.filter_columns <> '{}' AND r.relkind = 'r'
           AND 'code' <> ALL (c.key_columns || c.filter_columns)
           AND cardinality(c.filter_columns) = (SELECT count(*) FROM pg_attribute AS a
                                                WHERE a.attrelid = c.relation AND a.attname = ANY (c.filter_columns) AND a.attgenerated <> 'v' AND NOT a.attisdropped)
           AND current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') AND NOT row_security_active(c.relation)
           AND NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes')
    FROM pgsim._collection AS c JOIN pg_class AS r ON r.oid = c.relation
    WHERE c.id = t.collection_id;
END;
COMMENT ON FUNCTION pgsim._wants_codes IS 'Whether an index of the full width is to be accompanied by codes: the collection declares filter columns, has none yet, and they can be made here.';
