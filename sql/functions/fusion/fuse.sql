CREATE FUNCTION pgsim.fuse(legs pgsim.leg[], method text = 'minmax', weights jsonb = NULL, k int = 10, rank_constant float8 = NULL)
RETURNS TABLE (key text, score float8, rank int, details jsonb)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fused record;
BEGIN
    PERFORM pgsim._check_fusion(method, rank_constant);
    PERFORM pgsim._check_legs(legs, method);
    IF k < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k is %s; it is a number of rows from 1, or NULL for all', k), HINT = 'Ask for the rows you will look at.';
    END IF;
    IF cardinality(legs) = 0 THEN
        RETURN;
    END IF;
    fused := pgsim._fuse(
        legs, method, pgsim._fusion_weights(ARRAY(SELECT l.name FROM unnest(legs) AS l), weights, method), coalesce(rank_constant, 60), k,
        -- Longer ones are no keys of an integer type.
        NOT EXISTS (SELECT FROM unnest(legs) AS l CROSS JOIN unnest(l.keys) AS n WHERE n !~ '^-?\d{1,19}$'));
    RETURN QUERY SELECT f.key, f.score, f.ordinal::int, f.details FROM unnest(fused.keys, fused.scores, fused.details) WITH ORDINALITY AS f (key, score, details, ordinal);
END
$$;
COMMENT ON FUNCTION pgsim.fuse IS
$$Fuses any number of ranked lists into one, best first: a pure function, for lists from anywhere.

legs: ARRAY[pgsim.leg('dense', keys, scores), pgsim.leg('text', keys, scores), ...]. method: minmax (relative_score is another name of
it), tmm, dbsf or rrf; docs/hybrid.md has the formulas. weights: of every leg by its name, {"dense": 0.7, "text": 0.3}; without them equal
shares that sum to 1, and for rrf 1 each. k: how many rows, NULL for all. rank_constant: of rrf, 60. A row that a leg lacks gets 0 from
that leg; an empty leg gives nothing. details: by leg, its rank and score of the row, and the share that this has in the fused score.
Ties go by key: as numbers where all keys are whole numbers, otherwise by their bytes. Errors: PS010, PS011, PS016.$$;
