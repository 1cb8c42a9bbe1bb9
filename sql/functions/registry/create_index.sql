CREATE FUNCTION pgsim.create_index(
    collection text, model text, embedding text = 'default', dims int = NULL, element text = NULL, method text = 'hnsw',
    where_filter jsonb = NULL, options jsonb = '{}'
) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s record;
    t pgsim._target;
    built regclass;
BEGIN
    PERFORM pgsim._require_registrar();
    -- One at a time for a version, so that each finds a name of its own.
    t := pgsim._target(collection, model, embedding);
    PERFORM FROM pgsim._version AS v WHERE v.id = t.version_id FOR NO KEY UPDATE;
    IF method = 'codes' THEN
        PERFORM pgsim._check_codes(t, dims, element, where_filter, options);
        RETURN pgsim._create_codes(t, true, dims, element, options);
    END IF;
    IF method = 'inverted' THEN
        RETURN pgsim._finish_inverted(t, pgsim._create_inverted(t, dims, element, where_filter, options, true));
    END IF;
    SELECT * INTO s FROM pgsim._index_statement(collection, model, embedding, dims, element, method, where_filter, options);
    EXECUTE s.statement;
    built := pgsim._register_index(s.version_id, s.name, s.full_dims, s.full_element, method, where_filter, options);
    IF NOT coalesce(options, '{}') ? 'slice' AND pgsim._wants_codes(t, dims, where_filter) THEN
        PERFORM pgsim._create_codes(t, true);
    END IF;
    RETURN built;
END
$$;
COMMENT ON FUNCTION pgsim.create_index IS
$$Builds a vector index for a version and returns it. model NULL: the active version.

method: hnsw (options m 2 to 100, ef_construction 4 to 1000), ivfflat (option lists; default by the number of rows; build it
after the rows are in) or codes: a narrow table of key, filter columns and one bit a dimension, which makes filtered searches fast; or, by dims and
element halfvec, of the first dimensions themselves, after a map of the model (option map, its name).
inverted, of sparse vectors under ip or cosine, is exact for any number of them.
The first index of the full width on a collection that declares filter columns makes codes as well. element: vector (up to 2000 dimensions), halfvec (up to 4000, half the bytes) or bit (one bit for each sign, up to 64000); default the
model's. Of sparse vectors hnsw takes up to 1000 numbers that are not zero, or the greatest of each (option top_weights, 1 to 1000). dims: index a prefix: of a model that declares prefixes one of them, of another one any. What an index on a prefix or on bits finds is ranked by the whole vectors (docs/matryoshka.md). Option slice of hnsw and ivfflat, a name: index that slice of the vectors.
where_filter: index only rows that match, for an adopted column.
Writes to the table wait while it is built; "pgsim index create" and Alembic's create_similarity_index build it CONCURRENTLY.
Errors: PS001 to PS006, PS010, PS012, PS014, PS015, PS020, PS032, PS035, PS054.$$;
