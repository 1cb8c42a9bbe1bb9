CREATE FUNCTION pgsim._try_codes(
    collection text, model text, embedding text, filters jsonb[], queries vector[], k int, recall float8, searches int, sample int, seed int, kinds jsonb[], matrix vector[]
) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turns CONSTANT float8[] := '{0.3,0.6,0.9}';
    t pgsim._target := pgsim._target(collection, model, embedding);
    c pgsim._collection := pgsim._collection_row(collection);
    columns text[] := pgsim._codes_columns(c.key_columns, c.filter_columns);
    trial text := format('pgsim trial of codes %s', pg_backend_pid());
    copied regclass;
    copied_rows float8;
    total float8;
    found jsonb;
    asked queries%TYPE;
    drawn queries%TYPE;
    kind jsonb;
    codes regclass;
    started timestamptz;
    building float8;
    seconds float8;
    distances float8[];
    -- Of every filter and query: the distances of the true rows, and the time of ranking all that match.
    truths jsonb := '{}';
    by_exact float8[] := '{}';
    recalls float8[];
    times float8[];
    refusal text;
    tried jsonb := '[]';
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._require_dense(t, 'codes are');
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._check_k(k);
    IF t.partitioned THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('%s is partitioned, and codes are for ordinary tables', t.base_sql), HINT = 'Filter by the partition key.';
    ELSIF num_nulls(recall, searches, sample, seed) > 0 OR NOT recall BETWEEN .5 AND 1 OR searches NOT BETWEEN 1 AND 1000 OR sample NOT BETWEEN 100 AND 1000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('recall is %s, searches %s, sample %s, seed %s; allowed are a share from 0.5 to 1, 1 to 1000 queries, and 100 to 1000000 rows', recall, searches, sample, seed),
            HINT = 'Leave them out for the defaults.';
    END IF;
    asked := pgsim._recall_queries(collection, queries, model, embedding, searches, seed);
    IF t.map_id IS NOT NULL THEN
        asked := pgsim._mapped_queries(t, asked);
    END IF;
    IF cardinality(asked) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('collection %L has no vectors to ask for', collection), HINT = 'Store vectors first.';
    END IF;
    IF queries IS NULL THEN
        -- What is asked lies somewhat off every row.
        drawn := asked;
        FOR i IN 1 .. cardinality(asked) LOOP
            asked[i] := pgsim._turned(drawn[i], ARRAY(SELECT drawn[1 + (17 * i + 7 * j) % cardinality(drawn)] FROM generate_series(1, 16) AS j), turns[1 + i % 3]);
        END LOOP;
    END IF;

    IF NOT has_schema_privilege(t.base_schema, 'CREATE') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not make a table in schema %s, where a copy of some rows is searched', current_user, t.base_schema), HINT = format('GRANT CREATE ON SCHEMA %s TO %I.', t.base_schema, current_user);
    END IF;
    -- A table of its own, dropped below; who breaks off leaves nothing, since it is one transaction.
    total := greatest(CASE WHEN t.rows < 0 THEN pgsim._rows_estimate(t.base) ELSE t.rows END, 1);
    EXECUTE format('CREATE TABLE %s.%I AS SELECT %s, %s AS pgsim_vector FROM %s AS b %s%s WHERE %s IS NOT NULL LIMIT %s', t.base_schema, trial, (SELECT string_agg(format('b.%I', n), ', ') FROM unnest(columns) AS n),
        format('%s.%I', CASE WHEN t.adopted THEN 'b' ELSE 'v' END, t.column_name), t.base_sql,
        CASE WHEN total > sample THEN format('TABLESAMPLE BERNOULLI (%s) REPEATABLE (%s)', round((100 * sample / total)::numeric, 6), seed) END,
        CASE WHEN NOT t.adopted THEN format(' JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END,
        format('%s.%I', CASE WHEN t.adopted THEN 'b' ELSE 'v' END, t.column_name), sample);
    EXECUTE format('ALTER TABLE %s.%I ADD PRIMARY KEY (%s)', t.base_schema, trial, pgsim._key_list('', t.key_columns, false));
    copied := format('%s.%I', t.base_schema, trial)::regclass;
    EXECUTE format('ANALYZE %s', copied);
    EXECUTE format('SELECT count(*) FROM %s', copied) INTO copied_rows;
    IF filters IS NULL THEN
        -- Values that leave what codes are for: a hundredth to a fifth of the rows.
        filters := '{}';
        FOR i IN cardinality(c.key_columns) + 1 .. cardinality(columns) LOOP
            CONTINUE WHEN (SELECT y.typcategory = 'A' OR NOT pgsim._is_ordered(y.oid) FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid WHERE a.attrelid = copied AND a.attname = columns[i]);
            EXECUTE format('SELECT jsonb_agg(to_jsonb(n.v)) FROM (SELECT b.%1$I AS v FROM %2$s AS b WHERE b.%1$I IS NOT NULL GROUP BY 1 HAVING count(*) BETWEEN $1 / 100 AND $1 / 5 ORDER BY count(*) DESC, 1 LIMIT 3) AS n', columns[i], copied)
            INTO found USING copied_rows;
            filters := filters || ARRAY(SELECT jsonb_build_object(columns[i], jsonb_build_object('$eq', v)) FROM jsonb_array_elements(found) AS v);
        END LOOP;
    END IF;
    IF cardinality(filters) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('no value of the filter columns of %L leaves a hundredth to a fifth of its rows', collection),
            HINT = 'Say what your searches filter by. Codes read the columns named in filter_columns.';
    END IF;

    PERFORM pgsim.create_collection(copied, trial, key_columns => c.key_columns, filter_columns => columns[cardinality(c.key_columns) + 1:]);
    PERFORM pgsim.create_model(trial, t.dim, metric => t.metric, element => t.element);
    PERFORM pgsim.create_version(trial, trial, column_name => 'pgsim_vector');
    IF matrix IS NOT NULL THEN
        PERFORM pgsim.create_map(trial, trial, kind => 'pca', matrix => matrix);
    END IF;
    FOR f IN 1 .. cardinality(filters) LOOP
        FOR q IN 1 .. cardinality(asked) LOOP
            started := clock_timestamp();
            SELECT array_agg(s.distance ORDER BY s.rank) INTO distances FROM pgsim.search(trial, asked[q], k, filter => filters[f], mode => 'exact') AS s;
            by_exact := by_exact || extract(epoch FROM clock_timestamp() - started)::float8;
            truths := truths || jsonb_build_object(f || ' ' || q, to_jsonb(distances));
        END LOOP;
    END LOOP;
    FOREACH kind IN ARRAY kinds LOOP
        started := clock_timestamp();
        codes := pgsim.create_index(trial, trial, dims => (kind ->> 'dims')::int, element => kind ->> 'element', method => 'codes',
                                    options => CASE WHEN (kind ->> 'rotated')::boolean THEN jsonb_build_object('map', trial) ELSE '{}' END);
        building := extract(epoch FROM clock_timestamp() - started);
        EXECUTE format('ANALYZE %s', codes);
        recalls := '{}';
        times := '{}';
        refusal := NULL;
        BEGIN
            FOR f IN 1 .. cardinality(filters) LOOP
                FOR q IN 1 .. cardinality(asked) LOOP
                    -- The better of two: what is measured is the kind, and not who else is on the machine.
                    seconds := 'Infinity';
                    FOR i IN 1 .. 2 LOOP
                        started := clock_timestamp();
                        SELECT array_agg(s.distance ORDER BY s.rank) INTO distances FROM pgsim.search(trial, asked[q], k, filter => filters[f], recall => recall, mode => 'codes') AS s;
                        seconds := least(seconds, extract(epoch FROM clock_timestamp() - started)::float8);
                    END LOOP;
                    times := times || seconds;
                    recalls := recalls || pgsim._tie_recall(distances, ARRAY(SELECT d::float8 FROM jsonb_array_elements_text(nullif(truths -> (f || ' ' || q), 'null')) AS d));
                END LOOP;
            END LOOP;
        EXCEPTION WHEN SQLSTATE 'PS010' THEN
            refusal := SQLERRM;
        END;
        tried := tried || (kind || jsonb_build_object('recalls', recalls, 'seconds', times, 'bytes', pg_total_relation_size(codes) * total / greatest(copied_rows, 1), 'build_seconds', building * total / greatest(copied_rows, 1),
                                                      'refusal', refusal));
        PERFORM pgsim.drop_index(codes);
    END LOOP;
    PERFORM pgsim.drop_collection(trial);
    IF matrix IS NOT NULL THEN
        PERFORM pgsim.drop_map(trial);
    END IF;
    PERFORM pgsim.drop_model(trial);
    EXECUTE format('DROP TABLE %s', copied);
    RETURN jsonb_build_object('rows', copied_rows, 'total', total, 'filters', to_jsonb(filters), 'queries', cardinality(asked), 'exact_seconds', by_exact, 'tried', tried);
END
$$;
COMMENT ON FUNCTION pgsim._try_codes IS
    'What filtered searches of a copy of some rows find and take by each kind of codes: dims, element, and whether they are of the vectors rotated by matrix. Nothing of the table or of its codes is touched.';
