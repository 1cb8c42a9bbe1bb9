CREATE FUNCTION pgsim._run_pg_search(
    c pgsim._collection, held regclass, words text[], depth int, predicate text, given jsonb, settings jsonb, rows_expected float8, matches float8,
    OUT keys text[], OUT scores float8[], OUT strategy text, OUT rounds int, OUT candidates bigint
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    -- NULL: the extension has no set of keys of that type.
    key_type text := (SELECT CASE WHEN a.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'uuid'::regtype) THEN format_type(a.atttypid, NULL)
                                  WHEN a.atttypid IN ('text'::regtype, 'varchar'::regtype) THEN 'text' END
                      FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = c.key_columns[1]);
    checked boolean := predicate IS NOT NULL OR row_security_active(c.relation);
    previous jsonb;
    most bigint;
    among text;
    admitted bigint;
    hits bigint := depth;
    found bigint;
    fault text;
BEGIN
    -- Its operator runs by its own scan alone.
    settings := settings || '{"paradedb.enable_custom_scan": "on", "jit": "off"}';
    strategy := 'words';
    rounds := 0;
    candidates := 0;
    -- To rank among given keys costs about as much a key as to take a hit, of which it takes depth for each share of rows that match.
    IF predicate IS NOT NULL AND key_type IS NOT NULL AND matches <= 5000 AND matches * matches < 2 * depth * greatest(rows_expected, 1000) THEN
        most := 4 * matches + 1000;
        previous := pgsim._set(settings);
        EXECUTE format(E'SELECT pg_catalog.array_agg(b.pgsim_k)::text, pg_catalog.count(*) FROM (SELECT %I AS pgsim_k FROM %s WHERE (%s\n) LIMIT %s) AS b', c.key_columns[1], c.relation, predicate, most + 1)
        INTO among, admitted USING given;
        PERFORM pgsim._set(previous);
        IF admitted = 0 THEN
            strategy := 'filter';
            RETURN;
        ELSIF admitted <= most THEN
            strategy := 'filter';
            among := format('%L::%s[]', among, key_type);
            checked := row_security_active(c.relation);
            predicate := NULL;
            hits := admitted;
        ELSE
            among := NULL;
        END IF;
    END IF;
    IF checked AND among IS NULL THEN
        hits := least(1000000, ceil(100 + 2 * depth * greatest(1, rows_expected / greatest(matches, 1))));
    END IF;
    LOOP
        BEGIN
            previous := pgsim._set(settings);
            EXECUTE pgsim._pg_search_statement(c, held, depth, hits, checked, predicate, among) INTO keys, scores, found USING given, words;
            PERFORM pgsim._set(previous);
        EXCEPTION
            WHEN internal_error THEN
                GET STACKED DIAGNOSTICS fault = MESSAGE_TEXT;
                RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('extension pg_search does not run the search of collection %L as role %I: %s', c.name, current_user, split_part(fault, '.', 1)),
                    HINT = CASE WHEN row_security_active(c.relation) THEN 'It knows no policies with CASE, COALESCE, IS DISTINCT FROM, IS TRUE, volatile functions or tables of their own: ' ELSE '' END
                           || format('have pgsim keep the text index, SELECT pgsim.disable_text(%L), pgsim.enable_text(%1$L).', c.name);
        END;
        rounds := rounds + 1;
        candidates := candidates + found;
        EXIT WHEN NOT checked OR found < hits OR coalesce(cardinality(keys), 0) >= depth OR among IS NOT NULL;
        hits := 8 * hits;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._run_pg_search IS
    'Runs a text search by an index of pg_search. Where few rows match the filter, these are ranked; else its best rows are taken, more and more of them, until enough of them match or it has no more.';
