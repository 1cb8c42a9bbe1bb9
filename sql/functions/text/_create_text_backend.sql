CREATE FUNCTION pgsim._create_text_backend(c pgsim._collection, backend text, text_config text, columns text[], weights float8[], k1 float8, b float8) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    stem text := pgsim._version_name(c.name, NULL, 'text', c.id);
    made text := stem;
    attempt int := 1;
    base_schema name;
    bad text;
    expression text;
    statement text;
BEGIN
    IF 1 <> ANY (weights) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights: backend %s counts the words of every column alike', backend),
            HINT = 'A weight of 1 takes a column and 0 leaves it out. The text index that pgsim keeps itself, without a backend, has other weights.';
    ELSIF backend = 'pg_search' AND (k1 <> 1.2 OR b <> 0.75) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k1 is %s and b is %s; backend %s has 1.2 and 0.75 alone', k1, b, backend), HINT = 'Leave both out, or leave backend out.';
    ELSIF k1 NOT BETWEEN 0.1 AND 10 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k1 is %s; backend %s takes 0.1 to 10', k1, backend), HINT = 'The default, 1.2, suits most texts.';
    END IF;
    SELECT format('%I of type %s', a.attname, format_type(a.atttypid, a.atttypmod)) INTO bad
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid WHERE a.attrelid = c.relation AND a.attname = ANY (columns) AND t.typcategory <> 'S' LIMIT 1;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend %s indexes text, not column %s', backend, bad),
            HINT = 'Give it the weight 0 to leave it out, or a generated column of type text with its content.';
    END IF;
    SELECT CASE WHEN count(*) > 1 THEN string_agg(format('coalesce(%s, %L)', f.content, ''), format(' || %L || ', ' ') ORDER BY f.ordinal) ELSE min(f.content) END INTO expression
    FROM (SELECT n.ordinal, format(CASE a.atttypid WHEN 'text'::regtype THEN '%I' ELSE '(%I::text)' END, n.name) AS content
          FROM unnest(columns) WITH ORDINALITY AS n (name, ordinal) JOIN pg_attribute AS a ON a.attrelid = c.relation AND a.attname = n.name AND NOT a.attisdropped) AS f;
    SELECT n.nspname INTO base_schema FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE r.oid = c.relation;
    WHILE EXISTS (SELECT FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE n.nspname = base_schema AND r.relname = made) LOOP
        attempt := attempt + 1;
        made := stem || '_' || attempt;
    END LOOP;
    IF backend = 'pg_search' THEN
        statement := format('CREATE INDEX %I ON %s USING bm25 (%I, (pgsim._text_line(%L::pg_catalog.regconfig, %s)::pdb.whitespace(''lowercase=false'', %L))) WITH (key_field = %L)',
            made, c.relation, c.key_columns[1], text_config, expression, CASE c.key_columns[1] WHEN 'pgsim_words' THEN 'alias=pgsim_text' ELSE 'alias=pgsim_words' END, c.key_columns[1]);
    ELSE
        statement := format('CREATE INDEX %I ON %s USING bm25 ((%s)) WITH (text_config = %L, k1 = %s, b = %s)', made, c.relation, expression, text_config, k1, b);
    END IF;
    BEGIN
        EXECUTE statement;
    EXCEPTION
        WHEN internal_error OR feature_not_supported THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend %s does not index %s: %s', backend, c.relation, split_part(SQLERRM, E'\n', 1)),
                HINT = format('Extension %s has version %s here, and the key is of type %s: either may be why. Leave backend out for the text index that pgsim keeps itself.',
                              backend, (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = backend), pgsim._key_types(c.relation, c.key_columns));
    END;
    EXECUTE format('COMMENT ON INDEX %I.%I IS %L', base_schema, made, format('Text index of collection %s: pgsim made it, and reads it for text searches.', c.name));
    INSERT INTO pgsim._text_backend (collection_id, backend, index_name, text_config, columns, k1, b)
    VALUES (c.id, _create_text_backend.backend, made, _create_text_backend.text_config, _create_text_backend.columns, _create_text_backend.k1, _create_text_backend.b);
END
$$;
COMMENT ON FUNCTION pgsim._create_text_backend IS
    'Makes a text index of another extension''s on the base table: of the one column, or of all columns'' texts put together, as that extension weighs them alike.';
