CREATE FUNCTION pgsim._advise_partition(t pgsim._target, plans pgsim._search_plan[], searches float8[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, served int[], seconds float8[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._calibration := pgsim._calibrated(t);
    total float8 := (SELECT sum(s) FROM unnest(searches) AS s);
    col record;
    p pgsim._search_plan;
    places int[];
    costs float8[];
BEGIN
    IF t.partitioned THEN
        RETURN;
    END IF;
    FOR col IN
        SELECT s.attname::text AS name, s.n_distinct::int AS distinct_values, count(*) AS kinds, sum(searches[a.i]) AS asked, array_agg(a.i) AS places, array_agg(a.value) AS items
        FROM (SELECT i, a.path, a.value FROM generate_series(1, cardinality(plans)) AS i CROSS JOIN LATERAL pgsim._filter_atoms((plans[i].request).filter, 1) AS a
              WHERE a.operator = '$eq' AND a.value <> 'null') AS a
        JOIN pg_class AS r ON r.oid = t.base
        JOIN pg_namespace AS n ON n.oid = r.relnamespace
        JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = r.relname AND s.attname = a.path
        WHERE s.n_distinct BETWEEN 2 AND 100 AND t.rows / s.n_distinct >= 2000 AND NOT s.inherited
        GROUP BY s.attname, s.n_distinct HAVING sum(searches[a.i]) > total / 2
    LOOP
        places := '{}';
        costs := '{}';
        FOR i IN 1 .. cardinality(col.places) LOOP
            p := pgsim._plan_search(ROW(t.collection, 10, jsonb_build_object(col.name, jsonb_build_object('$eq', col.items[i])), t.model, (plans[1].request).embedding, 1, 'auto',
                                        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request);
            plans[col.places[i]].reachable := greatest(1, p.estimated);
            p := plans[col.places[i]];
            places := places || col.places[i];
            costs := costs || least(least(p.scanned, p.reachable) * c.scan_row + p.expected * c.exact_row,
                                    CASE WHEN p.recall < 1 THEN pgsim._ann_seconds(c, p, least(p.expected, p.reachable)) END);
        END LOOP;
        RETURN QUERY SELECT
            'partition', col.name, NULL, 0.0::float8, NULL::float8,
            format('%1$s%% of the searches ask for one value of %2$s, of which there are %3$s. Make a table PARTITION BY LIST (%2$I), whose primary key has %2$I too, copy the rows, register it and build its index: each '
                   'search then reads one partition. Instead of the partial indexes and codes above, not beside them: codes are for ordinary tables',
                   round(100 * col.asked / total), col.name, col.distinct_values),
            NULL::jsonb, places, costs;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise_partition IS 'What pgsim.advise may say of partitioning: by a column of few values, one of which most searches ask for.';
