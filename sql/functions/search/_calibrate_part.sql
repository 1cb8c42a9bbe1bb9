CREATE FUNCTION pgsim._calibrate_part(collection text, model text, embedding text, queries vector[], sample int, part text, first int, last int) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := pgsim._target(collection, model, embedding);
    taken queries%TYPE := pgsim._recall_queries(collection, queries, model, embedding, sample, 0);
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._require_all_rows(t);
    IF part = 'codes' THEN
        PERFORM pgsim._calibrate_margins(t);
        RETURN '{}';
    ELSIF part = 'rows' THEN
        RETURN pgsim._calibrate_rows(t, taken[1:8]);
    END IF;
    IF queries IS NULL THEN
        -- An index finds its own rows more easily than anything else; turned by half a right angle they are about as hard as questions.
        FOR i IN first .. last LOOP
            taken[i] := pgsim._turned(taken[i], i);
        END LOOP;
    END IF;
    RETURN pgsim._calibrate_index(t, taken[first:last]);
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_part IS 'One step of a calibration; pgsim._store_calibration makes one of them all.';
