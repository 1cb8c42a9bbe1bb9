CREATE FUNCTION pgsim._search_plain_text(collection text, query text, k int, OUT keys text[], OUT scores float8[], OUT row_details jsonb[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    best_function text;
    config_name text;
    config regconfig;
    proven boolean;
BEGIN
    IF octet_length(query) >= 2000 THEN
        RETURN;
    END IF;
    -- All that the long way asks one after another, in one statement whose plan is kept.
    SELECT x.best_function, x.text_config INTO best_function, config_name
    FROM pgsim._collection AS c JOIN pgsim._text AS x ON x.collection_id = c.id JOIN pg_class AS r ON r.oid = c.relation
    WHERE c.name = _search_plain_text.collection AND x.complete AND x.built AND x.base_name = c.relation::text
      AND c.key_columns || x.columns <@ ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.relation AND NOT a.attisdropped)
      AND has_table_privilege(c.relation, 'SELECT') AND has_table_privilege(x.documents, 'SELECT') AND has_schema_privilege(r.relnamespace, 'USAGE') AND NOT row_security_active(c.relation);
    IF best_function IS NULL THEN
        RETURN;
    END IF;
    BEGIN
        config := config_name;
    EXCEPTION WHEN undefined_object OR invalid_schema_name THEN
        RETURN;
    END;
    EXECUTE format('SELECT r.keys, r.scores, r.proven FROM %s($1, $2, false) AS r', best_function) INTO keys, scores, proven USING tsvector_to_array(to_tsvector(config, query)), k;
    IF NOT proven THEN
        keys := NULL;
        RETURN;
    END IF;
    keys := coalesce(keys, '{}');
    FOR i IN 1 .. cardinality(keys) LOOP
        row_details[i] := jsonb_build_object('strategy', 'text', 'legs', jsonb_build_object('text', jsonb_build_object('rank', i, 'score', scores[i])));
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._search_plain_text IS
    'The k best rows for words alone, without a filter, by the short way; keys is NULL where only pgsim._search_fused can tell: what is wrong, another backend''s index, row-level security, bounds that proved nothing.';
