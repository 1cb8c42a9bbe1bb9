CREATE FUNCTION pgsim.upsert(
    collection text, model text, keys text[], vectors vector[] = NULL, embedding text = 'default', source_hashes bytea[] = NULL,
    skip_absent boolean = false, sparse_vectors sparsevec[] = NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    hash text;
    bad record;
    rows_named bigint;
    stored bigint;
    offered bigint := cardinality(keys);
    sparse boolean;
    statement text;
    unchanged text := '';
BEGIN
    IF model IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS002', MESSAGE = 'model is NULL', HINT = 'Name the model that made the vectors: nothing else tells one model''s vectors from another''s.';
    END IF;
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        -- What is stored there is mapped here.
        t := pgsim._followed(t);
        RETURN pgsim.upsert(collection, t.model, keys, vectors, embedding, source_hashes, skip_absent, sparse_vectors);
    END IF;
    sparse := t.element = 'sparsevec';
    IF sparse AND vectors IS NOT NULL THEN
        PERFORM pgsim._require_dense(t, 'vectors is');
    ELSIF NOT sparse AND sparse_vectors IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('sparse_vectors is given; model %L is dense, of %s numbers each', t.model, t.dim), HINT = 'Give dense vectors as vectors, or name the sparse model.';
    END IF;
    IF keys IS NULL OR num_nonnulls(vectors, sparse_vectors) = 0 OR array_ndims(keys) > 1 OR greatest(array_ndims(vectors), array_ndims(sparse_vectors)) > 1
       OR offered <> coalesce(cardinality(vectors), cardinality(sparse_vectors)) OR offered <> coalesce(cardinality(source_hashes), offered) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010',
            MESSAGE = format('%s keys, %s vectors%s; there must be as many of each', coalesce(offered::text, 'NULL'), coalesce(coalesce(cardinality(vectors), cardinality(sparse_vectors))::text, 'NULL'),
                             coalesce(' and ' || cardinality(source_hashes) || ' source_hashes', '')),
            HINT = 'Give two flat arrays of one length: the i-th vector belongs to the i-th key.';
    END IF;
    IF t.map_id IS NOT NULL THEN
        vectors := pgsim._mapped_queries(t, vectors, 'row');
    END IF;
    IF sparse THEN
        SELECT i.key, i.v INTO bad FROM unnest(keys, sparse_vectors) AS i (key, v) WHERE pgsim._sparse_problem(i.v, t.dim, t.metric) IS NOT NULL LIMIT 1;
        IF FOUND THEN
            PERFORM pgsim._check_sparse(bad.v, format('the vector of key %s', coalesce(quote_literal(left(bad.key, 200)), 'NULL')), t.model, t.dim, t.metric);
        END IF;
    END IF;
    SELECT i.key, i.v INTO bad
    FROM unnest(keys, vectors) AS i (key, v) WHERE NOT sparse AND pgsim._vector_problem(i.v, t.dim, t.metric, t.element) IS NOT NULL LIMIT 1;
    IF FOUND THEN
        PERFORM pgsim._check_vector(bad.v, format('the vector of key %s', coalesce(quote_literal(left(bad.key, 200)), 'NULL')), t.model, t.dim, t.metric, t.element);
    END IF;
    SELECT i.key, count(*) AS times INTO bad FROM unnest(keys) AS i (key) GROUP BY i.key HAVING i.key IS NULL OR count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016',
            MESSAGE = CASE WHEN bad.key IS NULL THEN 'a key is NULL' ELSE format('key %L is given %s times', left(bad.key, 200), bad.times) END,
            HINT = 'Give each key once.';
    END IF;
    rows_named := pgsim._check_keys(t.base, t.key_columns, keys);
    IF rows_named < offered THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('%s keys name %s rows: some are the same, written differently', offered, rows_named),
            HINT = 'Give each row once.';
    END IF;

    IF t.source_columns <> '{}' THEN
        PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    END IF;
    -- The hash of the text that was embedded says later whether the row changed meanwhile; without one the text of now is taken.
    hash := CASE WHEN source_hashes IS NOT NULL THEN 'i.source_hash' WHEN t.source_columns = '{}' THEN 'NULL::bytea'
                 ELSE format('pgsim._source_hash(%s)', pgsim._source_text('b.', t.source_columns)) END;
    -- What a worker brings late, of a text that changed meanwhile, must not replace what another has stored since.
    IF source_hashes IS NOT NULL AND skip_absent AND t.source_columns <> '{}' THEN
        unchanged := format('AND pgsim._source_hash(%s) OPERATOR(pg_catalog.=) i.source_hash', pgsim._source_text('b.', t.source_columns));
    END IF;
    BEGIN
        IF t.adopted THEN
            statement := format(
                'UPDATE %1$s AS b SET %2$I = i.v::%3$s.%4$I '
                'FROM (SELECT %5$s, k.v, k.source_hash FROM unnest($1, $2, $3) AS k (given, v, source_hash)) AS i WHERE %6$s %7$s',
                t.base_sql, t.column_name, t.vector_schema, t.element, pgsim._key_parse(t.base, 'k.given', t.key_columns, true),
                pgsim._key_join('b.', 'i.', t.key_columns, true), unchanged);
        ELSE
            statement := format(
                'INSERT INTO %1$s AS v (%2$s, embedding, provisional, source_hash, embedded_at) '
                'SELECT %3$s, i.v::%4$s.%5$I, false, %6$s, now() '
                'FROM (SELECT %7$s, k.v, k.source_hash FROM unnest($1, $2, $3) AS k (given, v, source_hash)) AS i JOIN %8$s AS b ON %9$s %10$s ORDER BY %3$s FOR KEY SHARE OF b '
                'ON CONFLICT (%2$s) DO UPDATE SET embedding = excluded.embedding, provisional = excluded.provisional, '
                'source_hash = excluded.source_hash, embedded_at = excluded.embedded_at',
                t.version_sql, pgsim._key_list('', t.key_columns, true), pgsim._key_list('b.', t.key_columns, false),
                t.vector_schema, t.element, hash, pgsim._key_parse(t.base, 'k.given', t.key_columns, true),
                t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true), unchanged);
        END IF;
        IF sparse THEN
            EXECUTE statement USING keys, sparse_vectors, source_hashes;
        ELSE
            EXECUTE statement USING keys, vectors, source_hashes;
        END IF;
        GET DIAGNOSTICS stored = ROW_COUNT;
    EXCEPTION
        WHEN cardinality_violation THEN
            RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = 'two keys name the same row', HINT = 'Give each row once.';
        WHEN program_limit_exceeded THEN
            IF NOT sparse THEN
                RAISE;
            END IF;
            RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('a vector has more numbers that are not zero than an index of %s takes: %s', t.version_sql, SQLERRM),
                HINT = format('Drop that index; make one of the greatest weights, pgsim.create_index(%L, %L, %L, options => ''{"top_weights": 1000}''), or method => ''inverted''.', collection, model, embedding);
        WHEN insufficient_privilege THEN
            RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not store vectors of %s: %s', current_user, t.base_sql, SQLERRM),
                HINT = format('It takes SELECT, INSERT and UPDATE on %s (SELECT and UPDATE for an adopted column), and row-level security that lets the rows be changed.', t.base_sql);
    END;
    IF stored < offered AND NOT coalesce(skip_absent, false) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS007',
            MESSAGE = format('%s of %s keys are not in %s, or %I may not see or change their rows', offered - stored, offered, t.base_sql, current_user),
            DETAIL = coalesce('Not there, or not visible: ' || pgsim._absent_keys(t.base, t.key_columns, keys), 'The rows are there, and row-level security keeps them from being changed.'),
            HINT = 'Insert the rows first. Nothing of this call was stored.';
    END IF;
    RETURN stored;
END
$$;
COMMENT ON FUNCTION pgsim.upsert IS
$$Stores vectors under a model, replacing what a key had, and returns how many. All of them, or none.

keys: base keys as text (of a composite key a JSON object). vectors: one for each, of the model's width; under a sparse model
sparse_vectors instead.
source_hashes: SHA-256 of the text each vector was made from, when it was read earlier; default the row's text of now (an adopted
column keeps none).
Under a derived model they are of the model that its map begins at, and stored under that where it has a version, which the derived one follows.
skip_absent: leave out keys that are not in the base table (rows deleted since they were read), where they are an error otherwise; and with
source_hashes also rows whose text has changed since, which are queued again.
Needs SELECT, INSERT and UPDATE on the base table. Errors: PS001 to PS007, PS010, PS012, PS013, PS016, PS032, PS035.$$;
