CREATE FUNCTION pgsim._check_fused(
    r pgsim._search_request, h pgsim._fusion_request, legs pgsim._search_leg[], queried boolean, sparse_queried boolean, single boolean
) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- What is asked of vectors, in a search without any.
    IF num_nonnulls(r.dims, r.oversample, r.max_distance) > 0 AND NOT queried OR (r.model IS NOT NULL OR r.embedding IS DISTINCT FROM 'default') AND NOT queried AND NOT sparse_queried
       OR (r.recall IS NOT NULL OR r.mode IS DISTINCT FROM 'auto') AND NOT queried AND NOT EXISTS (SELECT FROM unnest(legs) AS g WHERE g.spec ?| '{query,sparse_query}') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'recall, mode, model, embedding, dims, oversample or max_distance is given, but no query vector that it is for', HINT = 'They say how vectors are searched: give query, or leave them out. A leg of its own has them among its properties.';
    END IF;
    IF r.after IS NOT NULL AND NOT (single AND legs[1].kind = 'dense') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'after is given, and more is ranked than distances', HINT = 'Ask for the rows up to the end of the page (k), and leave out those of the pages before.';
    END IF;
    IF h.per_group IS NULL OR h.per_group NOT BETWEEN 1 AND 10000 OR h.per_group > 1 AND r.distinct_on IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('per_group is %s%s; it is a number from 1 to 10000, of rows with one value of distinct_on', coalesce(h.per_group::text, 'NULL'), CASE WHEN r.distinct_on IS NULL THEN ', and distinct_on is not given' ELSE '' END),
            HINT = 'Name the column in distinct_on.';
    END IF;
    IF h.candidates NOT BETWEEN 1 AND 10000 OR h.candidates < r.k THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('candidates is %s, and k is %s; it is how many rows each leg gives, from k to 10000', h.candidates, r.k), HINT = 'Leave it out for 200, or twice k where that is more.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_fused IS 'Raises PS010 for arguments of a search that do not go together with the legs it has.';
