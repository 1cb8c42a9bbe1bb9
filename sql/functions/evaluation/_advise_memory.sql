CREATE FUNCTION pgsim._advise_memory(bytes float8) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.format('; it builds several times faster where maintenance_work_mem is %s or more', pg_catalog.pg_size_pretty(ceil(1.1 * bytes)::bigint));
COMMENT ON FUNCTION pgsim._advise_memory IS 'What is said of an HNSW index that is too large for maintenance_work_mem.';
