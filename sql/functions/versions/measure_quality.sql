CREATE FUNCTION pgsim.measure_quality(collection text, model text, labelled jsonb = NULL, embedding text = 'default', k int = 10, sample int = 100) RETURNS float8
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    label record;
    queries int := 0;
    total float8 := 0;
    measured float8;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_owner(t.base);
    IF labelled IS NULL THEN
        measured := (SELECT r.mean_recall FROM pgsim.recall(measure_quality.collection, k => measure_quality.k, model => t.model, embedding => measure_quality.embedding, sample => measure_quality.sample) AS r);
        IF measured IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the version of %L under model %L has no vectors whose recall could be measured', collection, t.model), HINT = 'Fill it first.';
        END IF;
        PERFORM pgsim.record_quality(measure_quality.collection, t.model, 'recall', measured, measure_quality.embedding, jsonb_build_object('k', k, 'sample', sample));
        RETURN measured;
    END IF;
    IF jsonb_typeof(labelled) <> 'array' OR jsonb_array_length(labelled) = 0
       OR EXISTS (SELECT FROM jsonb_array_elements(labelled) AS q
                  WHERE jsonb_typeof(q) <> 'object' OR jsonb_typeof(q -> 'query') IS DISTINCT FROM 'array' OR jsonb_typeof(q -> 'keys') IS DISTINCT FROM 'array') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('labelled is %s; it is an array of queries with the keys that answer them', left(labelled::text, 120)),
            HINT = 'For instance: [{"query": [0.1, 0.2], "keys": ["7", "12"]}].';
    END IF;
    FOR label IN SELECT (q -> 'query')::text AS query, ARRAY(SELECT jsonb_array_elements_text(q -> 'keys')) AS keys FROM jsonb_array_elements(labelled) AS q LOOP
        queries := queries + 1;
        BEGIN
            PERFORM pgsim._vector_of(label.query);
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('query %s of labelled is no vector: %s', queries, left(SQLERRM, 200)), HINT = 'Give an array of finite numbers.';
        END;
        total := total + coalesce((SELECT 1.0 / min(s.rank) FROM pgsim.search(measure_quality.collection, pgsim._vector_of(label.query), measure_quality.k, model => t.model, embedding => measure_quality.embedding) AS s
                                   WHERE s.key = ANY (label.keys)), 0);
    END LOOP;
    measured := total / queries;
    PERFORM pgsim.record_quality(measure_quality.collection, t.model, 'mrr', measured, measure_quality.embedding, jsonb_build_object('k', k, 'queries', queries));
    RETURN measured;
END
$$;
COMMENT ON FUNCTION pgsim.measure_quality IS
$$Measures a version and records the result for pgsim.set_gate: recall of its own searches, or with labelled queries their mean reciprocal rank (mrr).

labelled: [{"query": [...], "keys": ["7"]}], vectors that this model made of queries, and the keys that answer them. Without it sample rows are
searched for, and compared with the exact answer. Returns the value. model NULL: the active version.
Errors: PS001 to PS006, PS010, PS012, PS013, PS032, PS035.$$;
