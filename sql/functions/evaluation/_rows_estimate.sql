CREATE FUNCTION pgsim._rows_estimate(relation regclass) RETURNS float8
LANGUAGE sql STABLE
RETURN (
    -- A table that was never analyzed says -1; rows are then taken for 200 bytes each.
    SELECT coalesce(sum(CASE WHEN r.reltuples < 0 THEN pg_catalog.pg_relation_size(r.oid) / 200 ELSE r.reltuples END), 0)::float8
    FROM (SELECT p.relid FROM pg_catalog.pg_partition_tree(relation) AS p WHERE p.isleaf UNION SELECT relation) AS p
    JOIN pg_catalog.pg_class AS r ON r.oid = p.relid AND r.relkind = 'r'
);
COMMENT ON FUNCTION pgsim._rows_estimate IS 'About how many rows a table has, its partitions together, as PostgreSQL last counted.';
