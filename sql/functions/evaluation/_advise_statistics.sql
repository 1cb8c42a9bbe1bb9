CREATE FUNCTION pgsim._advise_statistics(t pgsim._target, plans pgsim._search_plan[], searches float8[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, asked float8, before float8, after float8)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT int := 10;
    c pgsim._calibration := pgsim._calibrated(t);
    met record;
    p pgsim._search_plan;
    place int;
    off float8;
    counted float8;
    matches float8;
    expected float8;
    share float8;
    taken text;
BEGIN
    FOR met IN
        WITH used AS (
            SELECT i, array_agg(DISTINCT f.attname::text ORDER BY f.attname::text) AS columns, array_agg(DISTINCT f.attnum) AS numbers
            FROM generate_series(1, cardinality(plans)) AS i
            CROSS JOIN LATERAL pgsim._filter_atoms((plans[i].request).filter, 1) AS a
            JOIN pg_attribute AS f ON f.attrelid = t.base AND f.attname = a.path AND f.attnum > 0 AND f.attgenerated <> 'v' AND pgsim._is_ordered(f.atttypid)
            WHERE a.operator IN ('$eq', '$in', '$gt', '$gte', '$lt', '$lte', '$between')
            GROUP BY i HAVING count(DISTINCT f.attnum) BETWEEN 2 AND 8
        ),
        grouped AS (
            -- Of all searches on the same columns, those that came most often are counted.
            SELECT u.columns, u.numbers, sum(searches[u.i]) AS asked, (array_agg(u.i ORDER BY searches[u.i] DESC, u.i))[:3] AS places
            FROM used AS u GROUP BY u.columns, u.numbers
        )
        SELECT g.columns, g.asked, g.places, e.name IS NULL AS missing
        FROM grouped AS g
        LEFT JOIN LATERAL (SELECT e.stxname AS name, e.stxnamespace::regnamespace::text AS schema FROM pg_statistic_ext AS e
                           WHERE e.stxrelid = t.base AND g.numbers <@ e.stxkeys::int2[] AND e.stxkind && '{f,m}'::"char"[] LIMIT 1) AS e ON true
        -- Those that were made and not gathered yet take an ANALYZE alone.
        WHERE NOT EXISTS (SELECT FROM pg_stats_ext AS x WHERE quote_ident(x.statistics_schemaname) = e.schema AND x.statistics_name = e.name
                          AND (x.dependencies IS NOT NULL OR x.most_common_freqs IS NOT NULL))
        ORDER BY g.asked DESC LIMIT most
    LOOP
        share := CASE WHEN t.partitioned THEN 1 ELSE least(1, 1e5 / greatest(1, (SELECT r.relpages FROM pg_class AS r WHERE r.oid = t.base))) END;
        off := 1;
        FOREACH place IN ARRAY met.places LOOP
            counted := pgsim._count(concat(t.base_sql, CASE WHEN share < 1 THEN format(' TABLESAMPLE SYSTEM (%s) REPEATABLE (0)', 100 * share) END), plans[place].predicate, plans[place].given) / share;
            IF greatest(counted, plans[place].estimated) >= 100
               AND off < greatest(greatest(counted, 1) / greatest(plans[place].estimated, 1), greatest(plans[place].estimated, 1) / greatest(counted, 1)) THEN
                off := greatest(greatest(counted, 1) / greatest(plans[place].estimated, 1), greatest(plans[place].estimated, 1) / greatest(counted, 1));
                matches := counted;
                p := plans[place];
            END IF;
        END LOOP;
        CONTINUE WHEN off < 3;
        expected := p.estimated;
        taken := CASE WHEN p.strategy IN ('exact', 'codes') THEN p.strategy ELSE 'ann' END;
        p.scanned := CASE WHEN p.scanned > p.expected THEN p.scanned ELSE matches END;
        p.expected := matches;
        p := pgsim._choose_strategy(p, true);
        RETURN QUERY SELECT
            'statistics', array_to_string(met.columns, ', '),
            format('%sANALYZE %s', CASE WHEN met.missing THEN
                format('CREATE STATISTICS %s.%I (dependencies, mcv) ON %s FROM %s; ', (SELECT r.relnamespace::regnamespace FROM pg_class AS r WHERE r.oid = t.base),
                       pgsim._free_name(t.base, concat_ws('_', left((SELECT r.relname FROM pg_class AS r WHERE r.oid = t.base), 25), left(array_to_string(met.columns, '_'), 25), 'stat')),
                       (SELECT string_agg(quote_ident(n), ', ') FROM unnest(met.columns) AS n), t.base_sql) END, t.base_sql),
            16384.0::float8, 2e-5 * least(t.rows, 30000),
            format('PostgreSQL takes these columns for independent: it expects %s rows where %s match%s', expected::bigint, matches::bigint, CASE WHEN share < 1 THEN ' (in a sample of pages)' END),
            NULL::jsonb, met.asked, CASE taken WHEN 'ann' THEN pgsim._ann_seconds(c, p, least(matches, p.reachable)) WHEN 'exact' THEN p.scanned * c.scan_row + matches * c.exact_row ELSE (p.costs ->> taken)::float8 END,
            (p.costs ->> CASE WHEN p.strategy IN ('exact', 'codes') THEN p.strategy ELSE 'ann' END)::float8;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise_statistics IS
    'What pgsim.advise may say of extended statistics: for columns that meet in filters, where the matches counted are three times as many or as few as expected. before is what the plan chosen now costs for the matches that there are.';
