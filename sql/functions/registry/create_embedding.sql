CREATE FUNCTION pgsim.create_embedding(collection text, name text, source_columns text[]) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._check_name('embedding', name);
    source_columns := coalesce(source_columns, '{}');
    PERFORM pgsim._check_columns(c.relation, 'source_columns', source_columns);
    BEGIN
        INSERT INTO pgsim._embedding (collection_id, name, source_columns)
        VALUES (c.id, create_embedding.name, create_embedding.source_columns);
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('collection %L has an embedding %L already', collection, name),
            HINT = 'Use it, or take another name.';
    END;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim.create_embedding IS
$$Declares another named vector of a collection (title, image, an aspect) and returns its name.

source_columns: the columns its text comes from; empty when you make the vectors yourself. The embedding named default
exists from the start. Errors: PS001, PS005, PS006, PS011, PS020, PS032.$$;
