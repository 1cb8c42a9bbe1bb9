CREATE FUNCTION pgsim._calibrate_rows(t pgsim._target, queries vector[]) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- More rows than these tell nothing new.
    part text := CASE WHEN t.rows > 50000 THEN format('TABLESAMPLE SYSTEM (%s) REPEATABLE (0)', round((5e6 / t.rows)::numeric, 4)) END;
    stored text := format('%s.%I', CASE WHEN t.adopted THEN 'b' ELSE 'v' END, t.column_name);
    distance text := format('%s OPERATOR(%s.%s) $1', stored, t.vector_schema, pgsim._distance_operator(t.metric));
    -- A version table of its own is read as searches read it: row by row of the base table.
    own text := CASE WHEN NOT t.adopted THEN format(' JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END;
    keys text := pgsim._key_list('b.', t.key_columns, false);
    drawn text := format('SELECT %s FROM %s AS b TABLESAMPLE BERNOULLI (%s) REPEATABLE (0) LIMIT 500', keys, t.base_sql, round(least(100, 5e4 / greatest(t.rows, 1))::numeric, 4));
    statements text[];
    best float8;
    seconds float8[] := '{}';
    counted float8;
    kept float8;
    started timestamptz;
    -- Of a sample a join by hashes would read the whole other table.
    previous jsonb := pgsim._set('{"jit": "off", "max_parallel_workers_per_gather": "0"}' || CASE WHEN part IS NULL THEN '{}' ELSE '{"enable_hashjoin": "off", "enable_mergejoin": "off"}' END::jsonb);
BEGIN
    statements := ARRAY[
        format('SELECT count(%s) FROM (SELECT b.* FROM %s AS b %s) AS b', split_part(keys, ', ', 1), t.base_sql, part),
        concat('SELECT count(*) FROM (SELECT (', distance, ') OPERATOR(pg_catalog.+) 0 AS d FROM ', format('(SELECT b.* FROM %s AS b %s) AS b', t.base_sql, part), own, ' ORDER BY d LIMIT 10) AS n'),
        -- Rows by their keys, one at a time, scattered over the table.
        concat('SELECT count(*) FROM (SELECT ', distance, ' AS d FROM (', drawn, ') AS k CROSS JOIN LATERAL ',
               format('(SELECT * FROM %s AS b WHERE %s LIMIT 1) AS b', t.base_sql, pgsim._key_join('b.', 'k.', t.key_columns, false)), own, ' ORDER BY d LIMIT 10) AS n'),
        format('SELECT count(*) FROM (%s) AS k', drawn),
        CASE WHEN t.codes_sql IS NOT NULL THEN
            format('SELECT count(*) FROM (SELECT c.code %s %s AS h FROM %s AS c %s ORDER BY h LIMIT 1000) AS n', pgsim._code_distance(t.vector_schema, t.codes_element),
                   format('(SELECT %s)', pgsim._code_expression('$1', t.vector_schema, t.dim, t.codes_dims, t.codes_element, t.codes_map)), t.codes_sql, part) END];
    FOR s IN 1 .. cardinality(statements) LOOP
        best := NULL;
        FOR q IN 1 .. CASE WHEN statements[s] IS NULL THEN 0 ELSE cardinality(queries) END LOOP
            started := clock_timestamp();
            EXECUTE statements[s] USING queries[q];
            best := least(best, extract(epoch FROM clock_timestamp() - started));
        END LOOP;
        seconds := seconds || best;
    END LOOP;
    EXECUTE statements[1] INTO counted;
    EXECUTE statements[4] INTO kept;
    PERFORM pgsim._set(previous);
    counted := greatest(counted, 1);
    kept := greatest(kept, 1);
    RETURN jsonb_build_object(
        'scan_row', seconds[1] / counted,
        'keep_row', greatest(seconds[3] - seconds[4], 1e-7 * kept) / kept,
        -- Found through an index rows lie less scattered than by their keys, and more so than in a scan: half way in the logarithm.
        'exact_row', sqrt(greatest(seconds[2] - seconds[1], 1e-7 * counted) / counted * greatest(seconds[3] - seconds[4], 1e-7 * kept) / kept),
        'code_row', seconds[5] / counted);
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_rows IS 'What a row costs, in seconds: read in a scan, ranked by its vector among matches, fetched by its key and ranked, listed by its code; with the join of a version table of its own. The best of some runs.';
