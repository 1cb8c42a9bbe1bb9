CREATE FUNCTION pgsim._advise_values(base regclass, path text, operator text, paired boolean) RETURNS TABLE (value jsonb, share float8, stand_in boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Most columns keep a hundred common values.
    most CONSTANT int := 100;
    col record := pgsim._filter_column_type(base, path);
    s record;
    common text[];
    bounds text[];
    of_array CONSTANT boolean := operator IN ('$contains', '$overlap');
BEGIN
    SELECT t.null_frac, t.most_common_vals::text::text[] AS common, t.most_common_freqs::float8[] AS shares, t.histogram_bounds::text::text[] AS bounds,
           t.most_common_elems::text::text[] AS elements, t.most_common_elem_freqs::float8[] AS element_shares
    INTO s
    FROM pg_class AS r
    JOIN pg_namespace AS n ON n.oid = r.relnamespace
    JOIN pg_stats AS t ON t.schemaname = n.nspname AND t.tablename = r.relname AND t.attname = _advise_values.path
    WHERE r.oid = base
    ORDER BY t.inherited DESC LIMIT 1;
    IF NOT FOUND OR col.kind IS DISTINCT FROM (CASE WHEN of_array THEN 'array' ELSE 'scalar' END) THEN
        RETURN;
    END IF;
    common := coalesce(s.common, '{}');
    bounds := coalesce(s.bounds, ARRAY(SELECT c FROM unnest(common) AS c ORDER BY pgsim._advise_json(col.element, c)));
    RETURN QUERY
        WITH known AS (
            SELECT c.item, c.part, false AS rest FROM unnest(common, s.shares) WITH ORDINALITY AS c (item, part, place) WHERE operator = '$eq' AND c.place <= most
            UNION ALL
            -- The values that are not common are much alike: one stands for them all.
            SELECT coalesce(s.bounds[1 + cardinality(s.bounds) / 2], common[most + 1]),
                   greatest(0, 1 - s.null_frac - coalesce((SELECT sum(f) FROM unnest(s.shares[:most]) AS f), 0)), true
            WHERE operator = '$eq'
            UNION ALL
            -- The last three are the least, the largest and the mean of these shares, or of those of NULL.
            SELECT e.item, e.part / (SELECT sum(f) FROM unnest(s.element_shares[:least(most, cardinality(s.elements))]) AS f), false
            FROM unnest(s.elements, s.element_shares) WITH ORDINALITY AS e (item, part, place)
            WHERE of_array AND e.place <= least(most, cardinality(s.elements))
        ),
        one AS (
            SELECT pgsim._advise_json(col.element, k.item) AS item, k.part, k.rest FROM known AS k
        ),
        quarter AS (
            SELECT pgsim._advise_json(col.element, bounds[1 + (cardinality(bounds) - 1) / 4]) AS lower, pgsim._advise_json(col.element, bounds[1 + (cardinality(bounds) - 1) / 2]) AS middle,
                   pgsim._advise_json(col.element, bounds[1 + (cardinality(bounds) - 1) * 3 / 4]) AS upper
        )
        SELECT CASE WHEN of_array THEN jsonb_build_array(o.item) ELSE o.item END, o.part, o.rest FROM one AS o WHERE o.item IS NOT NULL AND o.part > 0
        UNION ALL
        SELECT v.value, 1.0, true
        FROM (
            SELECT CASE
                WHEN operator IN ('$gt', '$gte') THEN CASE WHEN paired THEN q.lower ELSE q.middle END
                WHEN operator IN ('$lt', '$lte') THEN CASE WHEN paired THEN q.upper ELSE q.middle END
                WHEN operator = '$between' AND q.lower IS NOT NULL THEN jsonb_build_array(q.lower, q.upper)
                WHEN operator = '$ne' THEN pgsim._advise_json(col.element, common[1])
                WHEN operator IN ('$in', '$nin') AND common <> '{}' THEN (SELECT jsonb_agg(pgsim._advise_json(col.element, c)) FROM unnest(common[:2]) AS c)
                WHEN operator = '$exists' THEN 'true' END AS value
            FROM quarter AS q
        ) AS v
        WHERE v.value IS NOT NULL;
END
$$;
COMMENT ON FUNCTION pgsim._advise_values IS
    'The values that a condition of unknown value is taken to have, by the planner''s statistics of the column: common ones by how common they are; stand_in where one value stands for many. paired: the column has a second bound.';
