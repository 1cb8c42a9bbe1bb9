CREATE FUNCTION pgsim._read_text_query(c pgsim._collection, x pgsim._text, query text, form text) RETURNS pgsim._text_query
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q pgsim._text_query;
    w record;
    inverse float8;
    lexemes text[];
    ids text[];
    docs float8[];
    tops float8[];
    units text[];
    vector text;
BEGIN
    w := pgsim._text_words(c, x, query, form);
    q.bound := row_security_active(c.relation);
    EXECUTE format('SELECT r.total, r.average, r.inverse, r.lexemes, r.ids, r.docs, r.tops FROM %s($1) AS r', x.words_function)
    INTO q.rows, q.average, inverse, lexemes, ids, docs, tops USING ARRAY(SELECT DISTINCT l FROM unnest(w.lexemes) AS l);
    q.spread := greatest(1, inverse * q.average);
    -- Static SQL, whose plan is kept: the session plans it once. Words that stand for others share their rarity.
    SELECT array_agg(m.lexeme), array_agg(m.ids), array_agg(m.docs), array_agg(m.weight), array_agg(m.weight * least(x.k1 + 1, m.top * q.spread)),
           array_agg('{' || replace(m.ids, ',', ':1,') || ':1}/1000000000'),
           '{' || string_agg(replace(m.ids, ',', ':' || m.weight::real || ',') || ':' || m.weight::real, ',') FILTER (WHERE m.weight > 0) || '}/1000000000'
    INTO q.lexemes, q.ids, q.docs, q.weights, q.bounds, units, vector
    FROM (
        SELECT g.lexeme, g.ids, g.docs, g.top, g.boost * ln(1 + (q.rows - least(g.together, q.rows) + 0.5) / (least(g.together, q.rows) + 0.5)) AS weight
        FROM (
            SELECT k.*, u.boost, sum(k.docs) OVER (PARTITION BY u.part) AS together
            FROM unnest(lexemes, ids, docs, tops) AS k (lexeme, ids, docs, top)
            JOIN (SELECT u.lexeme, min(u.part) AS part, max(u.boost) AS boost FROM unnest(w.lexemes, w.parts, w.boosts) AS u (lexeme, part, boost) GROUP BY u.lexeme) AS u ON u.lexeme = k.lexeme
        ) AS g
        ORDER BY g.docs, g.lexeme COLLATE "C" LIMIT 8000
    ) AS m;
    q.units := units;
    q.vector := vector;
    IF form IN ('all', 'phrase') THEN
        IF cardinality(q.lexemes) < cardinality(w.lexemes) AND cardinality(q.lexemes) < 8000 THEN
            -- No row has a word that is not known.
            q.vector := NULL;
        END IF;
        q.condition := (SELECT string_agg(format('[%s]', i), ' AND ') FROM generate_subscripts(q.lexemes, 1) AS i);
    ELSIF w.condition IS NOT NULL THEN
        -- The same word may stand in a condition twice.
        q.condition := w.condition;
        FOR i IN 1 .. cardinality(w.lexemes) LOOP
            q.condition := replace(q.condition, format('{%s}', i), coalesce(format('[%s]', array_position(q.lexemes, w.lexemes[i])), 'false'));
        END LOOP;
        q.condition := replace(q.condition, '[]', 'false');
    END IF;
    IF w.recheck IS NOT NULL THEN
        q.recheck := format('pgsim._text_vector(%L, ARRAY[%s]) OPERATOR(pg_catalog.@@) %L::pg_catalog.tsquery', x.text_config,
            (SELECT string_agg(format('pg_catalog.concat(%I)', n.name), ', ' ORDER BY n.ordinal) FROM unnest(x.columns) WITH ORDINALITY AS n (name, ordinal)), w.recheck);
    END IF;
    RETURN q;
END
$$;
COMMENT ON FUNCTION pgsim._read_text_query IS 'A text query with all that its index knows of its words; of more than 8000 different ones the rarest.';
