CREATE FUNCTION pgsim._begin_text(collection text, text_config regconfig, weights jsonb, k1 float8, b float8, backend text) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    x pgsim._text;
    columns text[];
    column_weights float8[];
    config_name text;
    bad text;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    PERFORM pgsim._check_text_backend(c, backend);
    -- Whoever makes one at the same time waits, and is told then.
    PERFORM FROM pgsim._collection AS s WHERE s.id = c.id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM pgsim._text AS s WHERE s.collection_id = c.id) OR EXISTS (SELECT FROM pgsim._text_backend AS s WHERE s.collection_id = c.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('collection %L has a text index already', c.name),
            HINT = format('Use it, or drop it first with pgsim.disable_text(%L).', c.name);
    ELSIF k1 IS NULL OR b IS NULL OR NOT (k1 = 0 OR k1 BETWEEN 0.01 AND 100) OR NOT b BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k1 is %s and b is %s; k1 is 0 or from 0.01 to 100, and b from 0 to 1', coalesce(k1::text, 'NULL'), coalesce(b::text, 'NULL')),
            HINT = 'The defaults, 1.2 and 0.75, suit most texts.';
    ELSIF weights IS NOT NULL AND jsonb_typeof(weights) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'weights is not a JSON object', HINT = 'It gives columns their weights: weights => ''{"title": 3, "body": 1}''.';
    END IF;
    IF backend = 'pgsim' THEN
        PERFORM pgsim._require_all_texts(c);
    END IF;
    SELECT left(w.key, 80) INTO bad FROM jsonb_each(weights) AS w
    WHERE CASE jsonb_typeof(w.value) WHEN 'number' THEN (w.value #>> '{}')::numeric NOT BETWEEN 0 AND 1000 OR (w.value #>> '{}')::numeric * 100 % 1 <> 0 ELSE true END LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the weight of %L is %s; it is a number from 0 to 1000 with at most two decimals', bad, left((weights -> bad)::text, 80)),
            HINT = 'A weight of 3 counts each word of the column three times; one of 0 leaves the column out.';
    END IF;
    columns := c.text_columns || ARRAY(SELECT w.key FROM jsonb_object_keys(weights) AS w (key) WHERE w.key <> ALL (c.text_columns));
    PERFORM pgsim._check_columns(c.relation, 'weights', columns);
    SELECT array_agg(n.name ORDER BY n.ordinal), array_agg(coalesce((weights ->> n.name)::float8, 1) ORDER BY n.ordinal) INTO columns, column_weights
    FROM unnest(columns) WITH ORDINALITY AS n (name, ordinal) WHERE coalesce((weights ->> n.name)::float8, 1) > 0;
    IF columns IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('there is no column of text to search in collection %L', c.name),
            HINT = 'Name columns and their weights, weights => ''{"body": 1}'', or register the table with text_columns.';
    END IF;
    SELECT string_agg(quote_ident(a.attname), ', ') INTO bad FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = ANY (columns) AND a.attgenerated = 'v';
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is generated and not stored, so that nothing tells when it changes', bad),
            HINT = 'Make it GENERATED ALWAYS AS (...) STORED.';
    END IF;
    config_name := coalesce(
        (SELECT format('%I.%I', n.nspname, t.cfgname) FROM pg_ts_config AS t JOIN pg_namespace AS n ON n.oid = t.cfgnamespace WHERE t.oid = _begin_text.text_config),
        c.text_config);
    IF backend <> 'pgsim' THEN
        PERFORM pgsim._create_text_backend(c, backend, config_name, columns, column_weights, k1, b);
        RETURN NULL;
    END IF;
    x := pgsim._create_text(c, config_name, columns, column_weights, k1, b);
    PERFORM pgsim._fill_text(c, x);
    RETURN x.documents;
END
$$;
COMMENT ON FUNCTION pgsim._begin_text IS
    'The first step of a text index, that takes the time: its tables are made and filled, and no writer waits. It returns the table of its documents, by which the next steps know it: _watch_text, _changed_texts, _repair_text and _finish_text. NULL: another extension keeps the index, and it is made.';
