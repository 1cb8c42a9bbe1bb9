CREATE FUNCTION pgsim._advise_filter_indexes(t pgsim._target, plans pgsim._search_plan[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, served int[], seconds float8[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._calibration := pgsim._calibrated(t);
    wide record;
    name text;
BEGIN
    FOR wide IN
        WITH atoms AS (
            SELECT i, a.path, a.operator, a.value, x.method, x.item, x.row_bytes, x.correlation
            FROM generate_series(1, cardinality(plans)) AS i
            CROSS JOIN LATERAL pgsim._filter_atoms((plans[i].request).filter, 1) AS a
            CROSS JOIN LATERAL pgsim._filter_index(t.base, a.path, a.operator, t.rows) AS x
            -- Where PostgreSQL reads the whole table only to find the matches.
            WHERE x.method IS NOT NULL AND plans[i].scanned > plans[i].expected
        ),
        narrowed AS (
            SELECT a.method, a.item, a.path, a.row_bytes, a.i, max(a.correlation) AS correlation,
                   (pgsim._plan_search(ROW(t.collection, 10, jsonb_build_object('$and', jsonb_agg(jsonb_build_object(a.path, jsonb_build_object(a.operator, a.value)))), t.model,
                                           (plans[a.i].request).embedding, 1, 'auto', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request)).estimated AS rows
            FROM atoms AS a GROUP BY a.method, a.item, a.path, a.row_bytes, a.i
        )
        SELECT n.method, n.item, min(n.path) AS path, max(n.row_bytes) * t.rows AS bytes, array_agg(n.i) AS served,
               array_agg(greatest(n.rows, plans[n.i].expected) * c.scan_row + plans[n.i].expected * c.exact_row) AS seconds
        FROM narrowed AS n
        WHERE pgsim._index_pays(t.base, t.rows, n.rows, n.correlation)
        GROUP BY n.method, n.item
    LOOP
        name := pgsim._free_name(t.base, concat_ws('_', left((SELECT r.relname FROM pg_class AS r WHERE r.oid = t.base), 30), left(regexp_replace(wide.path, '\W', '_', 'g'), 22), 'idx'));
        RETURN QUERY SELECT
            wide.method || '_index', wide.path,
            format('CREATE INDEX %s%I ON %s USING %s (%s)', CASE WHEN NOT t.partitioned THEN 'CONCURRENTLY ' END, name, t.base_sql, wide.method, wide.item),
            wide.bytes, t.rows * CASE wide.method WHEN 'gin' THEN 4e-6 ELSE 1e-6 END,
            format('searches read all %s rows to find their matches%s', t.rows::bigint, CASE WHEN t.partitioned THEN '; the table is partitioned, so writers wait while it is built' END),
            jsonb_build_object('name', format('%s.%I', (SELECT r.relnamespace::regnamespace FROM pg_class AS r WHERE r.oid = t.base), name)),
            wide.served, wide.seconds;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise_filter_indexes IS
    'What pgsim.advise may say of btree and GIN indexes on the base table: where searches read the whole table to find their matches, and PostgreSQL would take the index. seconds are those of the exact search with it.';
