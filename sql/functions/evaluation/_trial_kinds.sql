CREATE FUNCTION pgsim._trial_kinds(t pgsim._target, embedding text, dims int[], elements text[])
RETURNS TABLE (prefix int, element text, existing text, refusal text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Without a ladder: a sixth, a third and a half, in whole eights.
    lengths int[] := coalesce(_trial_kinds.dims, CASE WHEN t.dim > ANY (t.matryoshka) THEN t.matryoshka END, ARRAY(SELECT greatest(8, (t.dim * part / 8)::int * 8) FROM unnest('{0.1667,0.3333,0.5}'::float8[]) AS part)) || CASE WHEN _trial_kinds.dims IS NULL THEN ARRAY[t.dim] END;
    wanted text[] := coalesce(_trial_kinds.elements, '{vector,halfvec,bit}');
    wrong text := (SELECT min(d)::text FROM unnest(lengths) AS d WHERE d NOT BETWEEN 1 AND t.dim);
BEGIN
    IF cardinality(lengths) = 0 OR _trial_kinds.dims IS NOT NULL AND (wrong IS NOT NULL OR array_ndims(lengths) > 1 OR EXISTS (SELECT FROM unnest(lengths) AS d WHERE d IS NULL) OR cardinality(lengths) > 50) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dims is %s; each is a length from 1 to %s, the width of model %L', left(_trial_kinds.dims::text, 80), t.dim, t.model), HINT = 'Leave it out for the ladder of the model, or a sixth, a third, a half and the whole.';
    END IF;
    IF NOT wanted <@ '{vector,halfvec,bit}' OR cardinality(wanted) = 0 OR array_ndims(wanted) > 1 OR EXISTS (SELECT FROM unnest(wanted) AS e WHERE e IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('elements is %s; known are vector, halfvec and bit', left(wanted::text, 80)), HINT = 'Leave it out for all three.';
    END IF;
    FOR prefix, element IN
        SELECT DISTINCT d, e FROM unnest(lengths) AS d CROSS JOIN unnest(wanted) AS e
        WHERE d <= CASE e WHEN 'vector' THEN 2000 WHEN 'halfvec' THEN 4000 ELSE 64000 END AND d BETWEEN 1 AND t.dim
          -- A prefix is followed by the whole vector anyway, so half the bytes will do; and nothing has more elements than are stored.
          AND (e <> 'vector' OR (d = t.dim OR _trial_kinds.elements IS NOT NULL) AND t.element = 'vector')
        ORDER BY 1, 2
    LOOP
        existing := (SELECT i.name FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'hnsw' AND NOT i.options ? 'slice' AND i.dims = prefix AND i.element = element AND i.where_filter IS NULL LIMIT 1);
        refusal := NULL;
        BEGIN
            PERFORM pgsim._index_statement(t.collection, t.model, _trial_kinds.embedding, prefix, element, 'hnsw', NULL, '{}');
        EXCEPTION
            WHEN SQLSTATE 'PS010' THEN
                refusal := SQLERRM;
            -- That is said of the role, and not of the index.
            WHEN SQLSTATE 'PS032' THEN
                NULL;
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._trial_kinds IS 'The indexes that are tried: prefix length and element; the name of one that is there already; and what create_index says against it.';
