CREATE FUNCTION pgsim._fold_counts(counts regclass, owner int, terms int[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    many int[];
BEGIN
    EXECUTE format('SELECT array_agg(m.term) FROM (SELECT h.term FROM %s AS h WHERE h.term = ANY ($1) GROUP BY h.term HAVING count(*) >= 8) AS m', counts)
    INTO many USING terms;
    -- One at a time, and whoever finds another at it leaves it: it is no more than tidying. What others took meanwhile cannot be taken again, which a
    -- transaction with one snapshot for all its statements would fail for.
    IF many IS NULL OR current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted')
       OR NOT pg_try_advisory_xact_lock('pgsim._text'::regclass::oid::int, owner) THEN
        RETURN;
    END IF;
    EXECUTE format('WITH taken AS (DELETE FROM %1$s AS h WHERE h.term = ANY ($1) RETURNING h.term, h.docs, h.top, h.length) '
                   'INSERT INTO %1$s (term, docs, top, length) SELECT t.term, sum(t.docs), max(t.top), sum(t.length) FROM taken AS t GROUP BY t.term', counts)
    USING many;
END
$$;
COMMENT ON FUNCTION pgsim._fold_counts IS 'Adds up the changes of words'' counts where a word has many of them. owner: a number of the index''s own.';
REVOKE ALL ON FUNCTION pgsim._fold_counts FROM PUBLIC;
