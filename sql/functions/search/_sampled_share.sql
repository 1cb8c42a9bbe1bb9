CREATE FUNCTION pgsim._sampled_share(sampled text, base regclass, predicate text, given jsonb, settings jsonb) RETURNS float8[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    places CONSTANT int := 1000;
    pages bigint := pg_relation_size(sampled::regclass) / current_setting('block_size')::int;
    lines int;
    drawn record;
    previous jsonb;
    p float8;
    half float8;
BEGIN
    -- Rows of one page came together, so each row is drawn by itself: a page and a line of it at random. Where no row lies, none is drawn.
    SELECT least(200, greatest(1, 1.2 * r.reltuples / greatest(r.relpages, 1))) INTO lines FROM pg_class AS r WHERE r.oid = sampled::regclass;
    IF settings <> '{}' THEN
        previous := pgsim._set(settings);
    END IF;
    drawn := pgsim._count_drawn(sampled, (SELECT r.relname FROM pg_class AS r WHERE r.oid = base), predicate, given,
        ARRAY(SELECT format('(%s,%s)', floor(random() * pages), 1 + floor(random() * lines)) FROM generate_series(1, places))::tid[]);
    IF previous IS NOT NULL THEN
        PERFORM pgsim._set(previous);
    END IF;
    -- Agresti and Coull 1998, Approximate is better than "exact" for interval estimation of binomial proportions.
    p := (drawn.matches + 2.0) / (drawn.drawn + 4);
    half := 2 * sqrt(p * (1 - p) / (drawn.drawn + 4));
    RETURN ARRAY[greatest(0, p - half), least(1, p + half)];
END
$$;
COMMENT ON FUNCTION pgsim._sampled_share IS 'Between which shares of a table''s rows match a predicate, by a thousand rows drawn at random (95% interval).';
