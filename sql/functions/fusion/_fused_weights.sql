CREATE FUNCTION pgsim._fused_weights(
    c pgsim._collection, legs pgsim._search_leg[], h pgsim._fusion_request,
    OUT fusion pgsim._fusion, OUT method text, OUT weights float8[], OUT rank_constant float8
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    names text[] := ARRAY(SELECT g.name FROM unnest(legs) AS g);
BEGIN
    IF h.fusion IS NULL OR h.fusion = ANY (pgsim._fusion_methods()) THEN
        method := coalesce(h.fusion, 'minmax');
        weights := pgsim._fusion_weights(names, h.weights, method, '{dense,text,sparse}');
    ELSE
        fusion := pgsim._fusion_row(c, h.fusion);
        method := fusion.method;
        weights := CASE WHEN h.weights IS NULL THEN pgsim._fusion_weights(names, fusion.weights, method, ARRAY(SELECT n FROM jsonb_object_keys(fusion.weights) AS n))
                        ELSE pgsim._fusion_weights(names, h.weights, method, '{dense,text,sparse}') END;
        IF h.weights IS NULL AND NOT EXISTS (SELECT FROM unnest(legs, weights) AS g (name, kind, spec, none, weight) WHERE g.kind <> 'prior' AND g.weight > 0) THEN
            -- What it was made for is not in this call, and what is must not go unanswered.
            weights := pgsim._fusion_weights(names, NULL, method);
        END IF;
    END IF;
    rank_constant := coalesce(h.rank_constant, fusion.rank_constant);
    PERFORM pgsim._check_fusion(method, rank_constant);
    rank_constant := coalesce(rank_constant, 60);
END
$$;
COMMENT ON FUNCTION pgsim._fused_weights IS 'How a call fuses its legs: by a method or by a fusion kept under a name, with a weight for each leg.';
