CREATE FUNCTION pgsim._index_statement(
    collection text, model text, embedding text, dims int, element text, method text, where_filter jsonb, options jsonb,
    OUT statement text, OUT definition text, OUT relation regclass, OUT schema_name text, OUT name text, OUT version_id int, OUT full_dims int, OUT full_element text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    stored text;
    kept text;
    setting record;
    given_options jsonb := coalesce(options, '{}');
    predicate text;
    stem text;
    widest int;
    attempt int := 1;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_owner(t.version);
    version_id := t.version_id;
    IF method IS NULL OR method NOT IN ('hnsw', 'ivfflat') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('method is %s; known are hnsw, ivfflat and codes, and inverted of sparse vectors', coalesce(quote_literal(left(method, 80)), 'NULL')),
            HINT = 'hnsw is the better one but for the time to build it.';
    END IF;
    IF method = 'ivfflat' AND t.metric = 'l1' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'ivfflat has no operator class for metric l1', HINT = 'Use method => ''hnsw''.';
    END IF;
    IF jsonb_typeof(given_options) = 'object' AND given_options ? 'slice' THEN
        t := pgsim._slice_target(t, given_options ->> 'slice');
        given_options := given_options - 'slice';
        IF dims IS NOT NULL OR element = 'bit' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('option slice is given, and %s', CASE WHEN dims IS NOT NULL THEN format('dims %s', dims) ELSE 'element bit' END),
                HINT = 'The index of a slice is on all of it, as vector or halfvec.';
        END IF;
    END IF;
    IF where_filter IS NOT NULL THEN
        IF NOT t.adopted THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010',
                MESSAGE = format('where_filter: the vectors of %L under model %L are in a table without the columns of %s', collection, t.model, t.base_sql),
                HINT = 'A partial index needs a version that adopts a column of the table itself.';
        END IF;
        predicate := (pgsim._compile_filter(t.base, where_filter, '{}', true)).predicate;
    END IF;
    full_element := coalesce(element, t.element);
    IF t.element = 'sparsevec' THEN
        kept := pgsim._sparse_index(t, dims, element, method, predicate, given_options);
        full_element := 'sparsevec';
    ELSIF full_element NOT IN ('vector', 'halfvec', 'bit') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('element is %L; an index has vector, halfvec or bit elements', left(element, 80)),
            HINT = 'Leave it out for the element of the model.';
    END IF;
    full_dims := coalesce(dims, t.dim);
    PERFORM pgsim._check_dims(t, full_dims, 'dims is');
    IF full_element = 'bit' AND method <> 'hnsw' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('element is bit and method is %s; bits are indexed by hnsw', method), HINT = 'Leave method out.';
    END IF;
    widest := CASE full_element WHEN 'sparsevec' THEN t.dim WHEN 'bit' THEN 64000 WHEN 'halfvec' THEN 4000 ELSE 2000 END;
    IF full_dims > widest THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('an index of %s elements has at most %s dimensions, not %s', full_element, widest, full_dims),
            HINT = concat('What can be indexed: ', CASE WHEN full_dims <= 4000 THEN 'half precision (element => ''halfvec''), ' END, 'one bit a dimension (element => ''bit''), or a prefix (dims => ...',
                          CASE WHEN t.matryoshka <> '{}' THEN format(', of %s', t.matryoshka) END, '). Searches rank what it finds by the full vectors.');
    END IF;

    IF jsonb_typeof(given_options) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'options is not a JSON object', HINT = 'For instance: options => ''{"m": 16}''.';
    END IF;
    FOR setting IN
        SELECT o.key, o.value, a.lowest, a.highest
        FROM jsonb_each(given_options) AS o
        LEFT JOIN (VALUES ('hnsw', 'm', 2, 100), ('hnsw', 'ef_construction', 4, 1000), ('ivfflat', 'lists', 1, 32768), ('hnsw', 'top_weights', 1, 1000)) AS a (method, key, lowest, highest)
            ON a.method = _index_statement.method AND a.key = o.key AND (t.element = 'sparsevec' OR a.key <> 'top_weights')
    LOOP
        IF setting.lowest IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('option %L is not known to %s', left(setting.key, 80), method),
                HINT = CASE method WHEN 'hnsw' THEN 'Known are m, ef_construction and slice, and of sparse vectors top_weights.' ELSE 'Known are lists and slice.' END;
        END IF;
        IF jsonb_typeof(setting.value) <> 'number' OR (setting.value #>> '{}')::numeric NOT BETWEEN setting.lowest AND setting.highest
           OR (setting.value #>> '{}')::numeric % 1 <> 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('option %s is %s; it is a whole number from %s to %s', setting.key, left(setting.value::text, 80), setting.lowest, setting.highest),
                HINT = 'Leave it out for the default.';
        END IF;
    END LOOP;
    IF method = 'hnsw' AND coalesce((given_options ->> 'ef_construction')::numeric, 64) < 2 * coalesce((given_options ->> 'm')::numeric, 16) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('ef_construction %s is less than twice m %s', coalesce(given_options ->> 'ef_construction', '64'), coalesce(given_options ->> 'm', '16')),
            HINT = 'Raise ef_construction, or lower m.';
    END IF;
    IF method = 'ivfflat' AND NOT given_options ? 'lists' THEN
        -- pgvector's advice: rows / 1000 up to a million rows, their square root beyond.
        given_options := given_options || jsonb_build_object('lists', (
            SELECT least(32768, greatest(10, CASE WHEN r.reltuples <= 1e6 THEN r.reltuples / 1000 ELSE sqrt(r.reltuples) END))::int
            FROM pg_class AS r WHERE r.oid = t.version));
    END IF;

    stored := pgsim._vector_expression(pgsim._stored_vector(t, format('%I', t.column_name)), t.vector_schema, t.prefix_metric, t.dim, t.element, full_dims, coalesce(kept, full_element));
    SELECT n.nspname INTO schema_name FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE r.oid = t.version;
    SELECT left(r.relname, 30) || CASE WHEN t.adopted THEN '_' || left(t.column_name, 12) ELSE '' END || '_' || method
           || coalesce('_' || left(t.slice_name, 12), '') || CASE WHEN full_dims < t.dim THEN '_' || full_dims ELSE '' END || CASE WHEN full_element <> t.element THEN '_' || full_element ELSE '' END
    INTO stem FROM pg_class AS r WHERE r.oid = t.version;
    -- A name is cut by bytes; characters of several bytes leave room for fewer of them.
    WHILE octet_length(stem) > 58 LOOP
        stem := left(stem, -1);
    END LOOP;
    name := stem;
    WHILE EXISTS (SELECT FROM pg_class AS k JOIN pg_namespace AS n ON n.oid = k.relnamespace WHERE n.nspname = schema_name AND k.relname = name) LOOP
        attempt := attempt + 1;
        name := stem || '_' || attempt;
    END LOOP;
    relation := t.version;
    definition := format('USING %s (%s %s.%I)%s%s', method,
        CASE WHEN stored = format('%I', t.column_name) THEN stored ELSE format('(%s)', stored) END,
        t.vector_schema, CASE full_element WHEN 'bit' THEN 'bit_hamming_ops' ELSE format('%s_%s_ops', full_element, t.metric) END,
        coalesce((SELECT format(' WITH (%s)', string_agg(format('%I = %s', o.key, o.value::int), ', ' ORDER BY o.key)) FROM jsonb_each(given_options - 'top_weights') AS o
                  HAVING count(*) > 0), ''),
        coalesce(' WHERE ' || predicate, ''));
    statement := format('CREATE INDEX %I ON %s %s', name, relation, definition);
END
$$;
COMMENT ON FUNCTION pgsim._index_statement IS
    'The CREATE INDEX statement that create_index runs, and its parts, of which the command line and Alembic make one that runs CONCURRENTLY.';
