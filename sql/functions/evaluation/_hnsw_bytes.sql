CREATE FUNCTION pgsim._hnsw_bytes(dim int, element text, m int, rows float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    -- hnsw.h of pgvector: an element has 72 bytes beside its vector, and on the lowest level 2 m neighbours of 6 bytes. The two lie on one page.
    SELECT CASE WHEN s.pair > 8160 THEN 16384.0 ELSE 8192.0 / floor(8160.0 / s.pair) END * _hnsw_bytes.rows
    FROM (SELECT 8 * ceil((80 + _hnsw_bytes.dim * CASE _hnsw_bytes.element WHEN 'bit' THEN 0.125 WHEN 'halfvec' THEN 2 ELSE 4 END) / 8.0) + 8 * ceil((4 + 12 * _hnsw_bytes.m) / 8.0) + 8 AS pair) AS s
);
COMMENT ON FUNCTION pgsim._hnsw_bytes IS 'How large an HNSW index of so many rows is, where no vector is stored twice.';
