CREATE FUNCTION pgsim._trial_begin(
    t pgsim._target, queries vector[], relevant jsonb, k int, sample int, searches int, seed int,
    OUT rows int, OUT total float8, OUT asked int, OUT missing int, OUT exact_seconds float8, OUT exact_quality float8
)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Arrays of vectors of up to a quarter of a gigabyte pass through here.
    most CONSTANT int := greatest(100, least(sample, 2.5e8 / (4 * t.dim)));
    row_bytes CONSTANT float8 := 60 + t.dim * CASE t.element WHEN 'halfvec' THEN 2 ELSE 4 END;
    held_out int := 0;
    given CONSTANT boolean := queries IS NOT NULL;
    drawn record;
    wanted text[];
    every boolean;
    q record;
    started timestamptz;
    found record;
    taken float8[] := '{}';
    ranks float8[] := '{}';
BEGIN
    PERFORM pgsim._require_dense(t, 'indexes are tried');
    PERFORM pgsim._require_select(t.base, t.version);
    IF k IS NULL OR k NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k is %s; an index is tried for the best 1 to 1000 rows', coalesce(k::text, 'NULL')), HINT = 'hnsw.ef_search is at most 1000.';
    END IF;
    IF sample IS NULL OR sample NOT BETWEEN 100 AND 1000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sample is %s; it is a number of rows from 100 to 1000000', coalesce(sample::text, 'NULL')),
            HINT = 'Indexes are tried on a copy of so many rows. Leave it out for the default.';
    END IF;
    IF searches IS NULL OR searches NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('searches is %s; it is a number of queries from 1 to 10000', coalesce(searches::text, 'NULL')),
            HINT = 'So many rows are taken for queries when none are given, and are not among the rows searched.';
    END IF;
    IF given THEN
        queries := pgsim._recall_queries(t.collection, queries, t.model, (SELECT e.name FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id WHERE v.id = t.version_id), 1, seed);
        IF t.map_id IS NOT NULL THEN
            queries := pgsim._mapped_queries(t, queries);
        END IF;
    END IF;

    SELECT s.keys, s.vectors, cardinality(s.keys) AS read INTO drawn FROM pgsim._sample(t, most + CASE WHEN given THEN 0 ELSE searches END, seed) AS s;
    every := drawn.read < most + CASE WHEN given THEN 0 ELSE searches END;
    SELECT coalesce(array_agg(u.key ORDER BY u.place), '{}') AS keys, coalesce(array_agg(u.v ORDER BY u.place), '{}') AS vectors INTO drawn
    FROM unnest(drawn.keys, drawn.vectors) WITH ORDINALITY AS u (key, v, place)
    WHERE u.v IS NOT NULL AND (t.metric <> 'cosine' OR pgsim._prefix_is_zero(u.v, t.dim) IS FALSE);
    IF NOT given THEN
        -- A row that is its own answer would be found too easily.
        held_out := least(searches, cardinality(drawn.keys) / 5);
        queries := pgsim._rows_as_queries(t, drawn.vectors[: held_out]);
    END IF;
    rows := cardinality(drawn.keys) - held_out;
    IF rows < 2 * k OR cardinality(queries) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('collection %L has %s rows with vectors that role %I may read; to try indexes for the best %s there must be more', t.collection, cardinality(drawn.keys), current_user, k),
            HINT = 'Store vectors first, or ask for fewer rows (k). So small a table needs no index.';
    END IF;

    -- Of no effect once the session has had a temporary table.
    BEGIN
        PERFORM pgsim._set(jsonb_build_object('temp_buffers', least(131072, 4096 + 3 * rows * row_bytes / 8192)::int::text));
    EXCEPTION WHEN invalid_parameter_value THEN
        NULL;
    END;
    PERFORM pgsim._trial_end();
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.relnamespace = pg_my_temp_schema() AND r.relname IN ('_pgsim_trial', '_pgsim_trial_query', '_pgsim_trial_turned', '_pgsim_trial_index')) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = 'something of this session has a name that begins with _pgsim_trial, as the temporary copy of rows does on which indexes are tried', HINT = 'Drop it, or ask in another session.';
    END IF;
    BEGIN
        EXECUTE format('CREATE TEMPORARY TABLE _pgsim_trial (key text, v %s.%I(%s), r %1$s.vector)', t.vector_schema, t.element, t.dim);
        EXECUTE format('CREATE TEMPORARY TABLE _pgsim_trial_query (number int, query %s.vector, turned %1$s.vector, truth float8[], relevant text[])', t.vector_schema);
    EXCEPTION
        WHEN insufficient_privilege THEN
            RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not make temporary tables, and indexes are tried on a temporary copy of rows', current_user),
                HINT = format('GRANT TEMPORARY ON DATABASE %I TO %I;', current_database(), current_user);
        WHEN read_only_sql_transaction THEN
            RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = 'the transaction is read only, and indexes are tried on a temporary copy of rows', HINT = 'Ask the primary server, in a transaction that may write.';
    END;
    EXECUTE format('INSERT INTO pg_temp._pgsim_trial (key, v) SELECT u.key, u.v::%s.%I FROM unnest($1, $2) AS u (key, v)', t.vector_schema, t.element)
    USING drawn.keys[held_out + 1 :], drawn.vectors[held_out + 1 :];
    EXECUTE 'INSERT INTO pg_temp._pgsim_trial_query (number, query, relevant) SELECT u.number, u.query, ARRAY(SELECT jsonb_array_elements_text(nullif($2 -> (u.number::int - 1), ''null''))) FROM unnest($1) WITH ORDINALITY AS u (query, number)'
    USING queries, relevant;
    IF relevant IS NOT NULL THEN
        EXECUTE 'SELECT ARRAY(SELECT DISTINCT r FROM pg_temp._pgsim_trial_query AS q CROSS JOIN unnest(q.relevant) AS r EXCEPT SELECT s.key FROM pg_temp._pgsim_trial AS s)' INTO wanted;
        missing := cardinality(wanted) - pgsim._trial_add(t, wanted);
        EXECUTE 'SELECT count(*) FROM pg_temp._pgsim_trial' INTO rows;
    END IF;
    EXECUTE 'ANALYZE pg_temp._pgsim_trial';
    total := CASE WHEN every THEN rows + held_out ELSE greatest(rows, pgsim._rows_estimate(t.version)) END;
    asked := cardinality(queries);

    FOR q IN EXECUTE 'SELECT number, query, relevant FROM pg_temp._pgsim_trial_query ORDER BY number' LOOP
        started := clock_timestamp();
        EXECUTE format('SELECT array_agg(n.d) AS distances, array_agg(n.key) AS keys FROM (SELECT (%s) + 0 AS d, s.key FROM pg_temp._pgsim_trial AS s ORDER BY 1, s.key COLLATE "C" LIMIT %s) AS n', pgsim._trial_distance(t), k)
        INTO found USING q.query;
        taken := taken || extract(epoch FROM clock_timestamp() - started)::float8;
        ranks := ranks || pgsim._reciprocal_rank(found.keys, q.relevant);
        EXECUTE 'UPDATE pg_temp._pgsim_trial_query SET truth = $1 WHERE number = $2' USING found.distances, q.number;
    END LOOP;
    exact_seconds := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY u) FROM unnest(taken) AS u);
    exact_quality := CASE WHEN relevant IS NOT NULL THEN (SELECT avg(u) FROM unnest(ranks) AS u) END;
END
$$;
COMMENT ON FUNCTION pgsim._trial_begin IS
    'Copies sampled rows that the caller may read into a temporary table, with every relevant row, and ranks them exactly for each query. relevant: for each query a list of keys. total is how many rows the collection has, missing how many relevant keys it has not. exact_quality: the mean reciprocal rank of the first relevant row among k.';
