CREATE FUNCTION pgsim._noted_keys(version_id int) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT (SELECT coalesce(sum(cardinality(q.keys)), 0) FROM pgsim._queue AS q WHERE q.version_id = _noted_keys.version_id AND q.operation <> 'delete')
         + (SELECT coalesce(sum(cardinality(b.keys)), 0) FROM pgsim._batch AS b WHERE b.version_id = _noted_keys.version_id)
         + (SELECT count(*) FROM pgsim._poison AS p WHERE p.version_id = _noted_keys.version_id);
END;
COMMENT ON FUNCTION pgsim._noted_keys IS 'How many keys of a version are queued, with a worker, or set aside; some may be there twice.';
