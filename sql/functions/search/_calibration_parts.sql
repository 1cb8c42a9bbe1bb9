CREATE FUNCTION pgsim._calibration_parts(collection text, model text, embedding text, queries vector[], sample int) RETURNS TABLE (part text, first int, last int)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    given int;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_dense(t, 'calibration is',
        'Nothing of it is needed: exact searches and the inverted index find everything. What an hnsw index finds pgsim.recall measures, and a higher recall => ... looks further.');
    PERFORM pgsim._require_all_rows(t);
    given := cardinality(pgsim._recall_queries(collection, queries, model, embedding, coalesce(sample, pgsim._calibration_sample(t)), 0));
    IF given < 10 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('collection %L has %s queries to be calibrated with, and ten are the least', collection, given),
            HINT = 'Store vectors first: until then the defaults serve. Or give more queries.';
    END IF;
    RETURN QUERY
        SELECT 'codes', 1, given WHERE t.codes_sql IS NOT NULL
        UNION ALL SELECT 'rows', 1, given
        UNION ALL SELECT 'index', q, least(q + 4, given) FROM generate_series(1, given, 5) AS q WHERE (pgsim._usable_index(t, t.dim, NULL)).method = 'hnsw' OR pgsim._has_funnel(t.version_id);
END
$$;
COMMENT ON FUNCTION pgsim._calibration_parts IS 'The steps of a calibration, each a call of pgsim._calibrate_part, for those who want to show how far it is.';
