CREATE FUNCTION pgsim._has_funnel(version_id int) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._model AS m ON m.id = v.model_id
               WHERE i.version_id = _has_funnel.version_id AND i.method = 'hnsw' AND NOT i.options ? 'slice' AND (i.dims < m.dim OR i.element = 'bit'));
COMMENT ON FUNCTION pgsim._has_funnel IS 'Whether a version has an index on a prefix or on bits.';
