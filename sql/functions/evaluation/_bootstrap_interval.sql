CREATE FUNCTION pgsim._bootstrap_interval(samples float8[], seed int, resamples int = 1000) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT percentile_cont(ARRAY[0.025, 0.975]::float8[]) WITHIN GROUP (ORDER BY r.mean)
    FROM (
        -- A hash of its number is each draw: random() would move the caller's own sequence on.
        SELECT avg(samples[1 + (pg_catalog.hashint8extended(d.draw::bigint, seed::bigint) & 9223372036854775807) % cardinality(samples)]) AS mean
        FROM generate_series(0, resamples * cardinality(samples) - 1) AS d (draw)
        GROUP BY d.draw / cardinality(samples)
    ) AS r
);
COMMENT ON FUNCTION pgsim._bootstrap_interval IS
    'The 95% interval of the mean of samples, which hold no NULL: the percentiles of the means of as many draws with replacement, again and again (the bootstrap; Efron 1979). The same seed gives the same interval. NULL of no samples.';
