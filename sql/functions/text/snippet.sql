CREATE FUNCTION pgsim.snippet(collection text, key text, query text, options jsonb = '{}', text_form text = 'any') RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection := pgsim._collection_row(collection);
    x pgsim._text := pgsim._text_row(c);
    w record;
    shown text[] := x.columns;
    settings text;
    bad text;
    terms text;
    content text;
BEGIN
    PERFORM pgsim._check_text_form(x, text_form);
    IF jsonb_typeof(options) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'options is not a JSON object', HINT = 'For instance: options => ''{"start": "<mark>", "stop": "</mark>", "max_words": 30}''.';
    END IF;
    SELECT left(o.key, 80) INTO bad FROM jsonb_each(options) AS o
    WHERE CASE WHEN o.key IN ('start', 'stop', 'delimiter', 'column') THEN jsonb_typeof(o.value) <> 'string'
               WHEN o.key = 'whole' THEN jsonb_typeof(o.value) <> 'boolean'
               WHEN o.key IN ('max_words', 'min_words', 'fragments')
               THEN CASE jsonb_typeof(o.value) WHEN 'number' THEN o.value::text !~ '^\d{1,4}$' ELSE true END
               ELSE true END LIMIT 1;
    IF FOUND OR coalesce((options ->> 'max_words')::int, 35) <= coalesce((options ->> 'min_words')::int, least(15, coalesce((options ->> 'max_words')::int, 35) - 1))
       OR coalesce((options ->> 'min_words')::int, 1) = 0 OR coalesce((options ->> 'max_words')::int, 35) < 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('options: %s', coalesce(format('%L is not known or not of its type: %s', bad, left((options -> bad)::text, 80)), 'max_words is not above min_words, which is 1 at least')),
            HINT = 'Known are start, stop, delimiter and column (texts), max_words, min_words and fragments (whole numbers to 9999), and whole (a boolean).';
    END IF;
    IF options ? 'column' THEN
        shown := ARRAY[options ->> 'column'];
        PERFORM pgsim._check_columns(c.relation, 'options', shown);
    END IF;
    PERFORM pgsim._require_select(c.relation, c.relation);
    PERFORM pgsim._require_text_kept(c, x);
    w := pgsim._text_words(c, x, coalesce(query, ''), text_form);
    SELECT string_agg(format('''%s''', replace(replace(l, '\', '\\'), '''', '''''')), ' | ') INTO terms FROM (SELECT l FROM unnest(w.lexemes) AS l LIMIT 1000) AS s (l);
    SELECT string_agg(format('%s="%s"', CASE o.key WHEN 'start' THEN 'StartSel' WHEN 'stop' THEN 'StopSel' WHEN 'delimiter' THEN 'FragmentDelimiter' WHEN 'max_words' THEN 'MaxWords'
                                             WHEN 'min_words' THEN 'MinWords' WHEN 'fragments' THEN 'MaxFragments' ELSE 'HighlightAll' END, replace(o.value, '"', '""')), ', ')
    INTO settings
    FROM jsonb_each_text(options || CASE WHEN options ? 'max_words' AND NOT options ? 'min_words' THEN jsonb_build_object('min_words', least(15, (options ->> 'max_words')::int - 1)) ELSE '{}' END) AS o
    WHERE o.key <> 'column';
    BEGIN
        EXECUTE format('SELECT concat_ws(E''\n'', %s) FROM (SELECT * FROM %s) AS b JOIN (SELECT %s FROM (SELECT $1 AS given) AS k) AS g ON %s',
            (SELECT string_agg(format('b.%I', n.name), ', ' ORDER BY n.ordinal) FROM unnest(shown) WITH ORDINALITY AS n (name, ordinal)), c.relation,
            pgsim._key_parse(c.relation, 'k.given', c.key_columns, true), pgsim._key_join('b.', 'g.', c.key_columns, true)) INTO content USING snippet.key;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('key %L is not %s: %s', left(snippet.key, 200), pgsim._key_types(c.relation, c.key_columns), SQLERRM), HINT = 'Searches return keys in this form.';
    END;
    RETURN ts_headline(x.text_config::regconfig, content, coalesce(terms, ''' ''')::tsquery, coalesce(settings, ''));
END
$$;
COMMENT ON FUNCTION pgsim.snippet IS
$$Shows where a row has the words of a query: a piece of its text with the words marked, or NULL for a row that is not there or not yours to see.

options: start and stop, what stands around a word (default <b> and </b>); max_words and min_words (35, 15); fragments, how many pieces at most, and
the delimiter between them; whole (true): all of the text; column: of this column alone. text_form: as the search had it.
The text is given as it is: where it goes into HTML, choose start and stop that survive escaping, and escape the snippet before you replace them.
Errors: PS001, PS005, PS006, PS010, PS016, PS032, PS035.$$;
