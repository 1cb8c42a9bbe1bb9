CREATE FUNCTION pgsim._among(p pgsim._search_plan, n float8) RETURNS float8
LANGUAGE sql IMMUTABLE
RETURN p.depth * greatest(1, p.reachable / greatest(n, 1) * CASE WHEN p.predicate IS NULL THEN 1 ELSE 1.3 END);
COMMENT ON FUNCTION pgsim._among IS
    'Among how many of the nearest rows the wanted ones are, when n match. What people filter by lies together, and seldom just where they ask: a filter takes some 30% more than its share says. (Measured on the Debian corpus: joins, tags, ranges.)';
