CREATE FUNCTION pgsim._advise_codes(t pgsim._target, embedding text, plans pgsim._search_plan[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, served int[], seconds float8[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._calibration := pgsim._calibrated(t);
    declared text[] := (SELECT s.filter_columns FROM pgsim._collection AS s WHERE s.id = t.collection_id);
    mirrored text[] := pgsim._codes_columns(t.key_columns, declared);
    row_bytes float8;
    column_bytes jsonb;
BEGIN
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = t.base AND r.relkind = 'p') OR 'code' = ANY (mirrored) THEN
        RETURN;
    END IF;
    -- What a column adds: itself, and its index.
    SELECT jsonb_object_agg(a.attname, coalesce(s.avg_width, CASE WHEN a.attlen > 0 THEN a.attlen ELSE 16 END)
                                       + CASE WHEN a.attname = ANY (t.key_columns) THEN 30 WHEN x.method = 'hash' THEN 48 WHEN x.method = 'gin' THEN 12 WHEN x.method = 'btree' THEN 8 ELSE 0 END)
    INTO column_bytes
    FROM pg_attribute AS a
    JOIN pg_class AS r ON r.oid = a.attrelid
    JOIN pg_namespace AS n ON n.oid = r.relnamespace
    LEFT JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = r.relname AND s.attname = a.attname AND NOT s.inherited
    LEFT JOIN pgsim._codes_indexes(t.base, t.base, mirrored || coalesce((SELECT array_agg(DISTINCT n) FROM unnest(plans) AS p CROSS JOIN unnest(p.columns) AS n WHERE n <> ALL (mirrored)), '{}')) AS x ON x.column_name = a.attname
    WHERE a.attrelid = t.base AND a.attnum > 0 AND NOT a.attisdropped;
    row_bytes := 44 + t.dim / 8.0 + (SELECT coalesce(sum((column_bytes ->> m)::float8), 0) FROM unnest(mirrored) AS m);

    RETURN QUERY
        WITH searched AS MATERIALIZED (
            SELECT i AS place, ARRAY(SELECT n FROM unnest(plans[i].columns) AS n WHERE n <> ALL (mirrored) ORDER BY n) AS lacking,
                   pgsim._codes_seconds(c, least(plans[i].expected, plans[i].reachable), plans[i].depth, plans[i].margin, coalesce(t.codes_element, 'bit')) AS seconds
            FROM generate_series(1, cardinality(plans)) AS i
            WHERE plans[i].recall < 1 AND plans[i].margin < 'Infinity'
        )
        SELECT 'codes', t.base_sql, s.statement, row_bytes * t.rows, 0.3 + 8e-8 * row_bytes * t.rows,
               format('a narrow table of key, filter columns (%s) and one bit a dimension answers filtered searches of medium size', coalesce(nullif(array_to_string(declared, ', '), ''), 'none declared')),
               s.arguments, array_agg(d.place), array_agg(d.seconds)
        FROM searched AS d CROSS JOIN pgsim._advise_create_index(t, embedding, NULL, 'codes', NULL) AS s
        WHERE d.lacking = '{}' AND NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes')
        GROUP BY s.statement, s.arguments
        UNION ALL
        SELECT 'filter_columns', array_to_string(d.lacking, ', '), NULL, t.rows * (SELECT sum((column_bytes ->> m)::float8) FROM unnest(d.lacking) AS m), NULL,
               format('codes do not have %s, so they cannot answer searches that ask for it. Register the table with filter_columns => %L: what is registered has to be dropped first, of which adopted columns '
                      'lose nothing, but a version with a table of its own loses its vectors', array_to_string(d.lacking, ', '), declared || d.lacking),
               NULL, array_agg(d.place), array_agg(d.seconds)
        FROM searched AS d WHERE d.lacking <> '{}' AND cardinality(mirrored || d.lacking) < 100 GROUP BY d.lacking;
END
$$;
COMMENT ON FUNCTION pgsim._advise_codes IS 'What pgsim.advise may say of codes: make them, or have them mirror further columns. seconds are those of the searches served.';
