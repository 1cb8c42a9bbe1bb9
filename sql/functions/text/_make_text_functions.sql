CREATE FUNCTION pgsim._make_text_functions(c pgsim._collection, x pgsim._text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $make$
DECLARE
    n int := cardinality(c.key_columns);
    vectors text := pgsim._vector_schema();
    -- A statement of a function is planned once a session, and not for the words of one query.
    -- A sequential scan or a hash would be chosen for what is not known yet, or for tables as small as they are now.
    settings text := 'SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off '
                     'SET enable_mergejoin = off SET jit = off';
    key_text text;
    ranking text;
    rankings text := '';
    source text;
    made text;
    reader text;
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %s(asked text[], OUT total float8, OUT average float8, OUT inverse float8, OUT lexemes text[], OUT ids text[], OUT docs float8[], OUT tops float8[], '
        'OUT weights float8[], OUT units text[], OUT vector text) '
        'LANGUAGE plpgsql STABLE SECURITY DEFINER %s AS %L', x.words_function, settings, format($body$
BEGIN
    SELECT greatest(sum(h.docs), 0), sum(h.length) / nullif(sum(h.docs), 0), max(h.top) INTO total, average, inverse FROM %2$s AS h WHERE h.term = 0;
    -- Rarest first. A word that two writers met at once has two ids.
    SELECT array_agg(m.lexeme), array_agg(m.ids), array_agg(m.docs), array_agg(m.top), array_agg(m.weight), array_agg('{' || replace(m.ids, ',', ':1,') || ':1}/1000000000'),
           '{' || string_agg(replace(m.ids, ',', ':' || m.weight::real || ',') || ':' || m.weight::real, ',') || '}/1000000000'
    INTO lexemes, ids, docs, tops, weights, units, vector
    FROM (SELECT g.*, ln(1 + (total - least(g.docs, total) + 0.5) / (least(g.docs, total) + 0.5)) AS weight
          FROM (SELECT v.lexeme, string_agg(v.term::text, ',') AS ids, sum(v.docs + h.docs)::float8 AS docs, max(greatest(v.top, h.top))::float8 AS top
                FROM unnest(asked) AS w (lexeme) JOIN %1$s AS v ON v.lexeme = w.lexeme
                CROSS JOIN LATERAL (SELECT coalesce(sum(h.docs), 0) AS docs, max(h.top) AS top FROM %2$s AS h WHERE h.term = v.term) AS h
                GROUP BY v.lexeme HAVING sum(v.docs + h.docs) > 0 ORDER BY docs, v.lexeme COLLATE "C") AS g) AS m;
END
$body$, x.vocabulary, x.changes));

    key_text := CASE n WHEN 1 THEN 'f.key::text' ELSE (SELECT format('jsonb_build_object(%s)::text', string_agg(format('%L, f.%I', k.name, pgsim._key_column(k.ordinal, n)), ', ' ORDER BY k.ordinal))
                                                       FROM unnest(c.key_columns) WITH ORDINALITY AS k (name, ordinal)) END;
    ranking := format($body$
    SELECT array_agg(%1$s ORDER BY f.score DESC, %2$s), array_agg(f.score ORDER BY f.score DESC, %2$s),
           coalesce(bool_and(f.there AND (f.passed < kept OR f.lowest < f.floor) AND (first_lowest IS NULL OR first_lowest < f.floor)), true) AND (coalesce(max(f.passed), 0) >= depth OR least_score = 0)
    INTO keys, scores, proven
    FROM (
        SELECT o.*, EXISTS (SELECT FROM %3$s AS b WHERE %4$s) AS there,
               (SELECT sum(%5$s) FROM (SELECT w.weight, -(o.impacts OPERATOR(%6$s.<#>) w.unit) AS impact FROM unnest(units, weights) AS w (unit, weight) OFFSET 0) AS i) AS score
        FROM (
            SELECT m.*, min(m.l) FILTER (WHERE m.place <= depth) OVER () AS floor, min(m.u) OVER () AS lowest, count(*) OVER () AS passed
            FROM (
                SELECT r.*, row_number() OVER (ORDER BY r.u DESC) AS place
                FROM (
                    SELECT s.*, s.a * greatest(1, mean / s.average) * (1 + slack) AS u, s.a * least(1, mean / s.average) * (1 - slack) AS l
                    FROM (SELECT d.*, -(d.impacts OPERATOR(%6$s.<#>) vector) AS a FROM %7$s AS d WHERE d.ctid = ANY (firsts)%%1$s OFFSET 0) AS s
                    WHERE s.a > cutoff AND s.a * greatest(1, mean / s.average) * (1 + slack) >= least_score
                    ORDER BY u DESC LIMIT kept
                ) AS r
            ) AS m
        ) AS o
        WHERE o.u >= o.floor
        ORDER BY score DESC, %8$s LIMIT depth
    ) AS f;
    IF counted THEN
        candidates := CASE WHEN rounds > 1 THEN reached ELSE 0 END + %%2$s;
    END IF;
$body$, replace(key_text, '%', '%%'), pgsim._key_list('f.', c.key_columns, true), replace(c.relation::text, '%', '%%'),
        replace(pgsim._key_join('b.', 'o.', c.key_columns, true), '%', '%%'), pgsim._text_score(x, 'o.', 'mean'),
        vectors, x.documents, pgsim._key_list('o.', c.key_columns, true));
    FOR i IN 0 .. 6 LOOP
        source := (SELECT string_agg(format('pgsim._text_terms(d.impacts) && parts_%s', j), ' AND ') FROM generate_series(1, i) AS j);
        rankings := rankings || format('WHEN %s THEN %s', i, format(ranking,
            CASE WHEN i > 0 THEN format(' UNION ALL SELECT d.*, -(d.impacts OPERATOR(%s.<#>) vector) FROM %s AS d WHERE %s AND d.ctid <> ALL (firsts)', vectors, x.documents, source) END,
            CASE WHEN i > 0 THEN format('(SELECT count(*) FROM %s AS d WHERE %s)', x.documents, source) ELSE '0' END));
    END LOOP;
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %s(asked text[], depth int, counted boolean, OUT keys text[], OUT scores float8[], OUT words int, OUT candidates bigint, OUT rounds int, OUT proven boolean) '
        'LANGUAGE plpgsql STABLE %s AS %L', x.best_function, settings, format($body$
DECLARE
    n int;
    kept int;
    known record;
    ids text[];
    docs float8[];
    weights float8[];
    bounds float8[];
    units %1$s.sparsevec[];
    vector %1$s.sparsevec;
    mean float8;
    spread float8;
    slack float8;
    cutoff float8;
    reach int := 0;
    reached float8 := 0;
    wanted float8 := greatest(50, 5 * depth);
    least_score float8 := 0;
    firsts tid[];
    first_lowest float8;
    rest float8 := 0;
    clauses text[];
    parts_1 int[];
    parts_2 int[];
    parts_3 int[];
    parts_4 int[];
    parts_5 int[];
    parts_6 int[];
BEGIN
    known := %4$s(asked);
    mean := known.average;
    spread := greatest(1, known.inverse * mean);
    ids := known.ids;
    docs := known.docs;
    weights := known.weights;
    units := known.units;
    vector := known.vector;
    n := coalesce(cardinality(ids), 0);
    FOR i IN 1 .. n LOOP
        bounds[i] := weights[i] * least(%5$s, known.tops[i] * spread);
    END LOOP;
    words := n;
    slack := 2e-7 * (8 + n);
    -- The further the mean length has moved, the more rows may be among the best.
    kept := CASE WHEN spread < 1.05 THEN depth + 50 ELSE 2 * depth + 60 END;
    rounds := 1;
    IF n = 0 THEN
        proven := true;
        RETURN;
    END IF;
    WHILE reach < n LOOP
        -- One more word, but for one that has very many rows where there are enough.
        WHILE reach < n AND (reached < wanted / 2 OR reached < wanted AND docs[reach + 1] <= 4 * wanted) LOOP
            reach := reach + 1;
            reached := reached + docs[reach];
        END LOOP;
        EXIT WHEN reach = n;
        rounds := rounds + 1;
        parts_1 := ('{' || array_to_string(ids[1 : reach], ',') || '}')::int[];
        SELECT array_agg(r.ctid), (array_agg(r.l ORDER BY r.l DESC))[depth], CASE WHEN count(*) = kept THEN min(r.u) END INTO firsts, least_score, first_lowest
        FROM (SELECT s.ctid, s.a * greatest(1, mean / s.average) * (1 + slack) AS u, s.a * least(1, mean / s.average) * (1 - slack) AS l
              FROM (SELECT d.ctid, d.average, -(d.impacts OPERATOR(%1$s.<#>) vector) AS a FROM %2$s AS d WHERE pgsim._text_terms(d.impacts) && parts_1 OFFSET 0) AS s
              WHERE s.a > 0 ORDER BY u DESC LIMIT kept) AS r;
        EXIT WHEN least_score > 0;
        wanted := 8 * reached;
    END LOOP;
    IF least_score > 0 THEN
        -- All rows with these words are known now. A row that has none of them needs as much from the others.
        least_score := least_score * (1 - 1e-6);
        cutoff := least_score * (1 - 1e-6) / (spread * (1 + slack));
        FOR i IN reach + 1 .. n LOOP
            rest := rest + bounds[i];
        END LOOP;
        clauses := CASE WHEN rest < least_score THEN '{}' ELSE pgsim._text_clauses(ids[reach + 1 :], docs[reach + 1 :], weights[reach + 1 :], bounds[reach + 1 :], least_score) END;
        IF rest >= least_score AND clauses = '{}' THEN
            clauses := ARRAY[array_to_string(ids[reach + 1 :], ',')];
        END IF;
    ELSE
        least_score := 0;
        cutoff := 0;
        firsts := '{}';
        first_lowest := NULL;
        clauses := ARRAY[array_to_string(ids, ',')];
    END IF;
    parts_1 := ('{' || clauses[1] || '}')::int[];
    parts_2 := ('{' || clauses[2] || '}')::int[];
    parts_3 := ('{' || clauses[3] || '}')::int[];
    parts_4 := ('{' || clauses[4] || '}')::int[];
    parts_5 := ('{' || clauses[5] || '}')::int[];
    parts_6 := ('{' || clauses[6] || '}')::int[];
    CASE least(cardinality(clauses), 6)
    %3$s
    END CASE;
END
$body$, vectors, x.documents, rankings, x.words_function, x.k1 + 1));
    UPDATE pgsim._text AS s SET base_name = c.relation::text WHERE s.collection_id = x.collection_id AND s.base_name <> c.relation::text;
    FOREACH made IN ARRAY pgsim._text_functions(x) LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO %I', made, (SELECT pg_get_userbyid(s.nspowner) FROM pg_namespace AS s WHERE s.nspname = 'pgsim'));
        -- What is known of words the owner of pgsim sums up for those who may read the table; the best rows are found by the caller's own rights.
        FOR reader IN
            SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
            FROM pg_proc AS f CROSS JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a WHERE f.oid = made::regprocedure AND a.grantee <> f.proowner
        LOOP
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', made, reader);
        END LOOP;
        FOR reader IN
            SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
            FROM pg_class AS r CROSS JOIN LATERAL aclexplode(coalesce(r.relacl, acldefault('r', r.relowner))) AS a WHERE r.oid = c.relation AND a.privilege_type = 'SELECT'
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', made, reader);
        END LOOP;
    END LOOP;
END
$make$;
COMMENT ON FUNCTION pgsim._make_text_functions IS
    'Makes the two functions of a text index, whose statements a session plans once: one reads what it knows of words, the other finds the best rows for a query without a filter.';
