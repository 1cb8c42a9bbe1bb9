CREATE FUNCTION pgsim._fusion_weights(names text[], weights jsonb, method text, spare text[] = '{}') RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
BEGIN
    IF weights IS NULL OR weights = 'null' THEN
        RETURN array_fill(CASE method WHEN 'rrf' THEN 1 ELSE 1.0::float8 / cardinality(names) END, ARRAY[cardinality(names)]);
    END IF;
    IF jsonb_typeof(weights) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights is %s, not an object of numbers', left(weights::text, 200)),
            HINT = 'Name each leg: weights => ''{"dense": 0.7, "text": 0.3}''.';
    END IF;
    SELECT w.key INTO wrong FROM jsonb_each(weights) AS w WHERE NOT w.key = ANY (names || spare) LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights names %s, which is no leg; the legs are %s', quote_literal(left(wrong, 80)), array_to_string(names, ', ')),
            HINT = 'Name the legs as they are called.';
    END IF;
    SELECT n INTO wrong FROM unnest(names) AS n WHERE NOT weights ? n LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights does not name the leg %s', wrong), HINT = 'Give each leg a weight; 0 leaves it out.';
    END IF;
    SELECT w.key INTO wrong FROM jsonb_each(weights) AS w WHERE CASE jsonb_typeof(w.value) WHEN 'number' THEN NOT ((w.value)::numeric = 0 OR (w.value)::numeric BETWEEN 1e-100 AND 1e6) ELSE true END LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the weight of %s is %s; it is 0, or a number from 1e-100 to 1000000', wrong, left((weights -> wrong)::text, 80)), HINT = 'Give 0 to leave a leg out.';
    END IF;
    RETURN ARRAY(SELECT (weights ->> n.name)::float8 FROM unnest(names) WITH ORDINALITY AS n (name, ordinal) ORDER BY n.ordinal);
END
$$;
COMMENT ON FUNCTION pgsim._fusion_weights IS
    'The weight of each leg. Without any, equal shares that sum to 1, and 1 each for rrf. spare: names that may stand there without being a leg of this call. Raises PS010 for what is no weight.';
