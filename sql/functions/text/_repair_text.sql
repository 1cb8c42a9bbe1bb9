CREATE FUNCTION pgsim._repair_text(documents regclass, keys text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET extra_float_digits = 1
SET client_min_messages = warning
AS $$
DECLARE
    made record := pgsim._text_in_making(documents);
    c pgsim._collection := made.c;
    x pgsim._text := made.x;
    part text[];
    locked text[];
    matched text := pgsim._key_join('r.', 'd.', c.key_columns, true);
    asked text := format('(SELECT k.given, %s FROM unnest(%%s) AS k (given)) AS %%s', replace(pgsim._key_parse(c.relation, 'k.given', c.key_columns, false), '%', '%%'));
    terms int[];
    docs int[];
    removed int;
    removed_length numeric;
    added int[];
BEGIN
    FOR i IN 0 .. (cardinality(keys) - 1) / 1000 LOOP
        part := keys[i * 1000 + 1 : (i + 1) * 1000];
        -- They are held still while they are read. Of a key that is not there now the row may come meanwhile: its writer sees to it.
        EXECUTE format('SELECT array_agg(l.given) FROM (SELECT g.given FROM %s AS b JOIN %s ON %s ORDER BY %s FOR NO KEY UPDATE OF b) AS l', c.relation, format(asked, '$1', 'g'),
            pgsim._key_join('b.', 'g.', c.key_columns, false), pgsim._key_list('b.', c.key_columns, false)) INTO locked USING part;
        EXECUTE pgsim._text_removal(x, format(asked, '$1', 'r'), format('%s AND (r.given = ANY ($2) OR NOT EXISTS (SELECT FROM %s AS b WHERE %s))',
            matched, c.relation, pgsim._key_join('b.', 'r.', c.key_columns, false)))
        INTO terms, docs, removed, removed_length USING part, coalesce(locked, '{}');
        EXECUTE pgsim._text_insertion(x, c.key_columns, format('(SELECT b.* FROM %s AS b JOIN %s ON %s) AS r', c.relation, format(asked, '$6', 'g'),
            pgsim._key_join('b.', 'g.', c.key_columns, false)), NULL)
        INTO added USING coalesce(terms, '{}'), coalesce(docs, '{}'), removed, removed_length, pgsim._text_average(x), locked;
        PERFORM pgsim._fold_counts(x.changes, x.collection_id, 0 || terms || added);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._repair_text IS 'The fourth step of a text index, once or for some keys at a time: it reads rows again, whose writers wait until this transaction ends.';
