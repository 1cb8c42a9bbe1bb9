CREATE FUNCTION pgsim._have_vectors(t pgsim._target, keys text[]) RETURNS boolean[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    flags boolean[];
BEGIN
    -- OFFSET 0 has the keys read once, and looked up one by one.
    EXECUTE format(
        'SELECT array_agg(EXISTS (SELECT FROM %s AS b WHERE %s) ORDER BY i.place) FROM (SELECT %s, g.place FROM unnest($1) WITH ORDINALITY AS g (given, place) OFFSET 0) AS i',
        CASE WHEN t.adopted THEN t.base_sql ELSE t.version_sql END,
        CASE WHEN t.adopted THEN format('%s AND b.%I IS NOT NULL', pgsim._key_join('b.', 'i.', t.key_columns, true), t.column_name)
             ELSE (SELECT string_agg(format('b.%1$I OPERATOR(pg_catalog.=) i.%1$I', pgsim._key_column(n, cardinality(t.key_columns))), ' AND ') FROM generate_series(1, cardinality(t.key_columns)) AS n) END,
        pgsim._key_parse(t.base, 'g.given', t.key_columns, true))
    INTO flags USING keys;
    RETURN coalesce(flags, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._have_vectors IS 'Of each of some keys, whether its row has a vector in a version.';
