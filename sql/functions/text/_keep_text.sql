CREATE FUNCTION pgsim._keep_text() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET extra_float_digits = 1
SET client_min_messages = warning
AS $$
DECLARE
    x pgsim._text;
    key_columns text[];
    usable boolean;
    matched text;
    same text;
    removed_terms int[] := '{}';
    removed_docs int[] := '{}';
    removed int := 0;
    removed_length numeric := 0;
    terms int[];
    contents text[];
    moved boolean;
    w record;
BEGIN
    SELECT s.* INTO x FROM pgsim._text AS s WHERE s.collection_id = TG_ARGV[0]::int;
    IF NOT FOUND OR NOT x.complete THEN
        RETURN NULL;
    END IF;
    SELECT c.key_columns, pgsim._text_usable(x, TG_RELID, c.key_columns) INTO key_columns, usable FROM pgsim._collection AS c WHERE c.id = x.collection_id;
    IF NOT usable THEN
        PERFORM pgsim._give_up_keeping(NULL, x.collection_id, format('pgsim no longer searches the text of %s: a column or the configuration that its text index reads was renamed or dropped', TG_RELID::regclass));
        RETURN NULL;
    END IF;
    matched := pgsim._key_join('r.', 'd.', key_columns, true);

    IF TG_OP = 'TRUNCATE' THEN
        IF TG_ARGV[1] = 'part' THEN
            -- Which rows were there is known by those that are left; who may not read them leaves what is gone to pgsim.check.
            IF NOT has_table_privilege((SELECT c.relation FROM pgsim._collection AS c WHERE c.id = x.collection_id), 'SELECT')
               OR row_security_active((SELECT c.relation FROM pgsim._collection AS c WHERE c.id = x.collection_id)) THEN
                RETURN NULL;
            END IF;
            EXECUTE pgsim._text_removal(x, format('%s AS o', x.documents), format('o.ctid = d.ctid AND NOT EXISTS (SELECT FROM %s AS r WHERE %s)',
                (SELECT c.relation FROM pgsim._collection AS c WHERE c.id = x.collection_id), matched))
            INTO removed_terms, removed_docs, removed, removed_length;
        ELSE
            EXECUTE format('TRUNCATE %s, %s, %s', x.documents, x.vocabulary, x.changes);
            RETURN NULL;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE pgsim._text_removal(x, 'pgsim_before AS r', matched) INTO removed_terms, removed_docs, removed, removed_length;
    ELSIF TG_LEVEL = 'ROW' THEN
        EXECUTE format('SELECT ARRAY[%s], %s', (SELECT string_agg(format('pg_catalog.concat(($2).%I)', f.name), ', ' ORDER BY f.ordinal) FROM unnest(x.columns) WITH ORDINALITY AS f (name, ordinal)),
                       format('record_image_ne(ROW(%s), ROW(%s))', pgsim._key_list('($1).', key_columns, false), pgsim._key_list('($2).', key_columns, false))) INTO contents, moved USING OLD, NEW;
        IF moved THEN
            EXECUTE pgsim._text_removal(x, '(SELECT ($1).* UNION ALL SELECT ($2).*) AS r', matched) INTO removed_terms, removed_docs, removed, removed_length USING OLD, NEW;
        ELSE
            EXECUTE format('DELETE FROM %s AS d WHERE %s RETURNING pgsim._text_terms(d.impacts), 1, round(d.length::float8::numeric, 2)', x.documents, pgsim._key_join('($1).', 'd.', key_columns, true))
            INTO removed_terms, removed, removed_length USING NEW;
            removed := coalesce(removed, 0);
            removed_length := coalesce(removed_length, 0);
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        -- A trigger of the user's may have changed a row again before the statement that brought it gets here. What this transaction wrote of it is the newer then.
        EXECUTE pgsim._text_removal(x, 'pgsim_rows AS r', matched || ' AND age(d.xmin) > 0') INTO removed_terms, removed_docs, removed, removed_length;
    ELSE
        same := format('(SELECT FROM %%s AS s WHERE NOT record_image_ne(ROW(%s), ROW(%s)))', pgsim._key_list('s.', key_columns || x.columns, false),
                       pgsim._key_list('o.', key_columns || x.columns, false));
        EXECUTE pgsim._text_removal(x, format('(SELECT * FROM pgsim_before AS o WHERE NOT EXISTS %s) AS r', format(same, 'pgsim_rows')), matched)
        INTO removed_terms, removed_docs, removed, removed_length;
    END IF;

    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        IF removed > 0 THEN
            EXECUTE format('INSERT INTO %s (term, docs, top, length) SELECT g.term, -g.docs, 0, NULL FROM unnest($1, $2) AS g (term, docs) UNION ALL SELECT 0, -$3, 0, -$4', x.changes)
            USING removed_terms, removed_docs, removed, removed_length;
        END IF;
        terms := removed_terms;
    ELSIF TG_LEVEL = 'ROW' THEN
        -- A row that had the new key before is counted once for each of its words, as the row itself is.
        w := pgsim._text_row_words(x, contents, CASE WHEN moved THEN ARRAY(SELECT u.term FROM unnest(removed_terms, removed_docs) AS u (term, docs), generate_series(1, u.docs)) ELSE removed_terms END,
                                   removed, removed_length);
        IF w.impacts IS NOT NULL THEN
            EXECUTE format('INSERT INTO %s (%s, length, average, impacts) SELECT %s, $2, $3, $4::%s.sparsevec', x.documents, pgsim._key_list('', key_columns, true),
                           pgsim._key_list('($1).', key_columns, false), pgsim._vector_schema()) USING NEW, w.length, w.average, w.impacts;
        END IF;
        terms := w.terms;
    ELSE
        EXECUTE pgsim._text_insertion(x, key_columns,
            CASE TG_OP WHEN 'INSERT' THEN 'pgsim_rows AS r' ELSE format('(SELECT * FROM pgsim_rows AS o WHERE NOT EXISTS %s) AS r', format(same, 'pgsim_before')) END,
            CASE TG_OP WHEN 'INSERT' THEN format('NOT EXISTS (SELECT FROM %s AS d WHERE %s)', x.documents, matched) END)
        INTO terms USING removed_terms, removed_docs, removed, removed_length, pgsim._text_average(x);
    END IF;
    IF removed > 0 OR terms IS NOT NULL THEN
        PERFORM pgsim._fold_counts(x.changes, x.collection_id, 0 || terms);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._keep_text IS
    'Trigger: keeps a text index up with its base table, in the writer''s own transaction. It runs as its owner, to whom the index belongs, reads only what was changed, and writes nothing else.';
REVOKE ALL ON FUNCTION pgsim._keep_text FROM PUBLIC;
