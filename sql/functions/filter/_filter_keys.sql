CREATE FUNCTION pgsim._filter_keys(relation regclass, OUT level int, OUT step text, OUT key oid, OUT key_columns smallint[], OUT target regclass) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT v.level, v.step, min(k.oid), k.conkey, k.confrelid::regclass
    FROM pg_constraint AS k
    JOIN pg_class AS t ON t.oid = k.confrelid
    JOIN pg_attribute AS f ON f.attrelid = k.conrelid AND f.attnum = k.conkey[1]
    JOIN pg_index AS i ON i.indexrelid = k.conindid
    CROSS JOIN LATERAL (
        VALUES (1, CASE WHEN cardinality(k.conkey) = 1 THEN f.attname::text END),
               (2, CASE WHEN cardinality(k.conkey) = 1 AND f.attname LIKE '_%\_id' THEN left(f.attname, -3) END),
               (3, t.relname::text)
    ) AS v (level, step)
    WHERE k.conrelid = relation AND k.contype = 'f' AND v.step IS NOT NULL
      -- A key with PERIOD leads to many rows. A key to a partitioned table has one entry more for each partition.
      AND NOT i.indisexclusion
      AND NOT EXISTS (SELECT FROM pg_constraint AS p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
    GROUP BY v.level, v.step, k.conkey, k.confrelid, k.confkey;
END
$$;
COMMENT ON FUNCTION pgsim._filter_keys IS
    'Where a filter''s path may lead from a table: its foreign keys, by each name that a step may have: 1 the key''s column, 2 that without _id, 3 the table it references. Level 1 goes before 2 and 3.';
