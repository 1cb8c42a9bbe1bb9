CREATE FUNCTION pgsim._check_text_backend(c pgsim._collection, backend text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF backend = 'pgsim' THEN
        RETURN;
    ELSIF backend IN ('pg_search', 'vchord_bm25') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend %s is not supported yet; supported are pgsim and pg_textsearch', backend),
            HINT = 'Leave backend out for the text index that pgsim keeps itself, which needs no extension.';
    ELSIF backend IS DISTINCT FROM 'pg_textsearch' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend is %s; supported are pgsim and pg_textsearch', coalesce(quote_literal(left(backend, 80)), 'NULL')),
            HINT = 'Leave it out for the text index that pgsim keeps itself, which needs no extension.';
    ELSIF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = backend) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('backend %s needs the extension of that name, which database %I has not', backend, current_database()),
            HINT = CASE WHEN EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = backend)
                        THEN 'Have an administrator run CREATE EXTENSION pg_textsearch, with pg_textsearch in shared_preload_libraries; or leave backend out.'
                        ELSE 'The server has no such extension to create: have it installed, or leave backend out for the text index that pgsim keeps itself.' END;
    END IF;
    PERFORM pgsim._require_text_backend(backend);
    IF EXISTS (SELECT FROM pg_partitioned_table AS p WHERE p.partrelid = c.relation) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is partitioned, and backend %s scores each partition by the words of that partition alone', c.relation, backend),
            HINT = 'Leave backend out: the text index that pgsim keeps itself counts all partitions together.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_text_backend IS 'Raises PS010 for a backend of text searches that pgsim does not support for a collection, and PS035 for one whose extension is not there.';
