CREATE FUNCTION pgsim.create_fusion(
    collection text, name text, method text = 'minmax', weights jsonb = '{"dense": 0.5, "text": 0.5}', rank_constant float8 = NULL, candidates int = NULL,
    report jsonb = '{}', "replace" boolean = false
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._check_name('fusion', name);
    IF name = ANY (pgsim._fusion_methods()) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS011', MESSAGE = format('fusion name %L is a method''s', name), HINT = 'Take another name; a method needs no fusion of its name.';
    END IF;
    PERFORM pgsim._check_fusion(method, rank_constant);
    IF weights IS NULL OR jsonb_typeof(weights) <> 'object' OR weights = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights is %s, not an object of numbers', coalesce(left(weights::text, 200), 'NULL')),
            HINT = 'Name each leg: weights => ''{"dense": 0.7, "text": 0.3}''.';
    END IF;
    PERFORM pgsim._fusion_weights(ARRAY(SELECT n FROM jsonb_object_keys(weights) AS n), weights, method);
    IF NOT EXISTS (SELECT FROM jsonb_each(weights) AS w WHERE w.value > '0') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights is %s, which leaves every leg out', weights), HINT = 'Give one leg a weight above 0.';
    END IF;
    IF candidates NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('candidates is %s; it is a number of rows from 1 to 10000', candidates), HINT = 'Leave it out for 200, or twice k where that is more.';
    END IF;
    INSERT INTO pgsim._fusion (collection_id, name, method, weights, rank_constant, candidates, report)
    VALUES (c.id, create_fusion.name, create_fusion.method, create_fusion.weights, create_fusion.rank_constant, create_fusion.candidates, coalesce(create_fusion.report, '{}'))
    ON CONFLICT ON CONSTRAINT _fusion_collection_id_name_key DO UPDATE
        SET method = excluded.method, weights = excluded.weights, rank_constant = excluded.rank_constant, candidates = excluded.candidates, report = excluded.report, created_at = excluded.created_at
        WHERE create_fusion."replace";
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('collection %L has a fusion %L already', collection, name), HINT = 'Give "replace" => true, or take another name.';
    END IF;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim.create_fusion IS
$$Keeps a fusion under a name, which searches of the collection give as fusion => 'name'; returns the name.

method: minmax, relative_score, tmm, dbsf or rrf. weights: of every leg by its name; 0 leaves a leg out, and it is not even searched.
rank_constant: of rrf. candidates: how many rows each leg gives. report: why it is so, for the view pgsim.fusions; `pgsim tune fusion`
puts there what it measured. "replace": put it in the place of one of that name. Errors: PS001, PS006, PS010, PS011, PS020, PS032.$$;
