CREATE FUNCTION pgsim._versions_given(r pgsim._search_request, queries jsonb, target text) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    models text[];
    wrong text;
BEGIN
    IF queries IS NULL OR jsonb_typeof(queries) <> 'object' OR (SELECT count(*) FROM jsonb_object_keys(queries)) NOT BETWEEN 1 AND 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('queries is %s; it is an object of one or two models, each with the query''s vector by it', coalesce(left(queries::text, 120), 'NULL')),
            HINT = 'For instance: {"old": [0.1, 0.2], "new": [0.3, 0.4, 0.5]}. Rows move from one version to another; search others by themselves.';
    END IF;
    FOR wrong IN SELECT q.key FROM jsonb_each(queries) AS q LOOP
        PERFORM pgsim._target(r.collection, wrong, r.embedding);
        IF jsonb_typeof(queries -> wrong) NOT IN ('array', 'string') THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the query of model %L is %s, not a vector', wrong, left((queries -> wrong)::text, 80)), HINT = 'Give an array of numbers.';
        END IF;
        BEGIN
            PERFORM pgsim._vector_of(queries ->> wrong);
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('the query of model %L is no vector: %s', wrong, SQLERRM), HINT = 'Give an array of finite numbers.';
        END;
    END LOOP;
    IF target IS NOT NULL AND NOT queries ? target THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('target is %L, of which queries has no vector', left(target, 80)), HINT = 'Name one of the models in queries; by default it is that of the younger version.';
    END IF;
    SELECT array_agg(v.model ORDER BY v.model IS NOT DISTINCT FROM target DESC, v.id DESC) INTO models
    FROM pgsim.versions AS v WHERE v.collection = r.collection AND v.embedding = r.embedding AND queries ? v.model;
    RETURN models;
END
$$;
COMMENT ON FUNCTION pgsim._versions_given IS 'The models whose versions are searched at once, the one that rows move to first. Raises PS010 or PS013 for queries that are not a vector of each.';
