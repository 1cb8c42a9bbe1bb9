CREATE FUNCTION pgsim._text_average(x pgsim._text) RETURNS float8
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    average float8;
BEGIN
    EXECUTE format('SELECT sum(h.length)::float8 / nullif(sum(h.docs), 0) FROM %s AS h WHERE h.term = 0', x.changes) INTO average;
    RETURN CASE WHEN average > 0 THEN average END;
END
$$;
COMMENT ON FUNCTION pgsim._text_average IS 'The mean length of the rows of a text index; NULL of an empty one.';
