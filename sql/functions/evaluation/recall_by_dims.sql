CREATE FUNCTION pgsim.recall_by_dims(
    collection text, model text = NULL, embedding text = 'default', dims int[] = NULL, k int = 10, keep int[] = '{10,50,200}', queries vector[] = NULL,
    tolerance float8 = 0.01, sample int = 10000, searches int = 100, seed int = 0
) RETURNS TABLE (prefix int, kept int, mean_recall float8, whole int, asked int, among int, smallest boolean, warning text)
LANGUAGE plpgsql VOLATILE ROWS 20
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    t pgsim._target := pgsim._target(collection, recall_by_dims.model, recall_by_dims.embedding);
    begun record;
    previous jsonb;
    wide int;
    depth int;
    q record;
    list float8[];
    places int[];
    farthest float8;
    hits int[];
    lasts int[];
    enough int[] := '{}';
BEGIN
    IF recall_by_dims.keep IS NULL OR cardinality(recall_by_dims.keep) NOT BETWEEN 1 AND 20 OR EXISTS (SELECT FROM unnest(recall_by_dims.keep) AS n WHERE n IS NULL OR n NOT BETWEEN 1 AND 100000) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('keep is %s; it is a list of 1 to 20 numbers of rows', coalesce(left(recall_by_dims.keep::text, 80), 'NULL')), HINT = 'So many rows are kept by the prefix, and ranked by the whole vector: {10,50,200}.';
    END IF;
    IF recall_by_dims.tolerance IS NULL OR recall_by_dims.tolerance NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('tolerance is %s; it is the recall that may be lost, 0 to 1', coalesce(recall_by_dims.tolerance::text, 'NULL')), HINT = 'Leave it out for .01.';
    END IF;
    -- Checks the lengths, before anything is copied.
    PERFORM FROM pgsim._trial_kinds(t, recall_by_dims.embedding, recall_by_dims.dims, '{bit}');
    SELECT * INTO begun FROM pgsim._trial_begin(t, recall_by_dims.queries, NULL, recall_by_dims.k, recall_by_dims.sample, recall_by_dims.searches, recall_by_dims.seed);
    depth := least((SELECT max(n) FROM unnest(recall_by_dims.keep) AS n), begun.rows);
    previous := pgsim._set('{"jit": "off"}');
    FOR wide IN SELECT x.prefix FROM pgsim._trial_kinds(t, recall_by_dims.embedding, recall_by_dims.dims, '{bit}') AS x ORDER BY x.prefix LOOP
        hits := '{}';
        lasts := '{}';
        FOR q IN EXECUTE 'SELECT query, truth FROM pg_temp._pgsim_trial_query ORDER BY number' LOOP
            EXECUTE format('SELECT array_agg(n.d) FROM (SELECT %s AS d FROM pg_temp._pgsim_trial AS s ORDER BY %s OPERATOR(%s.%s) %s, s.key COLLATE "C" LIMIT %s) AS n', pgsim._trial_distance(t),
                           pgsim._trial_coarse(t, 's.v', false, wide, t.element), t.vector_schema, pgsim._distance_operator(t.metric),
                           pgsim._trial_coarse(t, format('$1::%s.%I(%s)', t.vector_schema, t.element, t.dim), false, wide, t.element), depth)
            INTO list USING q.query;
            farthest := q.truth[cardinality(q.truth)];
            places := ARRAY(SELECT f.place::int FROM unnest(list) WITH ORDINALITY AS f (d, place) WHERE f.d <= farthest + 1e-6 * greatest(1, abs(farthest)) ORDER BY f.place LIMIT cardinality(q.truth));
            hits := hits || places;
            lasts := lasts || CASE WHEN cardinality(places) = cardinality(q.truth) THEN places[cardinality(places)] ELSE 2147483647 END;
        END LOOP;
        FOREACH kept IN ARRAY ARRAY(SELECT DISTINCT n FROM unnest(recall_by_dims.keep) AS n ORDER BY n) LOOP
            prefix := wide;
            asked := begun.asked;
            among := begun.rows;
            mean_recall := (SELECT count(*) FROM unnest(hits) AS h WHERE h <= kept)::float8 / (asked * least(recall_by_dims.k, among));
            whole := (SELECT count(*) FROM unnest(lasts) AS l WHERE l <= kept);
            smallest := mean_recall >= 1 - recall_by_dims.tolerance - 1e-9 AND kept <> ALL (enough);
            enough := enough || CASE WHEN smallest THEN ARRAY[kept] END;
            warning := CASE WHEN whole < asked THEN format('of %s of %s queries this prefix does not keep the whole true top %s among its best %s, however long an index searches', asked - whole, asked, recall_by_dims.k, kept) END;
            RETURN NEXT;
        END LOOP;
    END LOOP;
    PERFORM pgsim._set(previous);
    PERFORM pgsim._trial_end();
END
$$;
COMMENT ON FUNCTION pgsim.recall_by_dims IS
$$Measures how much of the true top k the first dims dimensions find, and how many rows must be kept for it.

For each length in dims (by default those of the model, or a sixth, a third, a half and the whole) rows are ranked exactly by that prefix; the best keep of
them are the candidates that a funnel would rank by the whole vector. prefix, kept; mean_recall, tie-aware; whole: of how many of the queries asked the
complete top k is among those kept; smallest: whether it is the shortest prefix whose recall with so many kept is at least 1 - tolerance;
warning: at how many queries no index on that prefix can give the true top k. among: the rows compared, a sample of those you may read (sample, 100 to 1000000), copied
into a temporary table: among more rows more must be kept. queries: vectors as your users send; without them, searches of the sampled rows, which are left out of the others.
Errors: PS001 to PS006, PS010, PS012, PS013, PS020, PS032, PS035.$$;
