CREATE FUNCTION pgsim.search_parents(
    collection text, parent text, query vector = NULL, k int = 10, filter jsonb = NULL, text_query text = NULL, sparse_query sparsevec = NULL, aggregate text = 'max', top int = 3,
    model text = NULL, embedding text = 'default', recall float8 = NULL, fusion text = NULL, weights jsonb = NULL, text_form text = 'any',
    legs jsonb = NULL, rank_constant float8 = NULL, candidates int = NULL, where_sql text = NULL, where_values jsonb = NULL
) RETURNS TABLE (key text, score float8, rank int, details jsonb)
LANGUAGE plpgsql STABLE ROWS 10
AS $$
DECLARE
    -- No SET clause: where_sql is read by the caller's search_path, and pgsim.search asks what that is.
    pinned CONSTANT jsonb := '{"search_path": "pg_catalog, pg_temp"}';
    callers CONSTANT jsonb := pgsim._set(pinned);
    c pgsim._collection := pgsim._collection_row(collection);
    dense CONSTANT boolean := query IS NOT NULL OR sparse_query IS NOT NULL OR jsonb_path_exists(legs, '$.*.query') OR jsonb_path_exists(legs, '$.*.sparse_query');
    -- Every chunk of these parents is ranked, so that a sum or a mean misses none.
    pool int := CASE aggregate WHEN 'max' THEN k ELSE least(1000, greatest(50, 5 * k)) END;
    given jsonb;
    chunk_keys text[];
    chunk_scores float8[];
    compiled record;
    chunks int;
BEGIN
    PERFORM pgsim._require_select(c.relation, c.relation);
    PERFORM pgsim._check_columns(c.relation, 'parent', ARRAY[parent]);
    PERFORM pgsim._check_k(k);
    IF aggregate IS NULL OR aggregate NOT IN ('max', 'mean', 'sum') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('aggregate is %s; known are max, mean and sum', coalesce(quote_literal(left(aggregate, 80)), 'NULL')), HINT = 'max ranks a parent by its best chunk.';
    END IF;
    IF aggregate <> 'max' AND k > 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k is %s; by mean or sum it is up to 1000, since every chunk of as many parents is ranked', k), HINT = 'Ask for fewer, or take max.';
    END IF;
    IF top IS NULL OR top NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('top is %s; it is a number of chunks from 1 to 1000', coalesce(top::text, 'NULL')), HINT = 'So many of a parent''s best chunks count; the default is 3.';
    END IF;
    IF query IS NULL AND text_query IS NULL AND sparse_query IS NULL AND legs IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'there is nothing to look for: no query, no text_query, no sparse_query, and no leg that finds rows', HINT = 'Give one of them.';
    END IF;
    given := jsonb_build_object(parent, '{"$exists": true}'::jsonb);
    given := CASE WHEN filter IS NULL OR filter = 'null' THEN given ELSE jsonb_build_object('$and', jsonb_build_array(filter, given)) END;
    PERFORM pgsim._set(callers);
    SELECT pg_catalog.array_agg(s.key ORDER BY s.rank), pg_catalog.array_agg(s.score ORDER BY s.rank) INTO chunk_keys, chunk_scores
    FROM pgsim.search(
        search_parents.collection, search_parents.query, pool, given, search_parents.text_query, search_parents.sparse_query, model => search_parents.model, embedding => search_parents.embedding, recall => search_parents.recall,
        fusion => search_parents.fusion, weights => search_parents.weights, text_form => search_parents.text_form, legs => search_parents.legs,
        rank_constant => search_parents.rank_constant, candidates => greatest(search_parents.candidates, CASE WHEN search_parents.candidates IS NOT NULL THEN pool END), distinct_on => search_parents.parent,
        where_sql => search_parents.where_sql, where_values => search_parents.where_values) AS s;
    PERFORM pgsim._set(pinned);
    IF aggregate <> 'max' AND chunk_keys IS NOT NULL THEN
        EXECUTE format(
            'SELECT jsonb_build_object(''$and'', jsonb_build_array($2, jsonb_build_object($3::text, jsonb_build_object(''$in'', jsonb_agg(DISTINCT b.%I))))) '
            'FROM (SELECT %s FROM unnest($1) AS g (given)) AS i JOIN %s AS b ON %s',
            parent, pgsim._key_parse(c.relation, 'g.given', c.key_columns, true), c.relation, pgsim._key_join('b.', 'i.', c.key_columns, true))
        INTO given USING chunk_keys, given, parent;
        compiled := pgsim._compile_filter(c.relation, given, '{}', false);
        chunks := pgsim._count(c.relation::text, compiled.predicate, compiled."values");
        -- Not through pgsim.search, which gives no more than 10000 rows.
        SELECT s.keys, s.scores INTO chunk_keys, chunk_scores
        FROM pgsim._search_fused(
            ROW(collection, greatest(chunks, 1), given, model, embedding, NULL, CASE WHEN dense THEN 'exact' ELSE 'auto' END, NULL, NULL, NULL, NULL, NULL, where_sql, where_values, NULL, callers ->> 'search_path')::pgsim._search_request,
            query, text_query, sparse_query,
            ROW(CASE WHEN text_query IS NOT NULL THEN ARRAY[text_query] END, text_form, legs, fusion, weights, rank_constant, NULL, 1, NULL)::pgsim._fusion_request, false) AS s;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT p.parent::text, p.score, (row_number() OVER (ORDER BY p.score DESC, p.parent))::int, jsonb_build_object(''chunks'', p.chunks) '
        'FROM (SELECT n.parent, CASE $4 WHEN ''sum'' THEN sum(n.score) WHEN ''mean'' THEN avg(n.score) ELSE max(n.score) END AS score, '
        '             jsonb_agg(jsonb_build_object(''key'', n.given, ''score'', n.score) ORDER BY n.nth) AS chunks '
        '      FROM (SELECT b.%I AS parent, i.given, i.score, row_number() OVER (PARTITION BY b.%I ORDER BY i.ordinal) AS nth '
        '            FROM (SELECT %s, g.given, g.score, g.ordinal FROM unnest($1, $2) WITH ORDINALITY AS g (given, score, ordinal)) AS i JOIN %s AS b ON %s) AS n '
        '      WHERE n.nth <= $3 GROUP BY n.parent) AS p ORDER BY 3 LIMIT $5',
        parent, parent, pgsim._key_parse(c.relation, 'g.given', c.key_columns, true), c.relation, pgsim._key_join('b.', 'i.', c.key_columns, true))
    USING chunk_keys, chunk_scores, top, aggregate, k;
    PERFORM pgsim._set(callers);
END
$$;
COMMENT ON FUNCTION pgsim.search_parents IS
$$Searches a collection of chunks and ranks what they are parts of: the k parents whose chunks match best.

parent: the column of the chunks that names the parent, a foreign key as a rule; chunks without one are left out. key is its value as
text. aggregate: max ranks a parent by its best chunk, mean and sum by its best ones, top of them (3). For mean and sum the parents of the best
chunks, five times k and at least 50, are ranked by all of their chunks. Fewer than k parents come only when fewer have a chunk that
matches. where_sql, where_values: a condition over the chunks' table, as pgsim.search takes it. details: the chunks that counted, with their scores. The other arguments are those of pgsim.search.
Errors: PS001 to PS006, PS009 to PS016, PS032, PS035, PS050.$$;
