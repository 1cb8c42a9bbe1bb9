CREATE FUNCTION pgsim.mmr(
    collection text, keys text[], scores float8[], k int = 10, diversity float8 = 0.5, model text = NULL, embedding text = 'default'
) RETURNS TABLE (key text, score float8, rank int, details jsonb)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := pgsim._target(collection, model, embedding);
    joined text := CASE WHEN t.adopted THEN format('JOIN %s AS s ON %s', t.base_sql, pgsim._key_join('s.', 'i.', t.key_columns, true))
        ELSE format('JOIN %s AS b ON %s JOIN %s AS s ON %s', t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true), t.version_sql, pgsim._key_join('b.', 's.', t.key_columns, true)) END;
    relevance float8[];
    places int[];
    similarities float8[];
    nearest float8[];
    n int;
    chosen int[] := '{}';
    taken int;
    twice int;
BEGIN
    PERFORM pgsim._require_select(t.base, t.version);
    PERFORM pgsim._check_k(k);
    PERFORM pgsim._check_legs(ARRAY[pgsim.leg('mmr', keys, scores)], 'minmax');
    IF diversity IS NULL OR diversity NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('diversity is %s; it is a share from 0 to 1', coalesce(diversity::text, 'NULL')), HINT = '0 keeps the order of the scores, 1 looks at the vectors alone.';
    END IF;
    IF cardinality(keys) > 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('there are %s keys; up to 1000 are compared with one another', cardinality(keys)), HINT = 'Give the best few hundred.';
    END IF;
    SELECT array_agg(CASE WHEN b.high > b.low THEN (s.score - b.low) / (b.high - b.low) ELSE 1 END ORDER BY s.ordinal) INTO relevance
    FROM unnest(scores) WITH ORDINALITY AS s (score, ordinal)
    CROSS JOIN (SELECT min(u) AS low, max(u) AS high FROM unnest(scores) AS u) AS b;
    -- The vectors are read a single time, every pair is compared, and each step after that looks at numbers. A zero vector is similar to none.
    BEGIN
        EXECUTE format(
            'WITH c AS MATERIALIZED (SELECT i.ordinal::int AS place, s.tableoid, s.ctid, s.%1$I::%2$s.%6$s AS v FROM (SELECT %3$s, g.ordinal FROM unnest($1) WITH ORDINALITY AS g (given, ordinal)) AS i %4$s WHERE s.%1$I IS NOT NULL) '
            'SELECT (SELECT array_agg(place ORDER BY place) FROM c), (SELECT array_agg(coalesce(nullif(%5$s, ''NaN''), 0) ORDER BY c.place, o.place) FROM c CROSS JOIN c AS o), (SELECT count(*) - count(DISTINCT (c.tableoid, c.ctid)) FROM c)',
            t.column_name, t.vector_schema, pgsim._key_parse(t.base, 'g.given', t.key_columns, true), joined,
            format(CASE WHEN t.metric IN ('l2', 'l1') THEN '1 / (1 + (c.v OPERATOR(%s.%s) o.v))' ELSE '1 - (c.v OPERATOR(%s.%s) o.v)' END,
                   t.vector_schema, CASE t.metric WHEN 'l2' THEN '<->' WHEN 'l1' THEN '<+>' ELSE '<=>' END),
            CASE t.element WHEN 'sparsevec' THEN 'sparsevec' ELSE 'vector' END)
        INTO places, similarities, twice USING keys;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('a key cannot be read as %s: %s', pgsim._key_types(t.base, t.key_columns), SQLERRM), HINT = 'Give keys as pgsim.search returns them.';
    END;
    IF twice > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = 'two of the keys are one row''s, written differently', HINT = 'Give keys as pgsim.search returns them, each once.';
    END IF;
    n := coalesce(cardinality(places), 0);
    nearest := array_fill(NULL::float8, ARRAY[n]);
    FOR step IN 1 .. least(k, n) LOOP
        SELECT p.i, (1 - diversity) * relevance[p.place] - diversity * coalesce(p.near, 0) INTO taken, score
        FROM unnest(places, nearest) WITH ORDINALITY AS p (place, near, i)
        WHERE NOT p.i = ANY (chosen)
        ORDER BY (1 - diversity) * relevance[p.place] - diversity * coalesce(p.near, 0) DESC, p.place LIMIT 1;
        chosen := chosen || taken;
        key := keys[places[taken]];
        rank := step;
        details := jsonb_build_object('rank', places[taken], 'score', scores[places[taken]], 'similarity', nearest[taken]);
        RETURN NEXT;
        nearest := ARRAY(SELECT greatest(p.near, p.alike) FROM unnest(nearest, similarities[(taken - 1) * n + 1 : taken * n]) WITH ORDINALITY AS p (near, alike, i) ORDER BY p.i);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim.mmr IS
$$Ranks rows found anew, so that they are good and unlike one another: maximal marginal relevance.

keys, scores: what a search gave, some times k of them; scores are brought between 0 and 1 by their least and greatest. Each step takes the
row whose (1 - diversity) * score - diversity * (its similarity to the nearest row taken so far) is greatest. Similarity is the cosine of the
stored vectors, or 1 / (1 + distance) for l2 and l1. diversity: 0 keeps the order, 1 looks at vectors alone. Rows without a vector, or not visible
to you, are left out. score is what the step gained; details: the rank and score the row had, and that similarity.
Errors: PS001 to PS006, PS010, PS016, PS032.$$;
