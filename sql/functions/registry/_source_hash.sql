CREATE FUNCTION pgsim._source_hash(source text) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
-- convert_to is STABLE, and this is inlined only as long as it does not claim more.
RETURN pg_catalog.sha256(pg_catalog.convert_to(source, 'UTF8'));
COMMENT ON FUNCTION pgsim._source_hash IS 'The hash by which a source text is known to have changed (SHA-256 of its UTF-8 form).';
