CREATE FUNCTION pgsim._codes_indexes(base regclass, codes regclass, columns text[]) RETURNS TABLE (column_name text, method text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT n.name,
           CASE WHEN own.methods @> '{gin}' OR t.typname = 'jsonb' THEN 'gin'
                WHEN NOT pgsim._is_ordered(t.oid) THEN NULL
                WHEN t.typlen > 0 OR t.typtype = 'e' OR t.typname = 'numeric' OR own.methods @> '{btree}' THEN 'btree'
                WHEN hashed.type THEN 'hash' END
    FROM unnest(columns) WITH ORDINALITY AS n (name, ordinal)
    JOIN pg_attribute AS a ON a.attrelid = base AND a.attname = n.name AND NOT a.attisdropped
    JOIN pg_attribute AS k ON k.attrelid = codes AND k.attname = n.name
    JOIN pg_type AS t ON t.oid = k.atttypid
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(m.amname::text), '{}') AS methods
        FROM pg_index AS x JOIN pg_class AS r ON r.oid = x.indexrelid JOIN pg_am AS m ON m.oid = r.relam JOIN pg_opclass AS o ON o.oid = x.indclass[0]
        WHERE x.indrelid = base AND x.indkey[0] = a.attnum AND o.opcdefault AND x.indpred IS NULL
    ) AS own
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM pg_opclass AS o JOIN pg_am AS m ON m.oid = o.opcmethod AND m.amname = 'hash'
                       WHERE o.opcdefault AND o.opcintype = CASE t.typname WHEN 'varchar' THEN 'text'::regtype
                             ELSE coalesce((SELECT r.rngsubtype FROM pg_range AS r WHERE r.rngtypid = t.oid), t.oid) END) AS type
    ) AS hashed
    ORDER BY n.ordinal;
END;
COMMENT ON FUNCTION pgsim._codes_indexes IS
    'The index that codes get on each filter column, NULL for none. What a btree or GIN index may refuse for its length is indexed so only where the base table''s own index refuses it too; otherwise a writer would fail for pgsim''s sake.';
