CREATE FUNCTION pgsim._run_text_backend(
    c pgsim._collection, query text, depth int, predicate text, given jsonb, explained boolean, form text, caller_path text,
    OUT keys text[], OUT scores float8[], OUT details jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    -- The index of pg_textsearch gives up there, without a word.
    reach constant int := 100000;
    started timestamptz := clock_timestamp();
    t pgsim._text_backend;
    extension_schema name;
    held regclass;
    index_path text;
    problem text;
    settings jsonb := jsonb_build_object('search_path', concat_ws(', ', 'pg_catalog', nullif(caller_path, '')));
    previous jsonb;
    rows_expected float8;
    matches float8;
    most bigint;
    admitted bigint;
    candidates bigint := 0;
    already_read bigint;
    strategy text := 'words';
    rounds int := 0;
    words text[];
    done boolean := false;
BEGIN
    SELECT * INTO t FROM pgsim._text_backend AS s WHERE s.collection_id = c.id;
    PERFORM pgsim._require_select(c.relation, c.relation);
    problem := pgsim._text_backend_problem(c, t);
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('collection %L cannot be searched for words: %s', c.name, problem), HINT = pgsim._text_backend_again(c, t);
    END IF;
    extension_schema := pgsim._require_text_backend(t.backend);
    held := pgsim._text_backend_index(c, t);
    SELECT format('%I.%I', n.nspname, i.relname), greatest(r.reltuples, 0) INTO index_path, rows_expected
    FROM pg_class AS i JOIN pg_namespace AS n ON n.oid = i.relnamespace JOIN pg_class AS r ON r.oid = c.relation WHERE i.oid = held;
    -- It reads the words of a query in one piece, of which PostgreSQL bounds the length.
    query := left(coalesce(query, ''), 60000);
    keys := '{}';
    scores := '{}';
    IF query <> '' AND depth > 0 THEN
        IF predicate IS NOT NULL OR row_security_active(c.relation) THEN
            previous := pgsim._set(settings);
            matches := (pgsim._plan(format(E'SELECT FROM %s%s', c.relation, ' WHERE (' || predicate || E'\n)'), given, NULL) ->> 'Plan Rows')::float8;
            PERFORM pgsim._set(previous);
            -- To score a row by its text costs some fifteen times what it costs to read a candidate by the index, of which it takes depth for each share of rows that match.
            IF t.backend = 'pg_textsearch' AND matches <= 5000 AND 15 * matches * matches < depth * greatest(rows_expected, 1000) THEN
                most := 10 * matches + 1000;
                previous := pgsim._set(settings);
                EXECUTE pgsim._text_backend_statement(c, held, extension_schema, depth, predicate, true, most + 1) INTO keys, scores, admitted USING given, query, index_path;
                PERFORM pgsim._set(previous);
                rounds := 1;
                candidates := admitted;
                -- False where more rows match than was expected.
                done := admitted <= most;
                strategy := 'filter';
            END IF;
        END IF;
        IF t.backend = 'pg_search' THEN
            words := ARRAY(SELECT DISTINCT w FROM string_to_table(pgsim._text_line(t.text_config::regconfig, query), ' ') AS w WHERE w <> '');
            IF words <> '{}' THEN
                SELECT r.* INTO keys, scores, strategy, rounds, candidates
                FROM pgsim._run_pg_search(c, held, words, depth, predicate, given, settings, rows_expected, coalesce(matches, rows_expected)) AS r;
            END IF;
        ELSIF NOT done THEN
            strategy := 'words';
            already_read := pg_stat_get_xact_tuples_returned(held);
            previous := pgsim._set(settings || '{"enable_seqscan": "off", "enable_sort": "off", "jit": "off"}');
            EXECUTE pgsim._text_backend_statement(c, held, extension_schema, depth, predicate, false, NULL) INTO keys, scores, admitted USING given, query, index_path;
            PERFORM pgsim._set(previous);
            already_read := pg_stat_get_xact_tuples_returned(held) - already_read;
            rounds := rounds + 1;
            candidates := candidates + already_read;
            -- Where nothing counts what was read, nothing tells whether the index came to its end.
            IF coalesce(cardinality(keys), 0) < depth AND (already_read >= reach OR current_setting('track_counts') <> 'on') THEN
                previous := pgsim._set(settings);
                EXECUTE pgsim._text_backend_statement(c, held, extension_schema, depth, predicate, true, NULL) INTO keys, scores, admitted USING given, query, index_path;
                PERFORM pgsim._set(previous);
                strategy := 'filter';
                rounds := rounds + 1;
                candidates := candidates + admitted;
            END IF;
        END IF;
    END IF;
    keys := coalesce(keys, '{}');
    scores := coalesce(scores, '{}');
    details := jsonb_build_object('backend', t.backend, 'strategy', strategy, 'candidates', candidates, 'rounds', rounds);
    IF explained THEN
        details := details || jsonb_build_object('form', form, 'index', index_path, 'matches_expected', matches, 'ranking', extract(epoch FROM clock_timestamp() - started));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._run_text_backend IS
    'Runs a text search by another extension''s index. Either the index gives rows in order, of which the filter admits some, until there are enough; or, where few match or the index gives up, all that match are scored by their text.';
