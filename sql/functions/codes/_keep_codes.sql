CREATE FUNCTION pgsim._keep_codes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    codes record;
    own boolean := TG_ARGV[2] = 'version';
    depth int := pg_trigger_depth();
    -- How deep in triggers rows have been written since a statement around them began.
    deepest int := CASE WHEN current_setting('pgsim.codes_depth', true) ~ '^\d{1,4}$' THEN current_setting('pgsim.codes_depth') ELSE '0' END;
    newer text := '';
    taken text[];
    source_sql text;
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        IF deepest >= depth THEN
            PERFORM set_config('pgsim.codes_depth', CASE depth WHEN 1 THEN '' ELSE depth::text END, true);
        END IF;
        RETURN NULL;
    END IF;
    SELECT i.id, i.relation::text AS relation, i.complete, v.adopted, v.column_name, c.key_columns, c.filter_columns, pgsim._code_expression(format('r.%I', v.column_name), pgsim._vector_schema(), m.dim, i.dims, i.element, i.map_id) AS code_sql,
           -- A column that was renamed is not found by its old name.
           ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped) AS readable
    INTO codes
    FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._model AS m ON m.id = v.model_id
    JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS c ON c.id = e.collection_id
    WHERE i.id = TG_ARGV[1]::int;
    IF NOT FOUND OR codes.relation ~ '^\d' THEN
        RETURN NULL;
    END IF;
    -- The base table gives keys and filter columns, and an adopted column its codes too; a version table gives codes by its own keys.
    taken := CASE WHEN own THEN pgsim._key_names(codes.key_columns, true) ELSE pgsim._codes_columns(codes.key_columns, codes.filter_columns) END;
    IF NOT taken <@ codes.readable OR (own OR codes.adopted) AND codes.column_name <> ALL (codes.readable) THEN
        IF codes.complete THEN
            PERFORM pgsim._give_up_keeping(codes.id, NULL, format('pgsim no longer uses the codes of %s: a column that they mirror was renamed or dropped', TG_RELID::regclass));
        END IF;
        RETURN NULL;
    END IF;
    IF TG_ARGV[2] = 'base' THEN
        -- A trigger of the user's may have changed a row again before the statement that brought it gets here. What this transaction has
        -- written of it is the newer then, if it was written deeper in triggers than this.
        IF TG_LEVEL = 'STATEMENT' AND deepest > depth THEN
            newer := ' AND age(k.xmin) > 0';
        ELSIF depth > greatest(deepest, 1) THEN
            PERFORM set_config('pgsim.codes_depth', depth::text, true);
        END IF;
    END IF;

    IF TG_ARGV[2] = 'key' THEN
        -- Another row may have taken the key in this very statement; what older transactions wrote there is this row's.
        EXECUTE format('DELETE FROM %s AS k WHERE %s AND age(k.xmin) > 0', codes.relation, pgsim._key_join('k.', '($1).', codes.key_columns, false)) USING OLD;
        IF NOT codes.adopted THEN
            EXECUTE format('UPDATE %s AS k SET code = NULL WHERE %s', codes.relation, pgsim._key_join('k.', '($1).', codes.key_columns, false)) USING NEW;
        END IF;
    ELSIF TG_OP = 'TRUNCATE' THEN
        EXECUTE CASE WHEN own THEN format('UPDATE %s SET code = NULL', codes.relation) ELSE format('TRUNCATE %s', codes.relation) END;
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE format(CASE WHEN own THEN 'UPDATE %s AS k SET code = NULL FROM pgsim_rows AS r WHERE %s' ELSE 'DELETE FROM %s AS k USING pgsim_rows AS r WHERE %s' END,
                       codes.relation, pgsim._key_join('k.', 'r.', codes.key_columns, own) || newer);
    ELSE
        source_sql := CASE TG_OP WHEN 'INSERT' THEN 'pgsim_rows AS r' ELSE '(SELECT ($1).*) AS r' END;
        -- Each side sets what is its own, whichever comes first. A key that was changed leaves a row behind that leads nowhere, and
        -- whose code is not that of a row which takes the key later.
        EXECUTE CASE
            WHEN own THEN format('INSERT INTO %s (%s, code) SELECT %s, %s FROM %s ON CONFLICT (%s) DO UPDATE SET code = excluded.code',
                                 codes.relation, pgsim._key_list('', codes.key_columns, false), pgsim._key_list('r.', codes.key_columns, true), codes.code_sql, source_sql,
                                 pgsim._key_list('', codes.key_columns, false))
            ELSE format('INSERT INTO %s AS k (%s%s) SELECT %s%s FROM %s ON CONFLICT (%s) DO UPDATE SET (%2$s, code) = ROW(%8$s, %9$s) WHERE true%10$s',
                                 codes.relation, pgsim._key_list('', taken, false), CASE WHEN codes.adopted THEN ', code' ELSE '' END,
                                 pgsim._key_list('r.', taken, false), CASE WHEN codes.adopted THEN ', ' || codes.code_sql ELSE '' END, source_sql,
                                 pgsim._key_list('', codes.key_columns, false), pgsim._key_list('excluded.', taken, false),
                                 CASE WHEN codes.adopted THEN 'excluded.code' WHEN TG_OP = 'INSERT' THEN 'CASE WHEN age(k.xmin) <= 0 THEN k.code END' ELSE 'k.code' END, newer)
        END USING NEW;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._keep_codes IS
    'Trigger: keeps codes up with their base table and vectors, in the writer''s own transaction. It runs as its owner, to whom codes belong, reads only what was changed, and writes nothing else.';
REVOKE ALL ON FUNCTION pgsim._keep_codes FROM PUBLIC;
