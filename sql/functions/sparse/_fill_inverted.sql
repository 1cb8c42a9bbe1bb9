CREATE FUNCTION pgsim._fill_inverted(t pgsim._target, terms regclass, anew boolean = false) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF anew THEN
        EXECUTE format('TRUNCATE %s', terms);
    END IF;
    -- Rows that came since the triggers are there are counted a second time, which misleads nobody: counts say where to begin, and bounds stay what they are.
    EXECUTE format('INSERT INTO %s (term, docs, top) SELECT e.term, count(*), max(abs(e.weight))::real FROM %s AS r CROSS JOIN LATERAL pgsim._sparse_entries(%s) AS e GROUP BY e.term',
                   terms, t.version, pgsim._inverted_vector(t.metric, t.column_name, t.vector_schema));
    EXECUTE format('ANALYZE %s', terms);
END
$$;
COMMENT ON FUNCTION pgsim._fill_inverted IS 'Counts the rows of each term of an inverted index, and takes its greatest weight.';
