CREATE FUNCTION pgsim._advise(collection text, budget bigint, model text, embedding text) RETURNS TABLE (
    rank int, kind text, target text, statement text, searches float8, seconds_before float8, seconds_after float8, gain float8,
    bytes bigint, build_seconds float8, reason text, arguments jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Costs are expected ones: what saves less than a fifth of a search, or a thousandth of all that are left, may as well save nothing.
    worth CONSTANT float8 := 0.8;
    t pgsim._target;
    w record;
    offers jsonb[];
    usable boolean[];
    served record;
    best record;
    costs_now float8[];
    total float8;
    bytes_left float8 := coalesce(_advise.budget, 'Infinity'::float8);
BEGIN
    PERFORM pgsim._require_registrar();
    IF _advise.budget <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('budget is %s; it is a number of bytes from 1', _advise.budget),
            HINT = 'For instance pg_size_bytes(''2GB''). Leave it out for all that is worth its bytes.';
    END IF;
    t := pgsim._target(_advise.collection, _advise.model, _advise.embedding);
    PERFORM pgsim._require_dense(t, 'advice is', CASE WHEN t.metric IN ('ip', 'cosine')
        THEN format('Of sparse vectors the inverted index is the one to have, exact and small: SELECT pgsim.create_index(%L, %L, embedding => %L, method => ''inverted''). pgsim.recall(%1$L, embedding => %3$L) tells what it gains.', t.collection, t.model, _advise.embedding)
        ELSE format('Under %s an hnsw index is what there is; pgsim.recall(%L, embedding => %L) tells what it finds, and mode => ''exact'' needs none.', t.metric, t.collection, _advise.embedding) END);
    PERFORM pgsim._require_select(t.base, t.version);
    PERFORM pgsim._require_all_rows(t);
    rank := 1;
    IF t.rows < 0 OR t.rows > 0 AND NOT EXISTS (SELECT FROM pg_stats AS s JOIN pg_namespace AS n ON n.nspname = s.schemaname JOIN pg_class AS r ON r.relnamespace = n.oid AND r.relname = s.tablename
                                                WHERE r.oid = t.base) THEN
        RETURN QUERY SELECT 1, 'statistics', t.base_sql, format('ANALYZE %s', t.base_sql), 0.0::float8, NULL::float8, NULL::float8, 0.0::float8, 0::bigint, 1.0::float8,
            'the table was never analyzed, so PostgreSQL cannot say what searches cost: ask again when it was', NULL::jsonb;
        RETURN;
    END IF;
    IF t.rows = 0 THEN
        RETURN;
    END IF;
    w := pgsim._advise_plans(t, _advise.embedding);
    costs_now := w.seconds;

    SELECT coalesce(array_agg(to_jsonb(o)), '{}') INTO offers
    FROM (
        WITH codes AS MATERIALIZED (SELECT * FROM pgsim._advise_codes(t, _advise.embedding, w.plans) AS a),
             hnsw AS MATERIALIZED (SELECT * FROM pgsim._advise_hnsw(t, _advise.embedding, w.plans) AS a),
             made_beside AS MATERIALIZED (SELECT pgsim._wants_codes(t, NULL, NULL) AS wanted)
        SELECT c.*, NULL AS after_codes FROM codes AS c
        -- The first index of the full width makes codes as well.
        UNION ALL SELECT h.*, CASE WHEN m.wanted THEN true END FROM hnsw AS h, made_beside AS m
        UNION ALL
        SELECT h.kind, h.target, h.statement, h.bytes + c.bytes, h.build_seconds + c.build_seconds, h.reason || '; codes are made beside it', h.arguments, h.served || c.served, h.seconds || c.seconds, false
        FROM hnsw AS h, made_beside AS m, codes AS c WHERE m.wanted AND c.kind = 'codes'
        UNION ALL SELECT p.*, NULL FROM pgsim._advise_partial_indexes(t, _advise.embedding, w.plans, w.searches, w.known, w.stand_in, w.seconds) AS p
        UNION ALL SELECT f.*, NULL FROM pgsim._advise_filter_indexes(t, w.plans) AS f
        UNION ALL SELECT d.*, NULL FROM pgsim._advise_partition(t, w.plans, w.searches) AS d WHERE w.recorded
    ) AS o;
    offers := offers || ARRAY(SELECT to_jsonb(s) FROM pgsim._advise_statistics(t, w.plans, w.searches) AS s) || ARRAY(SELECT to_jsonb(k) FROM pgsim._advise_calibrate(t, _advise.embedding) AS k);
    usable := ARRAY(SELECT (o ->> 'after_codes')::boolean IS NOT TRUE FROM unnest(offers) AS o);
    SELECT coalesce(array_agg(s.offer), '{}') AS offers, array_agg(s.place) AS places, array_agg(s.seconds) AS seconds INTO served
    FROM (SELECT o.number AS offer, u.place::int AS place, u.seconds::float8 AS seconds
          FROM unnest(offers) WITH ORDINALITY AS o (offer, number)
          CROSS JOIN LATERAL ROWS FROM (jsonb_array_elements_text(o.offer -> 'served'), jsonb_array_elements_text(o.offer -> 'seconds')) AS u (place, seconds)
          WHERE o.offer ? 'served') AS s
    WHERE s.seconds < worth * w.seconds[s.place];

    -- What is taken makes what serves the same searches worth less. Words alone come last; partitions stand for the rest, and are compared with how things are.
    LOOP
        total := (SELECT sum(u.s * u.n) FROM unnest(costs_now, w.searches) AS u (s, n));
        SELECT x.* INTO best
        FROM (
            SELECT s.offer, sum(w.searches[s.place]) AS asked, sum(w.searches[s.place] * c.now) AS before, sum(w.searches[s.place] * s.seconds) AS after
            FROM unnest(served.offers, served.places, served.seconds) AS s (offer, place, seconds)
            CROSS JOIN LATERAL (SELECT CASE WHEN offers[s.offer] ->> 'kind' = 'partition' THEN w.seconds[s.place] ELSE costs_now[s.place] END AS now) AS c
            WHERE usable[s.offer] AND s.seconds < worth * c.now
            GROUP BY s.offer HAVING sum(w.searches[s.place] * (c.now - s.seconds)) > total / 1000
            UNION ALL
            SELECT o.number, f.asked, f.asked * f.before, f.asked * f.after
            FROM unnest(offers) WITH ORDINALITY AS o (offer, number) CROSS JOIN LATERAL jsonb_to_record(o.offer) AS f (asked float8, before float8, after float8)
            WHERE o.offer ? 'asked' AND usable[o.number]
        ) AS x
        WHERE (offers[x.offer] ->> 'bytes')::float8 <= bytes_left
        -- Less than a page or two is nothing to weigh.
        ORDER BY offers[x.offer] ->> 'statement' IS NULL, (x.before - x.after) / greatest((offers[x.offer] ->> 'bytes')::float8, 16384) DESC, x.offer
        LIMIT 1;
        EXIT WHEN best.offer IS NULL;
        usable[best.offer] := false;
        SELECT o.kind, o.target, o.statement, round(o.bytes)::bigint, o.build_seconds, o.reason, nullif(o.arguments, 'null')
        INTO kind, target, statement, bytes, build_seconds, reason, arguments
        FROM jsonb_to_record(offers[best.offer]) AS o (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb);
        searches := best.asked;
        seconds_before := best.before / nullif(best.asked, 0);
        seconds_after := best.after / nullif(best.asked, 0);
        gain := best.before - best.after;
        reason := reason || CASE WHEN w.recorded OR kind = 'calibrate' THEN '' ELSE '; no searches were recorded to go by, so each filter column is taken to be asked for by equality once' END;
        RETURN NEXT;
        rank := rank + 1;
        bytes_left := bytes_left - bytes;
        IF statement IS NOT NULL THEN
            FOR i IN 1 .. cardinality(served.offers) LOOP
                IF served.offers[i] = best.offer THEN
                    costs_now[served.places[i]] := least(costs_now[served.places[i]], served.seconds[i]);
                END IF;
            END LOOP;
        END IF;
        FOR i IN 1 .. cardinality(offers) LOOP
            IF kind = 'codes' AND offers[i] ->> 'kind' = 'hnsw' THEN
                usable[i] := offers[i] ->> 'after_codes' IS DISTINCT FROM 'false';
            ELSIF kind = 'hnsw' AND (offers[i] ->> 'kind' = 'hnsw' OR offers[best.offer] ->> 'after_codes' = 'false' AND offers[i] ->> 'kind' = 'codes') THEN
                usable[i] := false;
            END IF;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise IS 'What pgsim.advise says, and of vector indexes the arguments of create_index, by which they are built CONCURRENTLY.';
