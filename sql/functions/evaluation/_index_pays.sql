CREATE FUNCTION pgsim._index_pays(relation regclass, rows float8, matches float8, correlation float8) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pages float8 := (SELECT greatest(1, sum(r.relpages)) FROM pg_partition_tree(relation) AS l JOIN pg_class AS r ON r.oid = l.relid);
    random_page CONSTANT float8 := current_setting('random_page_cost')::float8;
    seq_page CONSTANT float8 := current_setting('seq_page_cost')::float8;
    tuple CONSTANT float8 := current_setting('cpu_tuple_cost')::float8;
    operator CONSTANT float8 := current_setting('cpu_operator_cost')::float8;
    index_tuple CONSTANT float8 := current_setting('cpu_index_tuple_cost')::float8;
    fetched float8;
BEGIN
    pages := greatest(pages, (SELECT sum(pg_relation_size(l.relid)) FROM pg_partition_tree(relation) AS l WHERE l.isleaf) / current_setting('block_size')::float8);
    -- costsize.c: pages fetched by Mackert and Lohman, each between a random and a sequential one by how many of all they are.
    fetched := CASE WHEN abs(correlation) > 0.9 THEN greatest(1, pages * matches / greatest(rows, 1)) ELSE least(pages, 2 * pages * matches / (2 * pages + matches)) END;
    RETURN fetched * (random_page - (random_page - seq_page) * sqrt(fetched / pages)) + matches * (tuple + 2 * operator + index_tuple) + 2 * random_page
           < pages * seq_page + rows * (tuple + operator);
END
$$;
COMMENT ON FUNCTION pgsim._index_pays IS 'Whether PostgreSQL would rather read so many matches of a table by an index that does not exist yet than read the table, by its own cost model of a bitmap scan.';
