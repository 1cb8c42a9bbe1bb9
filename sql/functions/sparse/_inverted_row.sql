CREATE FUNCTION pgsim._inverted_row(t pgsim._target) RETURNS pgsim._index
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x pgsim._index;
BEGIN
    -- Bounds that are not kept would leave rows out without a word, and policies hide them.
    SELECT i.* INTO x
    FROM pgsim._index AS i JOIN pg_class AS r ON r.oid = i.relation
    JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = t.version_schema JOIN pg_index AS g ON g.indexrelid = k.oid AND g.indrelid = t.version AND g.indisvalid
    WHERE i.version_id = t.version_id AND i.method = 'inverted' AND i.complete AND NOT row_security_active(t.base) AND has_table_privilege(i.relation, 'SELECT')
      AND 3 = (SELECT count(*) FROM pg_trigger AS w WHERE w.tgrelid = t.version AND w.tgenabled IN ('O', 'A')
               AND w.tgname IN (format('!pgsim_inverted_%s_insert', i.id), format('!pgsim_inverted_%s_update', i.id), format('!pgsim_inverted_%s_truncate', i.id)));
    RETURN x;
END
$$;
COMMENT ON FUNCTION pgsim._inverted_row IS 'The inverted index that can serve a search of a version, or NULL.';
