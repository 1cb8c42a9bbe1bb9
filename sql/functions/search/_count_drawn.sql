CREATE FUNCTION pgsim._count_drawn(sampled text, name text, predicate text, given jsonb, places tid[], OUT drawn bigint, OUT matches bigint)
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    EXECUTE pg_catalog.format(E'SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE (%s\n)) FROM (SELECT * FROM %s WHERE ctid OPERATOR(pg_catalog.=) ANY ($2)) AS %I', predicate, sampled, name)
    INTO drawn, matches USING given, places;
END
$$;
COMMENT ON FUNCTION pgsim._count_drawn IS 'Of rows at places of a table how many there are and match a predicate. It has the caller''s search_path, as the search has.';
