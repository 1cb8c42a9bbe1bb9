CREATE FUNCTION pgsim._sparse_index(t pgsim._target, dims int, element text, method text, predicate text, options jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT int := 1000;
    heavy bigint;
    heaviest int;
BEGIN
    IF coalesce(dims, t.dim) <> t.dim OR coalesce(element, 'sparsevec') <> 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dims is %s and element %s; an index of model %L has its %s dimensions and elements sparsevec', coalesce(dims::text, 'NULL'), coalesce(quote_literal(left(element, 80)), 'NULL'), t.model, t.dim),
            HINT = 'Leave dims and element out.';
    ELSIF method <> 'hnsw' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('method is %L; of sparse vectors it is hnsw or inverted', method),
            HINT = 'inverted is exact for any number of weights; hnsw finds most of the answer.';
    END IF;
    IF options ? 'top_weights' THEN
        RETURN 'top_' || CASE WHEN jsonb_typeof(options -> 'top_weights') = 'number' THEN options ->> 'top_weights' END;
    END IF;
    EXECUTE format('SELECT count(*), max(s.n) FROM (SELECT length(v.%1$I::text) - length(replace(v.%1$I::text, '':'', '''')) AS n FROM %2$s AS v WHERE %3$s) AS s WHERE s.n > %4$s', t.column_name, t.version, coalesce(predicate, 'true'), most)
    INTO heavy, heaviest;
    IF heavy > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010',
            MESSAGE = format('%s rows of %s have more than %s numbers that are not zero (up to %s), and pgvector''s hnsw takes no more of a sparse vector', heavy, t.version_sql, most, heaviest),
            HINT = format('Index the greatest weights of each, options => ''{"top_weights": %s}'': what they find is ranked by the whole vectors. Or take method => ''inverted'', which is exact for any number of them.', most);
    END IF;
    RETURN 'sparsevec';
END
$$;
COMMENT ON FUNCTION pgsim._sparse_index IS 'What an HNSW index of sparse vectors is made of: sparsevec, or top_ and a number, where only so many weights of each are indexed. PS010 where it cannot be made.';
