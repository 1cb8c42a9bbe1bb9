CREATE FUNCTION pgsim._fill_text(c pgsim._collection, x pgsim._text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET extra_float_digits = 1
SET client_min_messages = warning
AS $$
DECLARE
    index_name text;
BEGIN
    FOR index_name IN SELECT i.indexrelid::regclass FROM pg_index AS i WHERE i.indrelid IN (x.documents, x.vocabulary) AND NOT i.indisprimary LOOP
        EXECUTE format('DROP INDEX %s', index_name);
    END LOOP;
    -- Of a transaction that is seen here, which may be this one, the next statement sees all.
    UPDATE pgsim._text AS s SET filled_from = pg_snapshot_xmin(pg_current_snapshot()) WHERE s.collection_id = x.collection_id RETURNING * INTO x;
    EXECUTE format('SELECT array_agg(n.xmin) FROM (SELECT DISTINCT b.xmin FROM %s AS b WHERE age(b.xmin) <= age($1) LIMIT 1000) AS n', c.relation) INTO x.filled_with USING x.filled_from::xid;
    UPDATE pgsim._text AS s SET filled_with = coalesce(x.filled_with, '{}') WHERE s.collection_id = x.collection_id;
    EXECUTE format('TRUNCATE %s, %s, %s', x.documents, x.vocabulary, x.changes);
    EXECUTE pgsim._text_insertion(x, c.key_columns, format('%s AS r', c.relation), NULL) USING '{}'::int[], '{}'::int[], 0, 0::numeric, NULL::float8;
    EXECUTE format('CREATE INDEX ON %s (lexeme)', x.vocabulary);
    -- Without a list of pending entries, which each search would read through.
    EXECUTE format('CREATE INDEX ON %s USING gin (pgsim._text_terms(impacts)) WITH (fastupdate = off)', x.documents);
    EXECUTE format('CREATE INDEX ON %s USING gin (pgsim._text_trigrams(lexeme)) WITH (fastupdate = off) WHERE pgsim._is_fuzzy_word(lexeme)', x.vocabulary);
    EXECUTE format('ALTER INDEX %s ALTER COLUMN 1 SET STATISTICS 0',
        (SELECT i.indexrelid::regclass FROM pg_index AS i WHERE i.indrelid = x.documents AND i.indexprs IS NOT NULL));
    EXECUTE format('ANALYZE %s, %s, %s', x.documents, x.vocabulary, x.changes);
    UPDATE pgsim._text AS s SET complete = true WHERE s.collection_id = x.collection_id AND NOT s.complete;
END
$$;
COMMENT ON FUNCTION pgsim._fill_text IS 'Fills a text index from its base table, whatever was in it before, and makes its indexes.';
