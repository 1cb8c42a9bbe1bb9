CREATE FUNCTION pgsim._check_search(t pgsim._target, r pgsim._search_request) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    d int;
BEGIN
    -- A search that looks at every row on its own behalf asks for more.
    IF r.k IS NULL OR r.k < 1 THEN
        PERFORM pgsim._check_k(r.k);
    END IF;
    IF r.mode IS NULL OR r.mode NOT IN ('auto', 'exact', 'ann', 'codes') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('mode is %s; known are auto, exact, ann and codes', coalesce(quote_literal(left(r.mode, 80)), 'NULL')),
            HINT = 'Leave it out: auto takes what costs least.';
    END IF;
    IF r.dims IS NOT NULL THEN
        IF cardinality(r.dims) = 0 OR array_ndims(r.dims) > 1 OR array_position(r.dims, NULL) IS NOT NULL
           OR r.dims <> (SELECT array_agg(DISTINCT u ORDER BY u) FROM unnest(r.dims) AS u) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dims is %s; it lists prefix lengths, each longer than the one before', r.dims),
                HINT = 'One length searches that prefix alone; several rank what the shorter found by the longer: dims => ''{64,384}''.';
        END IF;
        FOREACH d IN ARRAY r.dims LOOP
            PERFORM pgsim._check_dims(t, d, 'dims holds');
        END LOOP;
        IF r.mode = 'codes' OR r.mode = 'exact' AND cardinality(r.dims) > 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('mode is %s and dims is %s; only an index finds candidates by a prefix', r.mode, r.dims),
                HINT = 'Leave out one of them.';
        END IF;
        PERFORM pgsim._check_reach(t, r);
    END IF;
    IF r.oversample IS NOT NULL AND (r.dims IS NULL OR cardinality(r.dims) < 2) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('oversample is %s, but there are no candidates to keep more of', r.oversample),
            HINT = 'It goes with dims of two lengths or more.';
    END IF;
    IF r.oversample NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('oversample is %s; it is a factor from 1 to 1000', r.oversample), HINT = 'Left out, as many candidates are kept as the recall asks for.';
    END IF;
    IF r.where_sql IS NOT NULL AND btrim(r.where_sql) = '' OR r.where_sql IS NULL AND (r.where_values IS NOT NULL OR r.where_columns IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'where_sql is empty, or where_values or where_columns is given without it',
            HINT = 'where_sql is a condition on the table that reads its values: where_sql => ''size < ($1 ->> ''''size'''')::int'', where_values => ''{"size": 100}''.';
    END IF;
    IF r.where_values IS NOT NULL AND (jsonb_typeof(r.where_values) <> 'object' OR EXISTS (SELECT FROM jsonb_object_keys(r.where_values) AS n WHERE left(n, 1) = '$')) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'where_values is not a JSON object, or has a name that begins with $', HINT = 'Names that begin with $ are the filter''s.';
    END IF;
    IF r.recall IS NOT NULL AND NOT r.recall BETWEEN .5 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('recall is %s; it is a share from 0.5 to 1', r.recall),
            HINT = 'It is how much of the exact answer is to be found, on average; the default is 0.95.';
    END IF;
    IF r.max_distance = 'NaN' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'max_distance is NaN', HINT = 'Give a distance in the metric''s own measure; for ip that is the negative inner product.';
    END IF;
    IF r.where_columns IS NOT NULL THEN
        PERFORM pgsim._check_columns(t.base, 'where_columns', r.where_columns);
    END IF;
    IF r.distinct_on IS NOT NULL THEN
        PERFORM pgsim._check_columns(t.base, 'distinct_on', ARRAY[r.distinct_on]);
        IF NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.base AND a.attname = r.distinct_on AND pgsim._is_ordered(a.atttypid)) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('distinct_on is %s, whose type has no order', quote_ident(r.distinct_on)), HINT = 'Name a column of a type that ORDER BY takes.';
        END IF;
    END IF;
    IF r.after IS NOT NULL THEN
        PERFORM pgsim._check_after(t, r.after);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_search IS 'Raises PS010 for an argument of a search that is outside what is allowed.';
