CREATE FUNCTION pgsim._advise_plans(
    t pgsim._target, embedding text, OUT plans pgsim._search_plan[], OUT searches float8[], OUT known boolean[], OUT stand_in boolean[], OUT seconds float8[], OUT recorded boolean
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w record;
    p pgsim._search_plan;
BEGIN
    plans := '{}';
    searches := '{}';
    known := '{}';
    stand_in := '{}';
    seconds := '{}';
    recorded := false;
    FOR w IN SELECT * FROM pgsim._advise_workload(t) LOOP
        -- Whoever may search can write a line of the log, and columns come and go: what cannot be planned is passed over.
        BEGIN
            p := pgsim._plan_search(ROW(t.collection, w.k, w.filter, t.model, embedding, w.recall, 'auto', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request);
        EXCEPTION WHEN OTHERS THEN
            CONTINUE;
        END;
        recorded := w.recorded;
        plans := plans || p;
        searches := searches || w.searches;
        known := known || (w.known OR NOT w.recorded);
        stand_in := stand_in || w.stand_in;
        seconds := seconds || (p.costs ->> CASE WHEN p.strategy IN ('exact', 'codes') THEN p.strategy ELSE 'ann' END)::float8;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise_plans IS
    'The plans of the searches that advice is given for, how often each came, whether its values are known or are guesses, whether it stands for many, and the seconds that it is expected to take. recorded: they come from the log.';
