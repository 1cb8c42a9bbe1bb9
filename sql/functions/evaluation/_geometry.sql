CREATE FUNCTION pgsim._geometry(
    vectors vector[], metric text, OUT intrinsic_dimension float8, OUT hubness float8, OUT duplicates float8
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH n AS MATERIALIZED (
        SELECT s.item, s.neighbour, s.distance, s.rank FROM pgsim._neighbours(_geometry.vectors, _geometry.metric, 20) AS s
    ),
    -- The inner product is no distance: what measures distances takes those of l2.
    r AS MATERIALIZED (
        SELECT n.item, n.distance, n.rank, n.distance <= CASE _geometry.metric WHEN 'cosine' THEN 1e-6 ELSE 0 END AS copy FROM n WHERE _geometry.metric <> 'ip'
        UNION ALL
        SELECT s.item, s.distance, s.rank, s.distance = 0 FROM pgsim._neighbours(CASE _geometry.metric WHEN 'ip' THEN _geometry.vectors END, 'l2', 20) AS s
    ),
    -- Copies of one vector say nothing of dimension: only distances above zero count.
    b AS (
        SELECT count(*) - 1 AS terms, count(*) * ln(max(r.distance)) - sum(ln(r.distance)) AS logs FROM r WHERE NOT r.copy GROUP BY r.item
    ),
    o AS (
        SELECT count(n.neighbour)::float8 AS times
        FROM generate_series(1, cardinality(_geometry.vectors)) AS v (ordinal)
        LEFT JOIN n ON n.neighbour = v.ordinal AND n.rank <= 10
        GROUP BY v.ordinal
    ),
    m AS (
        SELECT avg(o.times) AS mean, stddev_pop(o.times) AS deviation FROM o
    )
    SELECT (SELECT sum(b.terms) / nullif(sum(b.logs), 0) FROM b),
           (SELECT avg(power((o.times - m.mean) / nullif(m.deviation, 0), 3)) FROM o CROSS JOIN m),
           (SELECT avg(r.copy::int)::float8 FROM r WHERE r.rank = 1);
END;
COMMENT ON FUNCTION pgsim._geometry IS
    'How vectors lie among each other. intrinsic_dimension: the maximum likelihood estimate over the 20 nearest of each (Levina and Bickel 2005; Amsaleg et al. 2015), inverses averaged as MacKay and Ghahramani 2005 correct it. hubness: the skewness of how often each is among the 10 nearest of another (Radovanovic et al. 2010). duplicates: the share that another one equals.';
