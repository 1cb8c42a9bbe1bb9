CREATE FUNCTION pgsim._capped(c pgsim._collection, column_name text, keys text[], per_group int, k int) RETURNS int[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    places int[];
BEGIN
    EXECUTE format(
        'SELECT array_agg(o ORDER BY o) FROM (SELECT o::int FROM (SELECT i.ordinal AS o, row_number() OVER (PARTITION BY b.%I ORDER BY i.ordinal) AS nth '
        'FROM (SELECT %s, k.ordinal FROM unnest($1) WITH ORDINALITY AS k (given, ordinal)) AS i JOIN %s AS b ON %s) AS n WHERE nth <= $2 ORDER BY o LIMIT $3) AS p',
        column_name, pgsim._key_parse(c.relation, 'k.given', c.key_columns, true), c.relation, pgsim._key_join('b.', 'i.', c.key_columns, true))
    INTO places USING keys, per_group, k;
    RETURN coalesce(places, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._capped IS 'The places, in a ranked list of keys, of the first k rows of which no more than per_group have one value of a column. NULL is a value.';
