CREATE FUNCTION pgsim._fuse(
    legs pgsim.leg[], method text, weights float8[], rank_constant float8, k int, whole boolean, OUT keys text[], OUT scores float8[], OUT details jsonb[]
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    low float8;
    high float8;
    lows float8[] := '{}';
    spans float8[] := '{}';
BEGIN
    -- A score s counts (s - low) / span; a list without any span counts the same for each of its rows.
    FOR i IN 1 .. cardinality(legs) LOOP
        IF legs[i].maximum IS NOT NULL THEN
            low := legs[i].minimum;
            high := legs[i].maximum - low;
        ELSIF method = 'dbsf' THEN
            SELECT avg(s) - 3 * stddev_samp(s), 6 * stddev_samp(s) INTO low, high FROM unnest(legs[i].scores) AS s;
        ELSIF method <> 'rrf' THEN
            SELECT min(s), max(s) INTO low, high FROM unnest(legs[i].scores) AS s;
            low := CASE method WHEN 'tmm' THEN legs[i].minimum ELSE low END;
            high := high - low;
        END IF;
        lows := lows || low;
        spans := spans || high;
    END LOOP;
    WITH entry AS MATERIALIZED (
        SELECT l.ordinal AS leg, e.key, e.rank, e.score,
               weights[l.ordinal] * CASE
                   WHEN method = 'rrf' THEN 1 / (rank_constant + e.rank)
                   WHEN spans[l.ordinal] > 0 THEN (e.score - lows[l.ordinal]) / spans[l.ordinal]
                   ELSE CASE method WHEN 'dbsf' THEN 0.5 WHEN 'tmm' THEN 0 ELSE 1 END END AS share
        FROM unnest(legs) WITH ORDINALITY AS l (name, keys, scores, minimum, maximum, ordinal)
        CROSS JOIN LATERAL unnest(l.keys, l.scores) WITH ORDINALITY AS e (key, score, rank)
        WHERE weights[l.ordinal] > 0
    ), best AS MATERIALIZED (
        SELECT u.key, u.score, row_number() OVER () AS rank
        FROM (SELECT e.key, sum(e.share) AS score FROM entry AS e GROUP BY e.key
              ORDER BY score DESC, CASE WHEN whole THEN e.key::numeric END, e.key COLLATE "C" LIMIT k) AS u
    )
    SELECT array_agg(d.key ORDER BY d.rank), array_agg(d.score ORDER BY d.rank), array_agg(d.told ORDER BY d.rank) INTO keys, scores, details
    FROM (SELECT b.key, b.score, b.rank, jsonb_object_agg(legs[e.leg].name, jsonb_build_object('rank', e.rank, 'score', e.score, 'share', e.share)) AS told
          FROM best AS b JOIN entry AS e ON e.key = b.key GROUP BY b.key, b.score, b.rank) AS d;
END
$$;
COMMENT ON FUNCTION pgsim._fuse IS
    'Fuses ranked lists that were checked: the k best keys, their scores, and of each what its legs said of it. A key that a leg lacks gets nothing from that leg. Ties go by key: as numbers where all are whole, else by their bytes.';
