CREATE FUNCTION pgsim._filter_covers(narrow jsonb, wide jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF wide IS NULL OR wide IN ('null', '{}') THEN
        RETURN true;
    ELSIF narrow IS NULL OR narrow IN ('null', '{}') OR wide::text ~* '\m(now|today|tomorrow|yesterday)\M' THEN
        -- What today is differs between the day that an index was made and that of the search.
        RETURN false;
    END IF;
    RETURN (
        WITH given AS (
            SELECT a.path, a.operator, a.value FROM pgsim._filter_atoms(narrow, 1) AS a WHERE a.operator <> '$between'
            UNION ALL
            SELECT a.path, b.operator, a.value -> b.n FROM pgsim._filter_atoms(narrow, 1) AS a CROSS JOIN (VALUES ('$gte', 0), ('$lte', 1)) AS b (operator, n)
            WHERE a.operator = '$between'
        )
        SELECT coalesce(bool_and(EXISTS (
            SELECT FROM given AS n WHERE n.path IS NOT DISTINCT FROM w.path AND pgsim._filter_implies(n.operator, n.value, w.operator, w.value))), true)
        FROM (
            SELECT a.path, a.operator, a.value FROM pgsim._filter_atoms(wide, 1) AS a WHERE a.operator <> '$between'
            UNION ALL
            SELECT a.path, b.operator, a.value -> b.n FROM pgsim._filter_atoms(wide, 1) AS a CROSS JOIN (VALUES ('$gte', 0), ('$lte', 1)) AS b (operator, n)
            WHERE a.operator = '$between'
        ) AS w
    );
END
$$;
COMMENT ON FUNCTION pgsim._filter_covers IS
    'Whether every row that one filter admits is admitted by a second one, an index''s; by their structure alone, and false when unsure. Both are taken as of one moment and one set of settings.';
