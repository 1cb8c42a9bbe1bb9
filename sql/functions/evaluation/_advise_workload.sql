CREATE FUNCTION pgsim._advise_workload(t pgsim._target) RETURNS TABLE (filter jsonb, k int, recall float8, searches float8, recorded boolean, known boolean, stand_in boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT int := 1000;
BEGIN
    RETURN QUERY
        WITH log AS MATERIALIZED (
            SELECT l.shape, l.filter, l.k, l.recall_asked, count(*) AS searches
            FROM pgsim._search_log AS l
            -- What was asked under an earlier model will be asked again; another embedding has askers of its own.
            WHERE l.collection_id = t.collection_id AND l.shape !~ '(^|, )where_sql$'
              AND NOT EXISTS (SELECT FROM pgsim._version AS v JOIN pgsim._version AS own ON own.id = t.version_id WHERE v.id = l.version_id AND v.embedding_id <> own.embedding_id)
            GROUP BY l.shape, l.filter, l.k, l.recall_asked
            ORDER BY count(*) * percentile_cont(0.5) WITHIN GROUP (ORDER BY l.seconds) DESC LIMIT most
        ),
        shaped AS (
            SELECT l.shape, l.k, l.recall_asked, l.searches, true AS recorded FROM log AS l WHERE l.filter IS NULL
            UNION ALL
            SELECT concat(quote_ident(f.name), CASE (pgsim._filter_column_type(t.base, f.name)).kind WHEN 'array' THEN ' $contains' ELSE ' $eq' END), 10, 0.95, 1, false
            FROM pgsim._collection AS c CROSS JOIN unnest(c.filter_columns) AS f (name)
            WHERE c.id = t.collection_id AND NOT EXISTS (SELECT FROM log)
            UNION ALL
            SELECT '', 10, 0.95, 1, false WHERE NOT EXISTS (SELECT FROM log)
        )
        SELECT w.filter, w.k, w.recall, w.searches, w.recorded, w.known, w.stand_in
        FROM (
            SELECT l.filter, l.k, l.recall_asked AS recall, l.searches::float8 AS searches, true AS recorded, true AS known, false AS stand_in FROM log AS l WHERE l.filter IS NOT NULL
            UNION ALL
            SELECT f.filter, s.k, s.recall_asked, s.searches * f.share, s.recorded, false, f.stand_in
            FROM (SELECT s.shape, s.k, s.recall_asked, s.recorded, sum(s.searches)::float8 AS searches FROM shaped AS s GROUP BY 1, 2, 3, 4) AS s
            CROSS JOIN LATERAL pgsim._advise_filters(t.base, s.shape) AS f
        ) AS w
        ORDER BY w.searches DESC LIMIT most;
END
$$;
COMMENT ON FUNCTION pgsim._advise_workload IS
    'The searches that advice is given for, at most a thousand kinds: those recorded; a shape without values as filters on the column''s common values; where nothing was recorded, each declared filter column once.';
