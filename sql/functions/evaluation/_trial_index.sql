CREATE FUNCTION pgsim._trial_index(t pgsim._target, turned boolean, dims int, element text, k int, recall float8)
RETURNS TABLE (ef int, keep int, recalls float8[], quality float8, seconds float8, bytes bigint, build_seconds float8)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    levels CONSTANT int[] := '{10,16,25,40,64,100,160,250,400,640,1000}';
    operator CONSTANT text := CASE element WHEN 'bit' THEN '<~>' ELSE pgsim._distance_operator(t.metric) END;
    -- The order of the index is that of the stored vectors, so nothing is ranked again.
    final CONSTANT boolean := NOT turned AND dims = t.dim AND element = t.element;
    nearest CONSTANT text := format('SELECT s.key, %s AS d FROM pg_temp._pgsim_trial AS s ORDER BY %s OPERATOR(%s.%s) %s', pgsim._trial_distance(t), pgsim._trial_coarse(t, CASE WHEN turned THEN 's.r' ELSE 's.v' END, turned, dims, element), t.vector_schema, operator,
                                    pgsim._trial_coarse(t, CASE WHEN turned THEN '$2' ELSE format('$1::%s.%I(%s)', t.vector_schema, t.element, t.dim) END, turned, dims, element));
    previous jsonb;
    wanted bigint;
    started timestamptz;
    q record;
    found record;
    list float8[];
    hits int[];
    taken float8[];
    ranks float8[];
    labelled boolean;
    reached int := 0;
    far boolean := false;
    rows CONSTANT float8 := (SELECT r.reltuples FROM pg_class AS r WHERE r.oid = to_regclass('pg_temp._pgsim_trial'));
BEGIN
    previous := pgsim._set(jsonb_build_object('maintenance_work_mem', greatest(
        (SELECT s.setting::float8 FROM pg_settings AS s WHERE s.name = 'maintenance_work_mem'),
        least(1048576, 65536 + 1.3 / 1024 * pgsim._hnsw_bytes(dims, element, 16, rows)))::bigint::text || 'kB'));
    started := clock_timestamp();
    EXECUTE format('CREATE INDEX _pgsim_trial_index ON pg_temp._pgsim_trial USING hnsw ((%s) %s.%I)', pgsim._trial_coarse(t, CASE WHEN turned THEN 'r' ELSE 'v' END, turned, dims, element), t.vector_schema, CASE element WHEN 'bit' THEN 'bit_hamming_ops' ELSE format('%s_%s_ops', element, t.metric) END);
    build_seconds := extract(epoch FROM clock_timestamp() - started);
    bytes := pg_relation_size('pg_temp._pgsim_trial_index');
    PERFORM pgsim._set(previous);

    previous := pgsim._set('{"enable_seqscan": "off", "enable_sort": "on", "jit": "off", "hnsw.iterative_scan": "off", "hnsw.ef_search": "40"}');
    EXECUTE 'SELECT sum(cardinality(truth)), bool_or(relevant <> ''{}'') FROM pg_temp._pgsim_trial_query' INTO wanted, labelled;
    FOREACH ef IN ARRAY levels LOOP
        CONTINUE WHEN ef < k;
        IF far AND ef < 1000 THEN
            far := false;
            CONTINUE;
        END IF;
        PERFORM set_config('hnsw.ef_search', ef::text, true);
        keep := k;
        IF NOT final THEN
            -- Where in the order of the index the true rows stand tells how many must be kept.
            hits := '{}';
            FOR q IN EXECUTE 'SELECT query, turned, truth FROM pg_temp._pgsim_trial_query ORDER BY number' LOOP
                EXECUTE format('SELECT array_agg(n.d) FROM (%s LIMIT %s) AS n', nearest, ef) INTO list USING q.query, q.turned;
                hits := hits || ARRAY(SELECT f.place::int FROM unnest(list) WITH ORDINALITY AS f (d, place)
                                      WHERE f.d <= q.truth[cardinality(q.truth)] + 1e-6 * greatest(1, abs(q.truth[cardinality(q.truth)])) ORDER BY f.place LIMIT cardinality(q.truth));
            END LOOP;
            -- Where much is missed, and larger ef are left, nothing is timed.
            far := cardinality(hits) < wanted - 3 * (1 - recall) * wanted - 1;
            CONTINUE WHEN cardinality(hits) < ceil(recall * wanted) AND ef < least(1000, rows);
            hits := ARRAY(SELECT h FROM unnest(hits) AS h ORDER BY h);
            keep := greatest(k, coalesce(hits[least(ceil(recall * wanted), ceil(0.998 * cardinality(hits)))::int], ef));
        END IF;
        recalls := '{}';
        taken := '{}';
        ranks := '{}';
        FOR q IN EXECUTE 'SELECT query, turned, truth, relevant FROM pg_temp._pgsim_trial_query ORDER BY number' LOOP
            started := clock_timestamp();
            EXECUTE format('SELECT array_agg(n.d) AS distances, array_agg(n.key) AS keys FROM (SELECT * FROM (%s LIMIT %s) AS c ORDER BY c.d, c.key COLLATE "C" LIMIT %s) AS n', nearest, keep, k)
            INTO found USING q.query, q.turned;
            taken := taken || extract(epoch FROM clock_timestamp() - started)::float8;
            recalls := recalls || pgsim._tie_recall(found.distances, q.truth);
            ranks := ranks || pgsim._reciprocal_rank(found.keys, q.relevant);
        END LOOP;
        seconds := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY u) FROM unnest(taken) AS u);
        quality := CASE WHEN labelled THEN (SELECT avg(u) FROM unnest(ranks) AS u) END;
        RETURN NEXT;
        -- The next larger ef may need to keep fewer.
        reached := reached + ((SELECT avg(u) FROM unnest(recalls) AS u) >= recall - 1e-9)::int;
        EXIT WHEN reached = CASE WHEN final THEN 1 ELSE 2 END OR ef >= rows;
    END LOOP;
    PERFORM pgsim._set(previous);
    EXECUTE 'DROP INDEX pg_temp._pgsim_trial_index';
END
$$;
COMMENT ON FUNCTION pgsim._trial_index IS
    'Builds an HNSW index of the copied rows, searches it with greater and greater ef, and drops it: for each ef that reaches the recall, or the greatest, how many rows must be kept for the recall (or for nearly all that are found there), the recall of each query then, the mean reciprocal rank of the first relevant row, the median time, and the size and time of the index. It stops where the recall is reached. turned: of a rotated prefix that stands in column r.';
