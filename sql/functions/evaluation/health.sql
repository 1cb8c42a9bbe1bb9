CREATE FUNCTION pgsim.health(collection text, model text = NULL, embedding text = 'default', sample int = 1000) RETURNS TABLE (
    measure text, value float8, verdict text, explanation text, hint text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := pgsim._target(collection, model, embedding);
    s record;
    g record;
BEGIN
    PERFORM pgsim._require_dense(t, 'health is measured');
    PERFORM pgsim._require_select(t.base, t.version);
    IF sample IS NULL OR sample NOT BETWEEN 1 AND 5000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sample is %s; it is a number of rows from 1 to 5000', coalesce(sample::text, 'NULL')),
            HINT = 'The default of 1000 suits every table: each vector of the sample is compared with each other.';
    END IF;
    SELECT d.vectors, pgsim._directed(d.vectors, t.metric) AS directed INTO s FROM pgsim._sample(t, sample, 0) AS d;
    SELECT * INTO g FROM pgsim._geometry(s.directed, t.metric) AS n;
    IF cardinality(s.directed) <= 20 THEN
        g.intrinsic_dimension := NULL;
        g.hubness := NULL;
    END IF;
    RETURN QUERY
        SELECT h.measure, h.value, h.verdict, h.explanation, CASE WHEN h.verdict <> 'ok' AND h.value IS NOT NULL THEN h.hint END
        FROM (
            SELECT 1 AS part, v.* FROM pgsim._health_of_vectors(t, embedding, s.vectors, s.directed, g.intrinsic_dimension, g.hubness, g.duplicates) AS v
            UNION ALL
            SELECT 2, d.* FROM pgsim._health_of_storage(t) AS d
            UNION ALL
            SELECT 3, i.* FROM pgsim._health_of_graphs(t, s.directed[:50], g.intrinsic_dimension) AS i
        ) AS h;
END
$$;
COMMENT ON FUNCTION pgsim.health IS
$$Measures what decides how well a collection can be searched, and says what to do about it.

Each row has measure, value, verdict (ok, note, warning), explanation and hint. A value that cannot be measured is NULL and says why.
Of a sample of rows: sampled_rows, missing_vectors, zero_vectors, duplicate_vectors, norm_spread, intrinsic_dimension and hubness. Of
tables and indexes: dead_rows, vector_indexes, index_rows, changed_since_build, memory and calibration. Of each HNSW index on all rows: recall_ef_40
and recall_ef_200, its recall at 10 against exact search. sample: rows to look at, 1 to 5000. Grants and row-level security hold.
Errors: PS001 to PS006, PS010, PS032.$$;
