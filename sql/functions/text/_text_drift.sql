CREATE FUNCTION pgsim._text_drift(c pgsim._collection, x pgsim._text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    counted record;
    lost bigint;
    bad text;
    previous jsonb;
BEGIN
    EXECUTE format('SELECT d.rows, d.length, coalesce(h.rows, 0) AS said_rows, coalesce(h.length, 0) AS said_length '
                   'FROM (SELECT count(*) AS rows, coalesce(sum(round(length::float8::numeric, 2)), 0) AS length FROM %s) AS d, '
                   '(SELECT sum(docs) AS rows, sum(length) AS length FROM %s WHERE term = 0) AS h', x.documents, x.changes) INTO counted;
    IF counted.rows <> counted.said_rows OR counted.length <> counted.said_length THEN
        RETURN format('it has %s rows of %s words together, and counts %s of %s', counted.rows, counted.length, counted.said_rows, counted.said_length);
    END IF;
    EXECUTE format('SELECT count(*) FROM %s AS d WHERE NOT EXISTS (SELECT FROM %s AS b WHERE %s)', x.documents, c.relation, pgsim._key_join('b.', 'd.', c.key_columns, true)) INTO lost;
    IF lost > 0 AND NOT row_security_active(c.relation) THEN
        RETURN format('it has %s rows that the table has not', lost);
    END IF;
    -- A few hundred words stand for all, or a table of a million rows would take minutes.
    previous := pgsim._set('{"enable_seqscan": "off"}');
    EXECUTE format('SELECT string_agg(quote_literal(w.lexeme), '', '') FROM ('
                   '  SELECT v.lexeme FROM (SELECT v.lexeme, v.term, v.docs FROM %s AS v ORDER BY hashint4(v.term) LIMIT 300) AS v '
                   '  WHERE v.docs + (SELECT coalesce(sum(h.docs), 0) FROM %s AS h WHERE h.term = v.term) '
                   '        <> (SELECT count(*) FROM %s AS d WHERE pgsim._text_terms(d.impacts) && ARRAY[v.term]) LIMIT 5) AS w', x.vocabulary, x.changes, x.documents) INTO bad;
    PERFORM pgsim._set(previous);
    IF bad IS NOT NULL THEN
        RETURN format('the counts of %s are wrong', bad);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._text_drift IS 'How a text index disagrees with itself or with its base table: in its rows, their lengths, or how many rows have a word, of which some are looked at. NULL when it does not.';
