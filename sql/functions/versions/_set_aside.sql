CREATE FUNCTION pgsim._set_aside(version_id int, key text, source_hash bytea, error text) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO pgsim._poison (version_id, key, source_hash, error)
    VALUES (_set_aside.version_id, _set_aside.key, _set_aside.source_hash, pg_catalog.left(coalesce(_set_aside.error, 'no error was told'), 2000))
    ON CONFLICT (version_id, key) DO UPDATE SET source_hash = excluded.source_hash, error = excluded.error, set_aside_at = excluded.set_aside_at;
END;
COMMENT ON FUNCTION pgsim._set_aside IS 'Sets a row aside that cannot be embedded, with the hash of its text and what went wrong.';
