CREATE FUNCTION pgsim._vector_indexes(t pgsim._target) RETURNS TABLE (
    index regclass, method text, dims int, element text, partial boolean, valid boolean, bytes bigint, tuples float8, created_at timestamptz
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT x.indexrelid::pg_catalog.regclass, m.amname::text,
           CASE WHEN NOT coalesce(i.options ? 'slice', false) THEN coalesce(i.dims, CASE WHEN x.indkey[0] <> 0 THEN _vector_indexes.t.dim END) END, coalesce(i.element, CASE WHEN x.indkey[0] <> 0 THEN _vector_indexes.t.element END),
           x.indpred IS NOT NULL, x.indisvalid, s.bytes, s.tuples, i.created_at
    FROM pg_catalog.pg_index AS x
    JOIN pg_catalog.pg_class AS k ON k.oid = x.indexrelid
    JOIN pg_catalog.pg_am AS m ON m.oid = k.relam AND m.amname IN ('hnsw', 'ivfflat')
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.indrelid AND a.attname = _vector_indexes.t.column_name
    LEFT JOIN pgsim._index AS i ON i.version_id = _vector_indexes.t.version_id AND i.name = k.relname
    CROSS JOIN LATERAL (
        SELECT sum(pg_catalog.pg_relation_size(l.oid))::bigint AS bytes, CASE WHEN min(l.reltuples) >= 0 THEN sum(l.reltuples::float8) END AS tuples
        FROM pg_catalog.pg_class AS l
        WHERE l.relkind = 'i' AND (l.oid = k.oid OR l.oid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(k.oid) AS p))
    ) AS s
    WHERE x.indrelid = _vector_indexes.t.version
      AND (a.attnum = ANY (x.indkey) OR EXISTS (
          SELECT FROM pg_catalog.pg_depend AS d
          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = k.oid AND d.refobjid = x.indrelid AND d.refobjsubid = a.attnum))
    ORDER BY k.relname;
END;
COMMENT ON FUNCTION pgsim._vector_indexes IS
    'The vector indexes of a version, those made by hand included. dims and element are NULL of an expression made by hand, dims of a slice, created_at of every index made by hand, tuples where PostgreSQL has not counted yet.';
