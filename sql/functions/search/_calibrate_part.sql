CREATE FUNCTION pgsim._calibrate_part(collection text, model text, embedding text, queries vector[], sample int, part text, first int, last int) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := pgsim._target(collection, model, embedding);
    asked queries%TYPE;
    turns CONSTANT float8[] := '{0.3,0.6,0.9,1.2}';
    turned float8[];
    taken queries%TYPE := pgsim._recall_queries(collection, queries, model, embedding, coalesce(sample, pgsim._calibration_sample(t)), 0);
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._require_all_rows(t);
    IF t.map_id IS NOT NULL THEN
        taken := pgsim._mapped_queries(t, taken);
    END IF;
    IF part = 'codes' THEN
        PERFORM pgsim._calibrate_margins(t, coalesce(t.codes_dims, t.dim), coalesce(t.codes_element, 'bit'), t.codes_map);
        RETURN '{}';
    ELSIF part = 'rows' THEN
        RETURN pgsim._calibrate_rows(t, taken[1:8]);
    END IF;
    asked := taken[first:last];
    IF queries IS NULL THEN
        -- An index finds its own rows more easily than anything else. Turned, some little and some far, they lie about as questions do, and tell how much harder far ones are.
        FOR i IN first .. last LOOP
            asked[i - first + 1] := pgsim._turned(taken[i], ARRAY(SELECT taken[1 + (17 * i + 7 * j) % cardinality(taken)] FROM generate_series(1, 16) AS j), turns[1 + i % 4]);
            turned[i - first + 1] := turns[1 + i % 4];
        END LOOP;
    END IF;
    RETURN pgsim._calibrate_index(t, asked, turned);
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_part IS 'One step of a calibration; pgsim._store_calibration makes one of them all.';
