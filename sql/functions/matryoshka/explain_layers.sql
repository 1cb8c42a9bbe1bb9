CREATE FUNCTION pgsim.explain_layers(
    collection text, query vector, shallow_query vector, shallow_model text, k int = 10, filter jsonb = NULL, model text = NULL, embedding text = 'default', shallow_dims int = NULL, oversample int = NULL,
    recall float8 = NULL
) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.details
    FROM pgsim._search_layers(explain_layers.collection, explain_layers.query, explain_layers.shallow_query, explain_layers.shallow_model, explain_layers.k, explain_layers.filter, explain_layers.model,
                              explain_layers.embedding, explain_layers.shallow_dims, explain_layers.oversample, explain_layers.recall, true) AS r;
END;
COMMENT ON FUNCTION pgsim.explain_layers IS
$$Runs a search over layers and tells what was done and why; it takes the same arguments as pgsim.search_layers.

What it returns is described at pgsim.explain_search; shallow_model names the layer that candidates came from, and map the map that made its query.
Errors: PS001 to PS004, PS006, PS010, PS012 to PS016, PS032, PS035, PS051.$$;
