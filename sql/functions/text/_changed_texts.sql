CREATE FUNCTION pgsim._changed_texts(documents regclass) RETURNS text[]
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made record := pgsim._text_in_making(documents);
    c pgsim._collection := made.c;
    keys text[];
BEGIN
    -- What the filling could not see is of a transaction that was under way then or came later. Volatile: it is to see what was committed until now.
    EXECUTE format('SELECT array_agg(n.key) FROM (SELECT %s FROM %s AS b WHERE age(b.xmin) <= age($1) AND b.xmin <> ALL ($2) UNION '
                   'SELECT %s FROM (SELECT %s FROM %s AS d WHERE NOT EXISTS (SELECT FROM %s AS b WHERE %s)) AS g) AS n (key)',
        pgsim._key_text(c.relation, 'b.', c.key_columns), c.relation, pgsim._key_text(c.relation, 'g.', c.key_columns),
        (SELECT string_agg(format('d.%I AS %I', n.name, k.name), ', ') FROM unnest(c.key_columns) WITH ORDINALITY AS k (name, ordinal)
         JOIN unnest(pgsim._key_names(c.key_columns, true)) WITH ORDINALITY AS n (name, ordinal) USING (ordinal)),
        documents, c.relation, pgsim._key_join('b.', 'd.', c.key_columns, true))
    INTO keys USING (made.x).filled_from::xid, (made.x).filled_with;
    RETURN coalesce(keys, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._changed_texts IS 'The third step of a text index, which locks nothing: keys of the rows that may have changed since it was filled, and of those that are gone.';
