CREATE FUNCTION pgsim._search_inverted(
    p pgsim._search_plan, terms regclass, rows float8, OUT keys text[], OUT distances float8[], OUT statement text, OUT rounds int, OUT candidates bigint, OUT given_up boolean
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    query_terms int[];
    query_weights float8[];
    q pgsim._text_query;
    n int;
    reach int := 0;
    reached float8 := 0;
    wanted float8 := greatest(50, 5 * p.depth);
    slack float8;
    total float8;
    rest float8;
    least_score float8;
    clauses text[];
    ranked bigint;
BEGIN
    rounds := 0;
    candidates := 0;
    given_up := false;
    SELECT array_agg(e.term), array_agg(e.weight / CASE t.metric WHEN 'cosine' THEN e.length ELSE 1 END) INTO query_terms, query_weights
    FROM (SELECT e.term, e.weight, sqrt(sum(e.weight * e.weight) OVER ()) AS length FROM pgsim._sparse_entries(pgsim._sparse_of(p.given ->> '$sparse')) AS e) AS e;
    -- What a term can add is its weight in the query by the greatest it has in any row. Those that add much and are in few rows go first.
    EXECUTE format(
        'SELECT array_agg(k.term::text ORDER BY k.place), array_agg(k.docs ORDER BY k.place), array_agg(k.bound ORDER BY k.place) FROM ('
        '  SELECT s.term, s.docs, s.bound, row_number() OVER (ORDER BY s.docs / s.bound, s.term) AS place FROM ('
        '    SELECT e.term, greatest(sum(h.docs), 1)::float8 AS docs, max(abs(e.weight)) * max(h.top)::float8 AS bound '
        '    FROM unnest($1, $2) AS e (term, weight) JOIN %s AS h ON h.term = e.term GROUP BY e.term) AS s WHERE s.bound > 0) AS k', terms)
    INTO q.ids, q.docs, q.bounds
    USING query_terms, query_weights;
    n := coalesce(cardinality(q.ids), 0);
    IF n = 0 THEN
        RETURN;
    END IF;
    q.weights := q.bounds;
    total := (SELECT sum(b) FROM unnest(q.bounds) AS b);
    -- Products are added as single-precision numbers.
    slack := 1.2e-7 * (8 + n) * total;
    LOOP
        WHILE reach < n AND reached < wanted LOOP
            reach := reach + 1;
            reached := reached + q.docs[reach];
        END LOOP;
        IF reached > rows / 2 AND rounds = 0 AND rows > 2000 THEN
            -- To rank every row one after the other costs less then.
            given_up := true;
            RETURN;
        END IF;
        statement := pgsim._inverted_statement(p, ARRAY[array_to_string(q.ids[1 : reach], ',')]);
        EXECUTE statement INTO keys, distances, ranked USING p.given;
        rounds := rounds + 1;
        candidates := candidates + ranked;
        EXIT WHEN reach = n;
        IF cardinality(keys) >= p.depth THEN
            least_score := CASE t.metric WHEN 'cosine' THEN 1 ELSE 0 END - distances[cardinality(distances)] - slack;
            rest := (SELECT sum(b) FROM unnest(q.bounds[reach + 1 :]) AS b);
            -- Rows with none of these terms cannot be better than what was found.
            EXIT WHEN rest < least_score;
            clauses := CASE WHEN least_score > 0 THEN pgsim._text_clauses(q.ids, q.docs, q.weights, q.bounds, least_score) ELSE '{}' END;
            IF clauses = '{}' THEN
                clauses := ARRAY[array_to_string(q.ids, ',')];
            END IF;
            IF rows > 2000 AND (SELECT min(m.docs) FROM (SELECT sum(q.docs[array_position(q.ids, i)]) AS docs FROM unnest(clauses) AS u, unnest(string_to_array(u, ',')) AS i GROUP BY u) AS m) > rows / 2 THEN
                given_up := true;
                RETURN;
            END IF;
            statement := pgsim._inverted_statement(p, clauses);
            EXECUTE statement INTO keys, distances, ranked USING p.given;
            rounds := rounds + 1;
            candidates := candidates + ranked;
            EXIT;
        END IF;
        wanted := 8 * reached;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._search_inverted IS
    'Searches by an inverted index: rows that have the terms which count most are ranked at first, then those that might still be better, so that the answer is that of ranking all. given_up: so many rows would be ranked that a scan of all costs less.';
