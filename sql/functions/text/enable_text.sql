CREATE FUNCTION pgsim.enable_text(collection text, text_config regconfig = NULL, weights jsonb = NULL, k1 float8 = 1.2, b float8 = 0.75, backend text = 'pgsim') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    documents regclass := pgsim._begin_text(collection, text_config, weights, k1, b, backend);
BEGIN
    IF documents IS NOT NULL THEN
        -- Writers wait from here until the transaction ends.
        PERFORM pgsim._watch_text(documents);
        PERFORM pgsim._repair_text(documents, pgsim._changed_texts(documents));
        PERFORM pgsim._finish_text(documents);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim.enable_text IS
$$Makes a text index of a collection, so that its rows can be ranked by BM25: a query's words against the words of the row.

text_config: a text search configuration, default the collection's. weights: how often a word of each column counts, {"title": 3, "body": 1}; text
columns that it does not name count once, a weight of 0 leaves one out, and it may name other columns of the table. k1, b: BM25's.
backend: pg_textsearch or pg_search, where that extension is installed, has it make and keep an index of its own on the table: weights are 0 and 1, k1 is 0.1 to 10
(pg_search: 1.2, with b 0.75), and text_form is any alone; while it is made writers of the table wait. pgsim's own index is kept in the transaction of whoever writes. While it is filled nobody waits;
then triggers are made, what has changed meanwhile is read again, and writers wait for that and the end of the transaction.
Errors: PS001, PS005, PS006, PS010, PS020, PS032, PS035.$$;
