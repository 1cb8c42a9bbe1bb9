CREATE FUNCTION pgsim._vector_schema() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN coalesce(nullif(left(pg_typeof(NULL::vector)::text, -length('.vector')), ''), 'pg_catalog');
COMMENT ON FUNCTION pgsim._vector_schema IS 'The schema that pgvector is installed in, quoted for SQL.';
