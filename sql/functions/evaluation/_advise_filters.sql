CREATE FUNCTION pgsim._advise_filters(base regclass, shape text) RETURNS TABLE (filter jsonb, share float8, stand_in boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT int := 100;
    condition CONSTANT text := '([a-zA-Z_][a-zA-Z0-9_.]*|"(?:[^"]|"")+") (\$[a-z]+)';
    part record;
    filters jsonb[] := ARRAY['{}'::jsonb];
    shares float8[] := '{1}';
    stand_ins boolean[] := '{false}';
BEGIN
    IF shape !~ format('^(?:%1$s(?:, %1$s)*)?$', condition) THEN
        RETURN;
    END IF;
    FOR part IN
        SELECT c.path, c.operator, count(*) OVER (PARTITION BY c.path) > 1 AS paired
        FROM (SELECT CASE WHEN left(m[1], 1) = '"' THEN replace(substr(m[1], 2, length(m[1]) - 2), '""', '"') ELSE m[1] END AS path, m[2] AS operator
              FROM regexp_matches(shape, condition, 'g') AS m) AS c
        LIMIT 20
    LOOP
        -- The least common of those that are kept stands for what is not.
        SELECT coalesce(array_agg(x.filter), '{}'), array_agg(CASE WHEN x.place < most THEN x.share ELSE x.left_share END), array_agg(x.stand_in OR x.place = most AND x.left_share > x.share)
        INTO filters, shares, stand_ins
        FROM (
            SELECT f.filter || jsonb_build_object(part.path, coalesce(f.filter -> part.path, '{}') || jsonb_build_object(part.operator, v.value)) AS filter,
                   f.share * v.share AS share, f.stand_in OR v.stand_in AS stand_in, row_number() OVER by_share AS place,
                   sum(f.share * v.share) OVER (by_share ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS left_share
            FROM unnest(filters, shares, stand_ins) AS f (filter, share, stand_in)
            CROSS JOIN pgsim._advise_values(base, part.path, part.operator, part.paired) AS v
            WINDOW by_share AS (ORDER BY f.share * v.share DESC, f.filter, v.value)
        ) AS x
        WHERE x.place <= most;
        IF filters = '{}' THEN
            RETURN;
        END IF;
    END LOOP;
    RETURN QUERY SELECT nullif(f.filter, '{}'), f.share, f.stand_in FROM unnest(filters, shares, stand_ins) AS f (filter, share, stand_in);
END
$$;
COMMENT ON FUNCTION pgsim._advise_filters IS
    'The filters that a recorded shape is taken to stand for, and in which shares; none where a condition is of a kind whose values nobody can know ($or, $not, paths, patterns).';
