CREATE FUNCTION pgsim._health_of_vectors(
    t pgsim._target, embedding text, vectors vector[], directed vector[], intrinsic_dimension float8, hubness float8, duplicates float8
) RETURNS TABLE (measure text, value float8, verdict text, explanation text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sampled CONSTANT int := cardinality(vectors);
    present CONSTANT int := cardinality(array_remove(vectors, NULL));
    others CONSTANT text := format('the sample has %s vectors%s', cardinality(directed), CASE t.metric WHEN 'cosine' THEN ' with a direction' ELSE '' END);
    missing float8 := (sampled - present)::float8 / nullif(sampled, 0);
    zero float8;
    norm float8;
    spread float8;
BEGIN
    SELECT n.zeros::float8 / nullif(present, 0), n.mean, n.deviation / nullif(n.mean, 0) INTO zero, norm, spread FROM pgsim._norms(vectors) AS n;
    RETURN QUERY VALUES
    ('sampled_rows', sampled::float8, pgsim._verdict(50 - present, 0, 50),
     format('rows looked at, of about %s; %s of them have a vector', greatest(sampled, pgsim._rows_estimate(t.base)), present),
     'So few vectors say little: measure again when there are more.'),
    ('missing_vectors', missing, pgsim._verdict(missing, 0, 0.05),
     CASE WHEN sampled = 0 THEN 'there are no rows' ELSE 'share of rows without a vector, which no search finds' END,
     CASE WHEN t.source_columns = '{}' THEN 'Store them with pgsim.upsert.'
          ELSE format('SELECT pgsim.enqueue_missing(%L, %L, %L), and run a worker.', t.collection, t.model, embedding) END),
    ('zero_vectors', zero, pgsim._verdict(zero, 0, CASE t.metric WHEN 'cosine' THEN 0 ELSE 1 END),
     CASE WHEN present = 0 THEN 'there are no vectors'
          ELSE 'share of vectors that are all zeros' || CASE t.metric WHEN 'cosine' THEN ': they have no direction, and no search finds them' ELSE '' END END,
     'Look at what they were made from, often an empty text; embed it again, or set the vector to NULL.'),
    ('duplicate_vectors', duplicates, pgsim._verdict(duplicates, 0.05, 0.3),
     CASE WHEN duplicates IS NULL THEN others
          ELSE format('share of vectors that another of the sample equals%s; copies outside the sample are not seen', CASE t.metric WHEN 'cosine' THEN ' in direction' ELSE '' END) END,
     'Copies tie, and crowd others out of the first k: store each text once.'),
    ('norm_spread', spread, pgsim._verdict(spread, CASE t.metric WHEN 'ip' THEN 0.05 ELSE 'inf' END, CASE t.metric WHEN 'ip' THEN 0.3 ELSE 'inf' END),
     CASE WHEN spread IS NULL THEN 'no vector has a length'
          ELSE format('standard deviation of the vectors'' lengths over their mean, %s: %s', round(norm::numeric, 4),
                      CASE WHEN abs(norm - 1) < 0.001 AND spread < 0.001 THEN 'they are normalized, so that cosine, ip and l2 rank alike'
                           ELSE CASE t.metric WHEN 'ip' THEN 'the inner product prefers the long ones' WHEN 'cosine' THEN 'cosine does not look at it' ELSE 'it is part of the distance' END END) END,
     'Where length means nothing to the model, register the model with metric cosine.'),
    ('intrinsic_dimension', intrinsic_dimension, pgsim._verdict(intrinsic_dimension, 20, 'inf'),
     CASE WHEN cardinality(directed) <= 20 THEN 'it takes the 20 nearest of each vector, and ' || others
          WHEN intrinsic_dimension IS NULL THEN 'the nearest are all equally far'
          ELSE format('in how many directions the neighbours of a vector lie, within the sample; the model has %s dimensions', t.dim) END,
     'The higher it is, the more an index must visit: expect a larger ef, or build with more links (options => ''{"m": 32, "ef_construction": 128}'').'),
    ('hubness', hubness, pgsim._verdict(hubness, 2, 5),
     CASE WHEN cardinality(directed) <= 20 THEN 'it takes the 10 nearest of each vector, and ' || others
          WHEN hubness IS NULL THEN 'each is among the nearest equally often'
          ELSE 'skewness of how often a vector is among the 10 nearest of another: 0 where all are alike; far above, a few rows answer very many queries' END,
     'Look at the rows that come back most, often boilerplate or very short texts.');
END
$$;
COMMENT ON FUNCTION pgsim._health_of_vectors IS 'The measures of pgsim.health that a sample of vectors gives. directed: those of them that have a distance to others.';
