CREATE FUNCTION pgsim._sample_queries(collection text, column_name text, sample int, seed int, OUT query text, OUT keys text[]) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection := pgsim._collection_row(collection);
BEGIN
    PERFORM pgsim._require_select(c.relation, c.relation);
    PERFORM pgsim._check_columns(c.relation, 'column', ARRAY[column_name]);
    IF sample IS NULL OR sample NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sample is %s; it is a number of texts from 1 to 100000', coalesce(sample::text, 'NULL')), HINT = 'A thousand tell something.';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT b.%1$I::text, array_agg(%2$s) FROM %3$s AS b WHERE btrim(b.%1$I::text) <> '''' GROUP BY 1 ORDER BY hashtextextended(b.%1$I::text, $1), 1 LIMIT $2',
        column_name, pgsim._key_text(c.relation, 'b.', c.key_columns), c.relation)
    USING seed::bigint, sample;
END
$$;
COMMENT ON FUNCTION pgsim._sample_queries IS 'Texts of a column, each with the keys of the rows that it stands in. The same seed takes the same ones.';
