CREATE FUNCTION pgsim.next_batch(collection text, model text = NULL, embedding text = 'default', size int = 64, lease interval = '15 minutes')
RETURNS TABLE (key text, source text, source_hash bytea, batch bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        RETURN QUERY SELECT * FROM pgsim.next_batch(collection, (pgsim._followed(t)).model, embedding, size, lease);
        RETURN;
    END IF;
    PERFORM pgsim._check_backfill(t, embedding);
    IF size IS NULL OR size NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('size is %s; a batch has 1 to 10000 rows', coalesce(size::text, 'NULL')), HINT = 'Take what the embedder takes in one call.';
    END IF;
    IF lease IS NULL OR lease NOT BETWEEN '1 second' AND '7 days' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('lease is %s; a batch is lent for 1 second to 7 days', coalesce(lease::text, 'NULL')), HINT = 'Take what embedding and storing a batch takes at the most.';
    END IF;
    RETURN QUERY SELECT b.key, b.source, b.source_hash, b.batch FROM pgsim._take_batch(t, size, lease, NULL) AS b;
END
$$;
COMMENT ON FUNCTION pgsim.next_batch IS
$$Takes up to size rows that wait to be embedded out of the queue, and returns their keys, texts, the texts' hashes, and the batch they are.

Commit, embed the texts, and store them with pgsim.upsert(..., source_hashes => ..., skip_absent => true), then call
pgsim.finish_batch(batch) in the same transaction. When that does not happen within lease, the rows are in the queue again. Workers do not
meet: what one has taken, others pass over. Rows whose text is what their vector was made from, whose text is gone, or that were deleted
are settled here. No rows: nothing waits that no worker has taken, or the backfill is paused. model NULL: the active version.
Errors: PS001 to PS006, PS010, PS032, PS035.$$;
