CREATE FUNCTION pgsim._has_partial(version_id int) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = _has_partial.version_id AND i.where_filter IS NOT NULL);
COMMENT ON FUNCTION pgsim._has_partial IS 'Whether a version has partial vector indexes.';
