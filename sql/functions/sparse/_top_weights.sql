CREATE FUNCTION pgsim._top_weights(v sparsevec, n int) RETURNS sparsevec
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.length(v::text) - pg_catalog.length(pg_catalog.replace(v::text, ':', '')) <= n THEN v
    ELSE (
        SELECT ('{' || pg_catalog.string_agg(k.entry, ',') || '}/' || pg_catalog.split_part(v::text, '/', 2))::sparsevec
        FROM (
            SELECT e.entry FROM pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.ltrim(pg_catalog.split_part(v::text, '}', 1), '{'), ',')) WITH ORDINALITY AS e (entry, place)
            ORDER BY abs(pg_catalog.split_part(e.entry, ':', 2)::real) DESC, e.place LIMIT n
        ) AS k
    )
END;
COMMENT ON FUNCTION pgsim._top_weights IS 'A sparse vector with its n greatest weights alone, whatever their sign; of equal ones the first. Indexes are made of it, so it never changes.';
