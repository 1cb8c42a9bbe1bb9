CREATE FUNCTION pgsim._search_legs(queried boolean, text_query text, sparse_spec jsonb, h pgsim._fusion_request) RETURNS pgsim._search_leg[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_legs pgsim._search_leg[] := '{}';
    given record;
    known text[];
    wrong text;
    kind text;
    kinds int;
BEGIN
    IF queried THEN
        found_legs := found_legs || ROW('dense', 'dense', '{}', NULL)::pgsim._search_leg;
    END IF;
    IF text_query IS NOT NULL THEN
        found_legs := found_legs || ROW('text', 'text', jsonb_build_object('text_query', text_query, 'text_form', h.text_form), NULL)::pgsim._search_leg;
    ELSIF h.text_form IS DISTINCT FROM 'any' AND h.texts IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('text_form is %s, but there is no text_query', coalesce(quote_literal(left(h.text_form, 80)), 'NULL')), HINT = 'Give the text, or leave text_form out.';
    END IF;
    IF sparse_spec IS NOT NULL THEN
        found_legs := found_legs || ROW('sparse', 'sparse', sparse_spec, NULL)::pgsim._search_leg;
    END IF;
    IF h.legs IS NOT NULL AND h.legs <> 'null' THEN
        IF jsonb_typeof(h.legs) <> 'object' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('legs is %s, not an object of legs by their names', left(h.legs::text, 200)),
                HINT = 'For instance: legs => ''{"recent": {"column": "published", "half_life": "30 days"}}''.';
        END IF;
        FOR given IN SELECT l.key AS name, l.value AS spec FROM jsonb_each(h.legs) AS l LOOP
            PERFORM pgsim._check_name('leg', given.name);
            IF EXISTS (SELECT FROM unnest(found_legs) AS f WHERE f.name = given.name) THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('legs names a leg %L, and so is that of the argument %s called', given.name, CASE given.name WHEN 'text' THEN 'text_query' WHEN 'sparse' THEN 'sparse_query' ELSE 'query' END),
                    HINT = 'Give it another name, or leave the argument out.';
            END IF;
            kinds := (given.spec ? 'query')::int + (given.spec ? 'text_query')::int + (given.spec ? 'sparse_query')::int + (given.spec ? 'column')::int;
            IF jsonb_typeof(given.spec) <> 'object' OR kinds <> 1 AND NOT (kinds = 0 AND given.spec ? 'slice' AND queried) THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L is %s; it is an object that has a query (a vector), a text_query, a sparse_query, or a column; or a slice, of the query of the search', given.name, left(given.spec::text, 200)),
                    HINT = 'For instance: {"query": [0.1, 0.2], "embedding": "title"}, {"text_query": "red boat"} or {"column": "published", "half_life": "30 days"}.';
            END IF;
            IF given.spec ? 'query' OR kinds = 0 THEN
                kind := 'dense';
                known := '{query,model,embedding,recall,mode,dims,oversample,max_distance,slice}';
            ELSIF given.spec ? 'text_query' THEN
                kind := 'text';
                known := '{text_query,text_form}';
            ELSIF given.spec ? 'sparse_query' THEN
                kind := 'sparse';
                known := '{sparse_query,model,embedding,recall,mode}';
            ELSE
                kind := 'prior';
                known := '{column,half_life,origin,pivot,order,minimum,maximum}';
            END IF;
            SELECT k INTO wrong FROM jsonb_object_keys(given.spec) AS k WHERE NOT k = ANY (known) LIMIT 1;
            IF wrong IS NOT NULL THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L has no property %s; such a leg has %s', given.name, quote_literal(left(wrong, 80)), array_to_string(known, ', ')),
                    HINT = 'docs/hybrid.md tells what each is.';
            END IF;
            IF given.spec ? 'slice' AND (jsonb_typeof(given.spec -> 'slice') <> 'string' OR given.spec ?| '{dims,oversample}') THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L has the slice %s%s', given.name, left((given.spec -> 'slice')::text, 80), CASE WHEN given.spec ?| '{dims,oversample}' THEN ', and dims or oversample' ELSE ', which is no name' END),
                    HINT = 'A slice is searched whole, by the name that its model gives it: {"slice": "title"}.';
            END IF;
            IF kind <> 'dense' AND jsonb_typeof(given.spec -> known[1]) <> 'string' THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the %s of leg %L is no text', known[1], given.name), HINT = 'Leave a leg out that has nothing to look for.';
            END IF;
            found_legs := found_legs || ROW(given.name, kind, given.spec, NULL)::pgsim._search_leg;
        END LOOP;
    END IF;
    IF NOT EXISTS (SELECT FROM unnest(found_legs) AS f WHERE f.kind <> 'prior') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'there is nothing to look for: no query, no text_query, no sparse_query, and no leg that finds rows',
            HINT = 'A leg over a column ranks the rows that other legs find.';
    END IF;
    RETURN found_legs;
END
$$;
COMMENT ON FUNCTION pgsim._search_legs IS 'The legs of a search: query, text_query, sparse_query and those named in legs. Raises PS010 for what is none.';
