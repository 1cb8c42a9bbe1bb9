CREATE FUNCTION pgsim._vector_drift(t pgsim._target) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows float8 := (SELECT r.reltuples FROM pg_class AS r WHERE r.oid = t.version);
    told record;
BEGIN
    IF t.adopted OR t.element = 'sparsevec' OR rows < 70 THEN
        RETURN NULL;
    END IF;
    -- The newest rows beside those before them, for several ideas of what is new: where most of the newest are of another model, one of these is clean.
    FOR told IN EXECUTE format(
        'WITH drawn AS MATERIALIZED ('
        '  SELECT s.embedding::%1$s.vector AS v, s.embedded_at AS at, row_number() OVER () AS n FROM %2$s AS s %3$s LIMIT 4000), '
        'split AS (SELECT q, percentile_disc(1 - q) WITHIN GROUP (ORDER BY d.at) AS cut FROM drawn AS d CROSS JOIN unnest(''{.03,.06,.12,.25,.5}''::float8[]) AS q GROUP BY q), '
        'sides AS (SELECT c.cut, count(*) FILTER (WHERE d.at > c.cut) AS newer, avg(%1$s.vector_norm(d.v)) FILTER (WHERE d.at > c.cut) AS new_norm, '
        '                 avg(%1$s.vector_norm(d.v)) FILTER (WHERE d.at <= c.cut) AS old_norm, stddev(%1$s.vector_norm(d.v)) FILTER (WHERE d.at <= c.cut) AS old_spread '
        '          FROM (SELECT DISTINCT s.cut FROM split AS s) AS c CROSS JOIN drawn AS d GROUP BY c.cut '
        '          HAVING count(*) FILTER (WHERE d.at > c.cut) >= 20 AND count(*) FILTER (WHERE d.at <= c.cut) >= 50) '
        'SELECT s.newer, s.cut, s.new_norm, s.old_norm, s.old_spread, f.new_nearest, f.old_nearest, f.old_far FROM sides AS s CROSS JOIN LATERAL ('
        '  SELECT percentile_cont(.5) WITHIN GROUP (ORDER BY p.nearest) FILTER (WHERE p.newer) AS new_nearest, '
        '         percentile_cont(.5) WITHIN GROUP (ORDER BY p.nearest) FILTER (WHERE NOT p.newer) AS old_nearest, '
        '         percentile_cont(.99) WITHIN GROUP (ORDER BY p.nearest) FILTER (WHERE NOT p.newer) AS old_far '
        '  FROM (SELECT g.newer, (SELECT min(r.v OPERATOR(%1$s.%4$s) g.v) FROM ('
        '            SELECT d.v FROM drawn AS d WHERE d.at <= s.cut AND d.n %% 5 > 0 LIMIT 400) AS r) AS nearest '
        '        FROM ((SELECT true AS newer, d.v FROM drawn AS d WHERE d.at > s.cut LIMIT 100) UNION ALL '
        '              (SELECT false, d.v FROM drawn AS d WHERE d.at <= s.cut AND d.n %% 5 = 0 LIMIT 100)) AS g) AS p) AS f '
        'ORDER BY s.cut DESC',
        t.vector_schema, t.version_sql, CASE WHEN rows > 4000 THEN format('TABLESAMPLE SYSTEM (%s) REPEATABLE (0)', least(100, 100 * 4000 / rows)) END, pgsim._distance_operator(t.metric))
    LOOP
        IF told.old_spread < .01 * told.old_norm AND abs(told.new_norm - told.old_norm) > .02 * told.old_norm THEN
            RETURN format('vectors stored after %s have length %s, and those before %s', told.cut::timestamptz(0), round(told.new_norm::numeric, 3), round(told.old_norm::numeric, 3));
        ELSIF told.new_nearest > told.old_far THEN
            RETURN format('vectors stored after %s lie farther from the others than these do from one another: the nearest at %s, where %s is usual',
                          told.cut::timestamptz(0), round(told.new_nearest::numeric, 3), round(told.old_nearest::numeric, 3));
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._vector_drift IS
    'What speaks for vectors of another model among those stored last, in a sample of up to 4000: another length where all had one, or no near neighbour where nearly all had one (the median beyond the 99th percentile).';
