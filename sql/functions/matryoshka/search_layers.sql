CREATE FUNCTION pgsim.search_layers(
    collection text, query vector, shallow_query vector, shallow_model text, k int = 10, filter jsonb = NULL, model text = NULL, embedding text = 'default', shallow_dims int = NULL, oversample int = NULL,
    recall float8 = NULL
) RETURNS TABLE (key text, score float8, distance float8, rank int, details jsonb)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT n.key, pgsim.score(r.metric, n.distance), n.distance, n.rank::int, r.details
    FROM pgsim._search_layers(search_layers.collection, search_layers.query, search_layers.shallow_query, search_layers.shallow_model, search_layers.k, search_layers.filter, search_layers.model,
                              search_layers.embedding, search_layers.shallow_dims, search_layers.oversample, search_layers.recall, false) AS r
    CROSS JOIN LATERAL unnest(r.keys, r.distances) WITH ORDINALITY AS n (key, distance, rank)
    ORDER BY n.rank;
END;
COMMENT ON FUNCTION pgsim.search_layers IS
$$Finds candidates by a shallow layer's vectors, and ranks them by the whole model's: a funnel over layers as well as dimensions (2D Matryoshka).

query: a vector of the model; shallow_query: one of the shallow model, which is registered as its layer: create_model(..., layer => 4,
properties => '{"layer_of": "model"}'), with the prefixes allowed at that layer in matryoshka. Each is compared with vectors of its own model
alone. shallow_query NULL: query is mapped to the shallow model, by a map that pgsim.measure_layers has measured; with such a map the shallow model need not be
a layer. Without either it is refused. shallow_dims: a prefix of the shallow model; default the shortest that an index is on. oversample: how many times k candidates are kept, 1 to
1000 (20). recall, in its place: as many as were measured to find so much; where none do, every match is ranked. Rows need a vector under both models to be found; where fewer than k are, and where few rows match,
every match is ranked by the whole model. The rest is as of pgsim.search.
Errors: PS001 to PS004, PS006, PS010, PS012 to PS016, PS032, PS035, PS051.$$;
