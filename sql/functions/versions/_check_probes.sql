CREATE FUNCTION pgsim._check_probes(m pgsim._model, texts text[], vectors vector[], kind text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    probe record;
BEGIN
    IF m.element = 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('model %L makes sparse vectors, of which no probes are kept', m.name), HINT = 'Probes are of models of dense vectors.';
    END IF;
    IF kind IS NULL OR kind NOT IN ('document', 'query') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('kind is %s; it is document or query', coalesce(quote_literal(left(kind, 80)), 'NULL')), HINT = 'A model may embed queries in another way than documents.';
    END IF;
    IF texts IS NULL OR vectors IS NULL OR cardinality(texts) = 0 OR cardinality(texts) <> cardinality(vectors) OR array_ndims(texts) > 1 OR array_ndims(vectors) > 1
       OR array_position(texts, NULL) IS NOT NULL OR cardinality(texts) <> (SELECT count(DISTINCT u) FROM unnest(texts) AS u) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s texts, %s vectors; there must be as many of each, at least one, and no text twice or NULL',
                coalesce(cardinality(texts)::text, 'NULL'), coalesce(cardinality(vectors)::text, 'NULL')),
            HINT = 'The i-th vector is what the model gives for the i-th text.';
    END IF;
    FOR probe IN SELECT p.text, p.vector FROM unnest(texts, vectors) AS p (text, vector) WHERE pgsim._vector_problem(p.vector, m.dim, m.metric, 'vector') IS NOT NULL LIMIT 1 LOOP
        PERFORM pgsim._check_vector(probe.vector, format('the vector of %L', left(probe.text, 80)), m.name, m.dim, m.metric, 'vector');
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._check_probes IS 'Raises PS010, PS012 or PS013 for what cannot be the probes of a model.';
