CREATE FUNCTION pgsim._calibrate_margins(t pgsim._target, dims int, element text, map_id int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sampled CONSTANT int := 4000;
    queries CONSTANT int := 150;
    k CONSTANT int := 10;
    sample text;
    found record;
BEGIN
    -- Rows are their own queries; a zero vector, which has no direction, is none.
    -- Each is compared with a sample of the others, exactly and by its code.
    sample := format('SELECT %s AS id, %I AS v, %s AS code FROM %s %s WHERE %2$I OPERATOR(%6$s.<=>) %2$I <> ''NaN''',
        CASE WHEN t.adopted THEN pgsim._key_text(t.base, '', t.key_columns) ELSE pgsim._key_text(t.version, '', pgsim._key_names(t.key_columns, true)) END,
        t.column_name, pgsim._code_expression(format('%I', t.column_name), t.vector_schema, t.dim, dims, element, map_id), t.version_sql,
        CASE WHEN t.rows > sampled THEN format('TABLESAMPLE SYSTEM (%s) REPEATABLE (0)', round((100.0 * sampled / t.rows)::numeric, 4)) ELSE '' END, t.vector_schema);
    EXECUTE format($sql$
        WITH s AS MATERIALIZED (%1$s LIMIT %6$s),
        q AS MATERIALIZED (SELECT * FROM s ORDER BY pg_catalog.md5(id) LIMIT %2$s),
        n AS (SELECT count(*)::float8 AS sampled FROM s),
        excess AS MATERIALIZED (
            SELECT q.id, o.excess, o.all_excess
            FROM q CROSS JOIN LATERAL (
                WITH r AS MATERIALIZED (
                    SELECT s.code %9$s q.code AS h, s.v OPERATOR(%3$s.%4$s) q.v AS d, s.v OPERATOR(%3$s.<=>) q.v AS a FROM s WHERE s.id <> q.id
                ), m AS (
                    SELECT pgsim._expected_code_distance(max(y.a), %8$s, %10$L, 0) AS best, pgsim._expected_code_distance(max(y.a), %8$s, %10$L, 1) - pgsim._expected_code_distance(max(y.a), %8$s, %10$L, 0) AS deviation FROM (SELECT x.a FROM (SELECT * FROM r ORDER BY h LIMIT %5$s) AS x ORDER BY x.d LIMIT %7$s) AS y
                )
                SELECT ARRAY(SELECT (z.h - m.best) / nullif(m.deviation, 0) FROM (SELECT r.h FROM r ORDER BY r.d LIMIT %7$s) AS z) AS excess,
                       ARRAY(SELECT (r.h - m.best) / nullif(m.deviation, 0) FROM r) AS all_excess
                FROM m
            ) AS o
        ),
        margins AS (
            SELECT percentile_disc(pgsim._recall_levels()) WITHIN GROUP (ORDER BY u.e) AS margins FROM excess CROSS JOIN LATERAL unnest(excess.excess) AS u (e)
        )
        SELECT m.margins, (SELECT count(*) FROM q) AS queries, n.sampled,
               (SELECT avg((u.e <= m.margins[6])::int) FROM excess CROSS JOIN LATERAL unnest(excess.all_excess) AS u (e)) AS kept
        FROM margins AS m CROSS JOIN n
    $sql$, sample, queries, t.vector_schema, pgsim._distance_operator(t.metric), pgsim._first_shortlist(k), 2 * sampled, k, dims, pgsim._code_distance(t.vector_schema, element), element)
    INTO found;
    IF found.queries < 10 OR found.sampled < 1000 THEN
        RETURN;
    END IF;
    INSERT INTO pgsim._calibration (version_id, rows, queries, margins)
    VALUES (t.version_id, t.rows, found.queries,
            -- Codes that keep a fifth of all rows tell them apart too little to be of use.
            CASE WHEN found.kept > .2 THEN array_fill('Infinity'::float8, ARRAY[cardinality(pgsim._recall_levels())]) ELSE found.margins END)
    ON CONFLICT (version_id) DO UPDATE SET margins = excluded.margins;
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_margins IS
    'Measures how much farther apart than expected the codes of true neighbours are, on a sample of rows against one another; without a thousand rows the defaults stay.';
