CREATE FUNCTION pgsim._sparse_entries(v sparsevec) RETURNS TABLE (term int, weight float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100
BEGIN ATOMIC
    SELECT pg_catalog.split_part(e.entry, ':', 1)::int, pg_catalog.split_part(e.entry, ':', 2)::float8
    FROM pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.ltrim(pg_catalog.split_part(v::text, '}', 1), '{'), ',')) AS e (entry);
END;
COMMENT ON FUNCTION pgsim._sparse_entries IS 'The numbers of a sparse vector that are not zero, with their indices.';
