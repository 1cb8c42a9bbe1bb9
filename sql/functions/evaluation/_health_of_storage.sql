CREATE FUNCTION pgsim._health_of_storage(t pgsim._target) RETURNS TABLE (measure text, value float8, verdict text, explanation text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    row_estimate CONSTANT float8 := pgsim._rows_estimate(t.version);
    shared_buffers CONSTANT bigint := pg_size_bytes(current_setting('shared_buffers'));
    cache_size CONSTANT bigint := pg_size_bytes(current_setting('effective_cache_size'));
    counted record;
    made record;
    x record;
    fraction float8;
    codes CONSTANT bigint := (
        SELECT sum(i.bytes) FROM pgsim.indexes AS i JOIN pgsim.versions AS v ON v.collection = i.collection AND v.embedding = i.embedding AND v.model = i.model
        WHERE v.id = t.version_id AND i.method = 'codes');
    bytes bigint;
    calibrated float8;
BEGIN
    SELECT sum(pg_stat_get_live_tuples(p.relid)) AS live, sum(pg_stat_get_dead_tuples(p.relid)) AS dead, sum(pg_stat_get_mod_since_analyze(p.relid)) AS changed,
           min(coalesce(greatest(pg_stat_get_last_analyze_time(p.relid), pg_stat_get_last_autoanalyze_time(p.relid)), '-infinity')) AS analyzed,
           CASE WHEN min(r.reltuples) >= 0 THEN sum(r.reltuples::float8) END AS "rows"
    INTO counted
    FROM (SELECT q.relid FROM pg_partition_tree(t.version) AS q WHERE q.isleaf UNION SELECT t.version) AS p
    JOIN pg_class AS r ON r.oid = p.relid AND r.relkind = 'r';
    fraction := counted.dead::float8 / nullif(counted.live + counted.dead, 0);
    RETURN QUERY VALUES ('dead_rows', fraction, pgsim._verdict(fraction, 0.1, 0.3),
        CASE WHEN fraction IS NULL THEN format('PostgreSQL has counted no rows in %s', t.version_sql)
             ELSE format('share of dead rows in %s, as PostgreSQL counts them: %s of %s; a vector index visits their entries until they are vacuumed', t.version_sql, counted.dead, counted.live + counted.dead) END,
        format('REINDEX the vector indexes CONCURRENTLY, which makes vacuuming them fast, then VACUUM %s.', t.version_sql));

    SELECT count(*) FILTER (WHERE i.valid) AS count, coalesce(sum(i.bytes), 0)::bigint AS bytes,
           string_agg(format('%s (%s, %s%s)', i.index, i.method, pg_size_pretty(i.bytes), CASE WHEN NOT i.valid THEN ', invalid' WHEN i.partial THEN ', partial' ELSE '' END), ', ') AS names
    INTO made
    FROM pgsim._vector_indexes(t) AS i;
    RETURN QUERY VALUES ('vector_indexes', made.count::float8, CASE WHEN made.count = 0 AND row_estimate > 20000 THEN 'note' ELSE 'ok' END,
        concat_ws(', ', coalesce(made.names, format('no vector index over about %s rows', row_estimate)), 'codes (' || pg_size_pretty(codes) || ')'),
        format('SELECT pgsim.create_index(%L, %L), or "pgsim index create", which does not block writers.', t.collection, t.model));

    FOR x IN SELECT * FROM pgsim._vector_indexes(t) AS i WHERE i.valid LOOP
        fraction := CASE WHEN NOT x.partial THEN x.tuples / nullif(counted.rows, 0) END;
        RETURN QUERY VALUES ('index_rows', fraction, pgsim._verdict(abs(fraction - 1), 0.1, 'inf'),
            CASE WHEN x.partial THEN format('%s is partial: it has about %s entries', x.index, x.tuples)
                 WHEN fraction IS NULL THEN format('PostgreSQL has not counted the entries of %s and the rows of %s, or found none', x.index, t.version_sql)
                 ELSE format('entries of %s to a row of %s, by the last count of each', x.index, t.version_sql) END,
            format('VACUUM ANALYZE %s counts anew. Rows without a vector have no entry; dead ones have one until they are vacuumed.', t.version_sql));

        fraction := NULL;
        IF NOT t.adopted THEN
            EXECUTE format('SELECT avg((v.embedded_at > $1)::int)::float8 FROM %s AS v %s', t.version_sql,
                           CASE WHEN row_estimate > 50000 THEN format('TABLESAMPLE SYSTEM (%s) REPEATABLE (0)', 2000000 / row_estimate) END)
            INTO fraction USING x.created_at;
        ELSIF counted.analyzed >= x.created_at THEN
            fraction := counted.changed / nullif(counted.rows, 0);
        END IF;
        RETURN QUERY VALUES ('changed_since_build', fraction, pgsim._verdict(fraction, 0.5, 'inf'),
            CASE WHEN x.created_at IS NULL THEN format('%s was not made by pgsim, and PostgreSQL does not date it', x.index)
                 WHEN fraction IS NULL THEN format('not known: PostgreSQL does not date the rows of %s, and it was not analyzed after %s was made', t.version_sql, x.index)
                 WHEN t.adopted THEN format('at least this share of the rows changed since %s was made at %s: those since the last ANALYZE; a REINDEX by hand is not seen', x.index, x.created_at::timestamptz(0))
                 ELSE format('share of the vectors that were stored after %s was made at %s; a REINDEX by hand is not seen', x.index, x.created_at::timestamptz(0)) END,
            format('Where recall has suffered (recall_ef_200), REINDEX INDEX CONCURRENTLY %s.', x.index));
    END LOOP;

    bytes := made.bytes + coalesce(codes, 0);
    RETURN QUERY VALUES ('memory', bytes::float8, pgsim._verdict(bytes, shared_buffers, cache_size),
        format('bytes of the vector indexes and codes, %s; shared_buffers is %s, effective_cache_size %s', pg_size_pretty(bytes), pg_size_pretty(shared_buffers), pg_size_pretty(cache_size)),
        CASE WHEN bytes > cache_size THEN 'A search will wait for the disk. Index halfvec elements (half the bytes) or a prefix, or take a machine with more memory.'
             ELSE 'Raise shared_buffers where the machine has the memory; until then the operating system''s cache serves what does not fit.' END);

    calibrated := (SELECT k.rows FROM pgsim._calibration AS k WHERE k.version_id = t.version_id AND k.scan_row IS NOT NULL);
    RETURN QUERY VALUES ('calibration', row_estimate / nullif(calibrated, 0),
        CASE WHEN row_estimate < 2000 AND calibrated IS NULL OR pgsim._calibration_state(t) LIKE 'of %' THEN 'ok' ELSE 'note' END,
        CASE WHEN calibrated IS NULL THEN 'not calibrated: the planner goes by defaults'
             ELSE format('rows now to a row at the calibration: %s', pgsim._calibration_state(t)) END,
        format('Run pgsim.calibrate(%L, model => %L): it blocks nobody.', t.collection, t.model));
END
$$;
COMMENT ON FUNCTION pgsim._health_of_storage IS 'The measures of pgsim.health that the catalogue and PostgreSQL''s counters give, and the dates of vectors in a version table.';
