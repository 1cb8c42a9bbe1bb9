CREATE FUNCTION pgsim._keep_mapped() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
    -- An array in a variable is read from its table once, and not for every vector; in a record it would be read twice.
    components pgsim._map.components%TYPE;
    bias pgsim._map.bias%TYPE;
    normalized boolean;
    image pgsim._map.bias%TYPE;
    statement text;
    source text;
    newer text := '';
    taken text[];
    renamed boolean;
    one record;
BEGIN
    SELECT v.id, v.relation::text AS relation, b.adopted, b.column_name, c.key_columns, m.map_id, m.dim, m.metric, m.element,
           -- A column that was renamed is not found by its old name.
           ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped) AS readable
    INTO f
    FROM pgsim._version AS v JOIN pgsim._version AS b ON b.id = v.follows JOIN pgsim._model AS m ON m.id = v.model_id
    JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS c ON c.id = e.collection_id
    WHERE v.id = TG_ARGV[1]::int;
    IF NOT FOUND OR f.relation ~ '^\d' THEN
        RETURN CASE TG_WHEN WHEN 'BEFORE' THEN NEW END;
    END IF;
    taken := pgsim._key_names(f.key_columns, NOT f.adopted) || f.column_name;
    IF NOT taken <@ f.readable THEN
        RAISE WARNING USING MESSAGE = format('pgsim does not map changes of %s: a column of its key or of its vectors was renamed or dropped', TG_RELID::regclass),
            HINT = 'Run SELECT * FROM pgsim.check().';
        RETURN CASE TG_WHEN WHEN 'BEFORE' THEN NEW END;
    END IF;

    IF TG_OP IN ('INSERT', 'UPDATE') AND TG_WHEN = 'AFTER' THEN
        SELECT p.components, p.bias, p.normalized INTO components, bias, normalized FROM pgsim._map AS p WHERE p.id = f.map_id;
    END IF;
    IF TG_ARGV[2] = 'key' THEN
        -- A row that moves to another partition under another key is inserted there: what it leaves behind would be in its way.
        EXECUTE format('DELETE FROM %s AS k WHERE %s', f.relation, pgsim._key_join('($1).', 'k.', f.key_columns, true)) USING OLD;
        RETURN NEW;
    ELSIF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('TRUNCATE %s', f.relation);
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE format('DELETE FROM %s AS k USING pgsim_rows AS r WHERE %s', f.relation, pgsim._own_key_join('k.', 'r.', f.key_columns));
    ELSIF TG_LEVEL = 'ROW' THEN
        IF TG_OP = 'UPDATE' THEN
            EXECUTE format('SELECT record_image_ne(ROW(%s), ROW(%s))', pgsim._key_list('($1).', f.key_columns, false), pgsim._key_list('($2).', f.key_columns, false)) INTO renamed USING OLD, NEW;
            IF renamed THEN
                EXECUTE format('DELETE FROM %s AS k WHERE %s', f.relation, pgsim._key_join('($1).', 'k.', f.key_columns, true)) USING OLD;
            END IF;
        END IF;
        -- As _mapped_statement does for many rows, in less time than that takes to be planned.
        EXECUTE format('SELECT ($1).%I::%s.vector', f.column_name, pgsim._vector_schema()) INTO image USING NEW;
        image := pgsim._mapped(components, bias, normalized, image);
        EXECUTE CASE WHEN pgsim._vector_problem(image, f.dim, f.metric, f.element) IS NULL
            THEN format('INSERT INTO %1$s (%2$s, embedding) SELECT %3$s, $2::%4$s.%5$I ON CONFLICT (%2$s) DO UPDATE SET embedding = excluded.embedding, embedded_at = excluded.embedded_at',
                        f.relation, pgsim._key_list('', f.key_columns, true), pgsim._key_list('($1).', f.key_columns, false), pgsim._vector_schema(), f.element)
            ELSE format('DELETE FROM %s AS k WHERE %s', f.relation, pgsim._key_join('($1).', 'k.', f.key_columns, true)) END USING NEW, image;
    ELSE
        source := 'pgsim_rows AS r';
        IF TG_OP = 'UPDATE' THEN
            -- Keys change with the base table's, here and there alike.
            source := source || format(' JOIN pgsim_before AS o ON %s WHERE record_image_ne(ROW(r.%2$I, r.provisional, r.source_hash), ROW(o.%2$I, o.provisional, o.source_hash))',
                                       pgsim._own_key_join('r.', 'o.', f.key_columns), f.column_name);
        ELSE
            -- What a trigger of the user's has made of a new row meanwhile is the newer.
            newer := ' AND age(k.xmin) > 0';
        END IF;
        BEGIN
            EXECUTE pgsim._mapped_statement(f.id, source, newer) USING components, bias, normalized;
        EXCEPTION WHEN foreign_key_violation THEN
            -- A trigger of the user's has deleted rows that it was called for: those that are left are taken one by one.
            statement := pgsim._mapped_statement(f.id, '(SELECT ($4).*) AS r', newer);
            FOR one IN EXECUTE format('SELECT ROW(r.*)::%s AS given FROM pgsim_rows AS r', TG_RELID::regclass) LOOP
                BEGIN
                    EXECUTE statement USING components, bias, normalized, one.given;
                EXCEPTION WHEN foreign_key_violation THEN
                    CONTINUE;
                END;
            END LOOP;
        END;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._keep_mapped IS
    'Trigger: keeps a derived version up with the one that it follows, in the writer''s own transaction. It runs as its owner, to whom derived versions belong, reads only what was changed, and writes nothing else.';
REVOKE ALL ON FUNCTION pgsim._keep_mapped FROM PUBLIC;
