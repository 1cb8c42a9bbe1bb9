CREATE FUNCTION pgsim._trial_distance(t pgsim._target) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.format('s.v OPERATOR(%s.%s) $1%s', t.vector_schema, pgsim._distance_operator(t.metric), CASE t.element WHEN 'vector' THEN '' ELSE pg_catalog.format('::%s.%I(%s)', t.vector_schema, t.element, t.dim) END);
COMMENT ON FUNCTION pgsim._trial_distance IS 'The distance of a row that indexes are tried on from the query, $1.';
