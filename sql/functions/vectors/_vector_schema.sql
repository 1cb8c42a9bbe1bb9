CREATE FUNCTION pgsim._vector_schema() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(left(pg_typeof(NULL::vector)::text, -length('.vector')), ''), 'pg_catalog');
COMMENT ON FUNCTION pgsim._vector_schema IS 'The schema that pgvector is installed in, quoted for SQL. For callers on whose search_path it is not: there the type has its schema before its name.';
