CREATE FUNCTION pgsim.calibrate(collection text, queries vector[] = NULL, model text = NULL, embedding text = 'default', sample int = NULL) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step record;
    parts jsonb[] := '{}';
BEGIN
    FOR step IN SELECT * FROM pgsim._calibration_parts(collection, model, embedding, queries, sample) LOOP
        parts := parts || pgsim._calibrate_part(collection, model, embedding, queries, sample, step.part, step.first, step.last);
    END LOOP;
    RETURN pgsim._store_calibration(collection, model, embedding, parts);
END
$$;
COMMENT ON FUNCTION pgsim.calibrate IS
$$Measures on a collection's own rows what searches cost and find, and stores it: by this the planner chooses, and keeps the recall asked for.

queries: vectors to measure with, best those that your users ask; default a sample of rows (200, of tables beyond 200,000
rows fewer, but 60 at least), each turned some way off, since an index finds its own rows more easily than anything else. Each is ranked
exactly too: some seconds per hundred thousand rows. It blocks
nobody. Run it after loading, after building an index, and when the table has doubled: explain_search says when it is stale.
Returns what was measured: of each index on a prefix or on bits too what a funnel over it finds (funnels), with warnings of those that tell little. Errors: PS001 to PS006, PS010, PS012, PS013, PS032, PS035.$$;
