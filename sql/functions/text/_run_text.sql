CREATE FUNCTION pgsim._run_text(
    c pgsim._collection, query text, depth int, predicate text, given jsonb, explained boolean, form text, caller_path text,
    OUT keys text[], OUT scores float8[], OUT details jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    started timestamptz := clock_timestamp();
    read_from timestamptz;
    read_until timestamptz;
    x pgsim._text := pgsim._text_row(c);
    q pgsim._text_query;
    settings jsonb := '{}';
    previous jsonb;
    clauses text[] := '{}';
    lexemes text[];
    n int;
    reach int := 0;
    reached float8 := 0;
    wanted float8 := greatest(50, 5 * depth);
    all_docs float8;
    found bigint;
    least_score float8 := 0;
    matches float8;
    candidates bigint;
    admitted bigint;
    filter_first boolean := false;
    rounds int := 0;
    scored bigint := 0;
    proven boolean := false;
BEGIN
    PERFORM pgsim._require_text_kept(c, x);
    IF x.documents IS NULL THEN
        PERFORM pgsim._check_text_form(x, form);
        SELECT r.* INTO keys, scores, details FROM pgsim._run_text_backend(c, query, depth, predicate, given, explained, form, caller_path) AS r;
        RETURN;
    END IF;
    IF NOT has_table_privilege(c.relation, 'SELECT') OR NOT has_table_privilege(x.documents, 'SELECT')
       OR NOT has_schema_privilege((SELECT r.relnamespace FROM pg_class AS r WHERE r.oid = c.relation), 'USAGE') THEN
        PERFORM pgsim._require_select(c.relation, x.documents);
    END IF;
    keys := '{}';
    scores := '{}';
    IF form = 'any' AND predicate IS NULL AND depth > 0 AND octet_length(query) < 2000 AND x.base_name = c.relation::text AND NOT row_security_active(c.relation) THEN
        lexemes := tsvector_to_array(to_tsvector(x.text_config::regconfig, query));
        IF lexemes <> '{}' THEN
            EXECUTE format('SELECT r.keys, r.scores, r.words, r.candidates, r.rounds, r.proven FROM %s($1, $2, $3) AS r', x.best_function)
            INTO keys, scores, n, scored, rounds, proven USING lexemes, depth, explained;
        END IF;
    END IF;
    IF explained OR NOT proven THEN
        read_from := clock_timestamp();
        q := pgsim._read_text_query(c, x, coalesce(query, ''), form);
        read_until := clock_timestamp();
        n := coalesce(cardinality(q.ids), 0);
    END IF;
    IF NOT proven AND q.vector IS NOT NULL AND depth > 0 THEN
        all_docs := (SELECT sum(d) FROM unnest(q.docs) AS d);
        IF predicate IS NOT NULL THEN
            settings := jsonb_build_object('search_path', concat_ws(', ', 'pg_catalog', nullif(caller_path, '')));
        END IF;
        IF current_setting('jit') = 'on' THEN
            settings := settings || '{"jit": "off"}';
        END IF;
        filter_first := q.bound;
        -- A condition of the caller's is planned by itself: what it may read is the table, and nothing of the statement around it.
        IF predicate IS NOT NULL AND (NOT q.bound AND all_docs > 1000 OR caller_path IS NOT NULL) THEN
            previous := pgsim._set(settings);
            matches := (pgsim._plan(format(E'SELECT FROM %s WHERE %s', c.relation, predicate), given, NULL) ->> 'Plan Rows')::float8;
            PERFORM pgsim._set(previous);
            -- To rank all that match costs four times as much a row as to score one by its words, of which there are more the fewer of them match.
            filter_first := q.bound OR all_docs > 1000 AND 4 * matches < least(all_docs, 300 + 30 * depth * q.rows / greatest(matches, 1));
        END IF;
        IF filter_first THEN
            previous := pgsim._set(settings);
            EXECUTE pgsim._text_statement(c, x, q, depth, predicate, '{}', true, CASE WHEN NOT q.bound THEN (all_docs + 1)::bigint END, true)
            INTO keys, scores, candidates, admitted USING given, q.units, q.vector, q.weights, q.average, least_score;
            PERFORM pgsim._set(previous);
            rounds := 1;
            scored := candidates;
            -- False where more rows match than was expected.
            filter_first := q.bound OR admitted <= all_docs;
        END IF;
        IF NOT filter_first THEN
            -- No scan of all rows: each would have its words' ids taken from its impacts.
            previous := pgsim._set(settings || '{"enable_seqscan": "off"}');
            -- Rows with the rarest words tell what score the best reach at least, and that which rows may still be better.
            WHILE form NOT IN ('all', 'phrase') AND all_docs > 300 AND reach < n AND clauses = '{}' LOOP
                WHILE reach < n AND reached < wanted LOOP
                    reach := reach + 1;
                    reached := reached + q.docs[reach];
                END LOOP;
                EXIT WHEN reach = n;
                EXECUTE pgsim._text_statement(c, x, q, depth, predicate, ARRAY[array_to_string(q.ids[1 : reach], ',')], false, NULL, false)
                INTO found, least_score, candidates USING given, q.units, q.vector, q.weights, q.average;
                rounds := rounds + 1;
                scored := scored + candidates;
                IF found < depth THEN
                    least_score := 0;
                    wanted := 8 * reached;
                ELSE
                    least_score := least_score * (1 - 1e-6);
                    clauses := pgsim._text_clauses(q.ids, q.docs, q.weights, q.bounds, least_score);
                    EXIT;
                END IF;
            END LOOP;
            IF clauses = '{}' AND form NOT IN ('all', 'phrase') THEN
                clauses := ARRAY[array_to_string(q.ids, ',')];
            END IF;
            EXECUTE pgsim._text_statement(c, x, q, depth, predicate, clauses, false, NULL, true)
            INTO keys, scores, candidates, admitted USING given, q.units, q.vector, q.weights, q.average, least_score;
            PERFORM pgsim._set(previous);
            rounds := rounds + 1;
            scored := scored + candidates;
        END IF;
    END IF;
    keys := coalesce(keys, '{}');
    scores := coalesce(scores, '{}');
    details := jsonb_build_object('words', n, 'rounds', rounds, 'strategy', CASE WHEN q.bound THEN 'visible' WHEN filter_first THEN 'filter' ELSE 'words' END);
    IF explained THEN
        details := details || jsonb_build_object(
            'form', form, 'candidates', scored, 'matches_expected', matches, 'reading', extract(epoch FROM read_until - read_from), 'ranking', extract(epoch FROM clock_timestamp() - started - (read_until - read_from)),
            'rows', q.rows, 'mean_length', q.average,
            'vocabulary', (SELECT coalesce(jsonb_agg(jsonb_build_object('word', w.word, 'rows', w.docs, 'weight', w.weight)), '[]')
                           FROM unnest(q.lexemes[1 : 100], q.docs[1 : 100], q.weights[1 : 100]) AS w (word, docs, weight)));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._run_text IS
    'Runs a text search. Rows that have the rarest words are ranked at first; then those that might still be better, by the most that each word can add to a score, so that the answer is that of ranking all.';
