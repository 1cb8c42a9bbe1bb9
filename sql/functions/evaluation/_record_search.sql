CREATE FUNCTION pgsim._record_search(
    collection_id int, version_id int, shape text, filter jsonb, k int, recall_asked float8, strategy text, estimated float8, matches float8,
    returned int, seconds float8, exact_seconds float8, recall float8, keys text[] = NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean OR current_setting('pgsim.recording', true) = 'off' THEN
        RETURN;
    END IF;
    -- Whoever may search may call this. So it keeps what the registrar asked for and no more, and bounds what a line can hold.
    INSERT INTO pgsim._search_log (collection_id, version_id, at, shape, filter, k, recall_asked, strategy, estimated, matches, returned, seconds, exact_seconds, recall, keys)
    SELECT c.id, v.id, clock_timestamp(), left(coalesce(_record_search.shape, ''), 2000),
           CASE WHEN c.record_values AND pg_column_size(_record_search.filter) <= 8192 THEN _record_search.filter END,
           _record_search.k, coalesce(_record_search.recall_asked, 0.95), left(_record_search.strategy, 40), _record_search.estimated, _record_search.matches,
           _record_search.returned, _record_search.seconds, _record_search.exact_seconds, _record_search.recall,
           CASE WHEN pg_column_size(_record_search.keys[1 : 100]) <= 8192 THEN _record_search.keys[1 : 100] END
    FROM pgsim._collection AS c
    JOIN pgsim._embedding AS e ON e.collection_id = c.id
    JOIN pgsim._version AS v ON v.embedding_id = e.id
    WHERE c.id = _record_search.collection_id AND v.id = _record_search.version_id AND greatest(c.record_share, c.audit_share) > 0;
END
$$;
COMMENT ON FUNCTION pgsim._record_search IS
    'Notes a search down, where the collection''s searches are recorded; nothing in a read-only transaction or on a standby, or under the setting pgsim.recording = off, as pgsim.recall has it. The log is nobody''s to read but the registrar''s, so it runs with the registrar''s rights.';
