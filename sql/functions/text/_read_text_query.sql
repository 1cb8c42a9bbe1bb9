CREATE FUNCTION pgsim._read_text_query(c pgsim._collection, x pgsim._text, query text, form text) RETURNS pgsim._text_query
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q pgsim._text_query;
    w record;
    ordinals int[];
BEGIN
    w := pgsim._text_words(c, x, query, form);
    q.bound := row_security_active(c.relation);
    IF q.bound THEN
        PERFORM set_config('pgsim.text_lexemes', w.lexemes::text, true);
    END IF;
    EXECUTE format(
        'WITH total AS (SELECT greatest(sum(h.docs), 0)::float8 AS rows, sum(h.length)::float8 AS length, max(h.top)::float8 AS inverse FROM %2$s AS h WHERE h.term = 0), '
        'found AS ('
        '  SELECT w.lexeme, w.part, w.boost, w.ordinal, string_agg(v.term::text, '','') AS ids, sum(v.docs + coalesce(h.docs, 0))::float8 AS docs, max(greatest(v.top, h.top))::float8 AS top '
        '  FROM (SELECT u.lexeme, min(u.part) AS part, max(u.boost) AS boost, min(u.ordinal) AS ordinal '
        '        FROM unnest($1, $2, $3) WITH ORDINALITY AS u (lexeme, part, boost, ordinal) GROUP BY u.lexeme) AS w '
        '  CROSS JOIN LATERAL (SELECT v.* FROM %1$s AS v WHERE v.lexeme = w.lexeme) AS v '
        '  LEFT JOIN LATERAL (SELECT sum(h.docs) AS docs, max(h.top) AS top FROM %2$s AS h WHERE h.term = v.term) AS h ON true '
        '  GROUP BY w.lexeme, w.part, w.boost, w.ordinal HAVING sum(v.docs + coalesce(h.docs, 0)) > 0), '
        'weighed AS ('
        '  SELECT f.*, t.rows, t.length / nullif(t.rows, 0) AS average, greatest(1, t.inverse * t.length / nullif(t.rows, 0)) AS spread, '
        '         f.boost * ln(1 + (t.rows - g.docs + 0.5) / (g.docs + 0.5)) AS weight, row_number() OVER (ORDER BY f.docs, f.lexeme COLLATE "C") AS place '
        '  FROM (SELECT f.*, sum(f.docs) OVER (PARTITION BY f.part) AS together FROM found AS f) AS f CROSS JOIN total AS t CROSS JOIN LATERAL (SELECT least(f.together, t.rows) AS docs) AS g) '
        'SELECT array_agg(m.lexeme ORDER BY m.place), array_agg(m.ids ORDER BY m.place), array_agg(m.docs ORDER BY m.place), array_agg(m.weight ORDER BY m.place), '
        '       array_agg(m.weight * least($4, m.top * m.spread) ORDER BY m.place), array_agg((''{'' || replace(m.ids, '','', '':1,'') || '':1}/1000000000'')::%3$s.sparsevec ORDER BY m.place), '
        '       (''{'' || string_agg(replace(m.ids, '','', '':'' || m.weight::real || '','') || '':'' || m.weight::real, '','') FILTER (WHERE m.weight > 0) || ''}/1000000000'')::%3$s.sparsevec, '
        '       min(m.rows), min(m.average), max(m.spread), array_agg(m.ordinal::int ORDER BY m.place) '
        'FROM weighed AS m WHERE m.place <= 8000', x.vocabulary, x.changes, pgsim._vector_schema())
    INTO q.lexemes, q.ids, q.docs, q.weights, q.bounds, q.units, q.vector, q.rows, q.average, q.spread, ordinals
    USING w.lexemes, w.parts, w.boosts, x.k1 + 1;
    IF w.condition IS NOT NULL THEN
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
