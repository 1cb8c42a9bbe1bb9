CREATE FUNCTION pgsim._finish_inverted(t pgsim._target, id int) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    index regclass;
BEGIN
    SELECT k.oid INTO index FROM pgsim._index AS i JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = t.version_schema WHERE i.id = _finish_inverted.id;
    -- Statistics of the terms would take long to gather, and nothing reads them.
    EXECUTE format('ALTER INDEX %s ALTER COLUMN 1 SET STATISTICS 0', index);
    EXECUTE format('COMMENT ON INDEX %s IS %L', index, pgsim._index_comment(t.version_id));
    UPDATE pgsim._index AS i SET complete = true WHERE i.id = _finish_inverted.id;
    RETURN index;
END
$$;
COMMENT ON FUNCTION pgsim._finish_inverted IS 'Lets searches use an inverted index that is built; its GIN index.';
