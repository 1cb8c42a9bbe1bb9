CREATE FUNCTION pgsim._distance_operator(metric text, element text = 'vector') RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN element = 'bit' THEN '<~>' ELSE CASE metric WHEN 'cosine' THEN '<=>' WHEN 'l2' THEN '<->' WHEN 'ip' THEN '<#>' WHEN 'l1' THEN '<+>' END END;
COMMENT ON FUNCTION pgsim._distance_operator IS 'pgvector''s operator of a metric, and of bits, which differ in so many places. <#> is the negative inner product, so that less is nearer for all of them.';
