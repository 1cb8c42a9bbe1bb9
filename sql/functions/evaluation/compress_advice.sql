CREATE FUNCTION pgsim.compress_advice(
    collection text, budget_bytes bigint = NULL, recall float8 = 0.99, model text = NULL, embedding text = 'default', k int = 10, queries vector[] = NULL,
    sample int = 10000, searches int = 100, seed int = 0
) RETURNS TABLE (
    rank int, kind text, dims int, element text, fits boolean, reaches boolean, mean_recall float8, bytes bigint, build_seconds float8, seconds float8, keep int, ef int, among int, statement text, reason text
)
LANGUAGE plpgsql VOLATILE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    t pgsim._target := pgsim._target(collection, compress_advice.model, compress_advice.embedding);
    begun record;
    tried record;
    best record;
    found jsonb[] := '{}';
BEGIN
    IF compress_advice.budget_bytes <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('budget_bytes is %s; it is a number of bytes from 1', compress_advice.budget_bytes), HINT = 'For instance pg_size_bytes(''200MB''). Leave it out to see all sizes.';
    END IF;
    IF compress_advice.recall IS NULL OR compress_advice.recall NOT BETWEEN 0.5 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('recall is %s; it is a share from 0.5 to 1', coalesce(compress_advice.recall::text, 'NULL')), HINT = 'Leave it out for .99.';
    END IF;
    SELECT * INTO begun FROM pgsim._trial_begin(t, compress_advice.queries, NULL, compress_advice.k, compress_advice.sample, compress_advice.searches, compress_advice.seed);
    FOR tried IN SELECT * FROM pgsim._trial_kinds(t, compress_advice.embedding, NULL, NULL) LOOP
        SELECT i.*, r.mean, r.mean >= compress_advice.recall - 1e-9 AS enough INTO best
        FROM pgsim._trial_index(t, false, tried.prefix, tried.element, compress_advice.k, compress_advice.recall) AS i
        CROSS JOIN LATERAL (SELECT avg(u) AS mean FROM unnest(i.recalls) AS u) AS r
        ORDER BY 9 DESC, CASE WHEN r.mean >= compress_advice.recall - 1e-9 THEN i.seconds ELSE -r.mean END LIMIT 1;
        found := found || jsonb_build_object(
            'kind', CASE WHEN tried.prefix = t.dim THEN tried.element WHEN tried.element = 'bit' THEN 'prefix + bit' ELSE 'prefix' END, 'dims', tried.prefix, 'element', tried.element,
            'reaches', best.enough, 'mean_recall', best.mean, 'bytes', ceil(best.bytes * begun.total / begun.rows), 'build_seconds', pgsim._build_estimate(best.build_seconds, begun.rows, begun.total),
            'seconds', best.seconds, 'keep', best.keep, 'ef', best.ef, 'existing', tried.existing, 'refusal', tried.refusal);
    END LOOP;
    among := begun.rows;
    FOR tried IN
        SELECT o.*, coalesce(o.bytes <= compress_advice.budget_bytes, true) AS fits
        FROM unnest(found) AS f
        CROSS JOIN LATERAL jsonb_to_record(f) AS o (kind text, dims int, element text, reaches boolean, mean_recall float8, bytes bigint, build_seconds float8, seconds float8, keep int, ef int, existing text, refusal text)
        ORDER BY coalesce(o.bytes <= compress_advice.budget_bytes, true) DESC, o.reaches DESC, CASE WHEN o.reaches THEN o.seconds ELSE -o.mean_recall END, o.bytes
    LOOP
        rank := coalesce(rank, 0) + 1;
        kind := tried.kind; dims := tried.dims; element := tried.element; fits := tried.fits; reaches := tried.reaches; mean_recall := tried.mean_recall; bytes := tried.bytes;
        build_seconds := tried.build_seconds; seconds := tried.seconds; keep := tried.keep; ef := tried.ef;
        statement := CASE WHEN tried.refusal IS NULL AND tried.existing IS NULL THEN format('SELECT pgsim.create_index(%L, %L%s%s%s)', t.collection, t.model, CASE WHEN compress_advice.embedding <> 'default' THEN format(', embedding => %L', compress_advice.embedding) END,
            CASE WHEN dims < t.dim THEN format(', dims => %s', dims) END, CASE WHEN element <> t.element THEN format(', element => %L', element) END) END;
        reason := concat_ws('; ',
            CASE WHEN NOT fits THEN format('larger than the budget by %s', pg_size_pretty(bytes - compress_advice.budget_bytes)) END,
            CASE WHEN NOT reaches THEN format('its recall does not reach %s', compress_advice.recall) END,
            CASE WHEN keep > compress_advice.k THEN format('%s rows are kept and ranked by the whole vector', keep) END,
            CASE WHEN among < begun.total THEN format('measured on %s of about %s rows, among which less must be kept; size and build are scaled', among, begun.total::bigint) ELSE format('measured on all %s rows', among) END,
            'it is there: ' || tried.existing, tried.refusal);
        RETURN NEXT;
    END LOOP;
    IF t.element = 'vector' THEN
        rank := NULL; kind := 'storage'; dims := t.dim; element := 'halfvec'; statement := NULL; build_seconds := NULL; seconds := NULL; keep := NULL; ef := NULL;
        mean_recall := pgsim._halfvec_recall(t, compress_advice.k);
        reaches := mean_recall >= compress_advice.recall;
        bytes := begun.total * (8 + 2 * t.dim);
        fits := coalesce(bytes <= compress_advice.budget_bytes, true);
        reason := format('the whole vectors themselves, stored as halfvec, take %s in place of %s and lose what is said here in exact search. It needs a model with element => ''halfvec'' and a version under it', pg_size_pretty(bytes), pg_size_pretty((begun.total * (8 + 4 * t.dim))::bigint));
        RETURN NEXT;
    END IF;
    PERFORM pgsim._trial_end();
END
$$;
COMMENT ON FUNCTION pgsim.compress_advice IS
$$Says which vector index finds most in a budget of bytes: whole vectors, halfvec, bits, prefixes, and bits of prefixes, each built and searched on a sample of rows.

Best first: what fits budget_bytes and reaches recall, the fastest before the others; then what fits and finds most. kind; dims; element; fits; reaches; mean_recall,
measured; bytes and build_seconds (of one process), those of the sample scaled to all rows; seconds, the median of a search; keep: how many rows are ranked by the whole vector, and hnsw.ef_search; statement, if create_index
takes it and it is not there. Last, without a rank, storage: whole vectors stored as halfvec, and the recall of an exact search of them. The sample is copied into a temporary table, and holds rows
that you may read (sample, 100 to 1000000); queries as those of pgsim.recall_by_dims. Nothing is made but that table, which is dropped.
Errors: PS001 to PS006, PS010, PS012, PS013, PS020, PS032, PS035.$$;
