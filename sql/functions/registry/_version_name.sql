CREATE FUNCTION pgsim._version_name(collection text, embedding text, model text, version_id int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.format('%s_%s', pg_catalog.left(pg_catalog.btrim(pg_catalog.regexp_replace(pg_catalog.lower(
    pg_catalog.format('%s_%s_%s', collection, nullif(embedding, 'default'), model)), '[^a-z0-9]+', '_', 'g'), '_'), 45), version_id);
COMMENT ON FUNCTION pgsim._version_name IS 'The name of a version''s table in pgsim_data: told apart by the version''s id, the rest for people to read.';
