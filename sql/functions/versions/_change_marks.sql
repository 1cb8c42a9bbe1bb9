CREATE FUNCTION pgsim._change_marks(t pgsim._target) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parts regclass[] := ARRAY(SELECT p.relid FROM pg_partition_tree(t.base) AS p UNION SELECT t.base);
    marks jsonb;
BEGIN
    -- An adopted column is written by the application, which nothing here sees. What a subscription brings passes statement triggers by. And
    -- under an older snapshot what is seen and what is counted are of two times.
    IF t.adopted OR current_setting('transaction_isolation') <> 'read committed'
       OR EXISTS (SELECT FROM pgsim._queue AS q WHERE q.version_id = -t.collection_id)
       OR EXISTS (SELECT FROM pg_subscription_rel AS s WHERE s.srrelid = ANY (parts))
       OR EXISTS (SELECT FROM pgsim._capture_triggers(pgsim._collection_row(t.collection)) AS w
                  WHERE NOT EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = w.relation AND g.tgname = w.name AND g.tgargs = w.arguments
                                    AND g.tgfoid = 'pgsim._capture'::regproc AND g.tgenabled IN ('O', 'A'))) THEN
        RETURN NULL;
    END IF;
    -- A trigger that was disabled and enabled again is another version of its row in the catalogue.
    SELECT jsonb_build_object('triggers', md5(string_agg(format('%s %s %s', g.oid, g.xmin, g.tgenabled), ',' ORDER BY g.oid))) INTO marks
    FROM pg_trigger AS g WHERE g.tgrelid = ANY (parts || t.version) AND g.tgfoid IN ('pgsim._capture'::regproc, 'pgsim._note_removal'::regproc);
    RETURN marks || jsonb_build_object(
        'parts', to_jsonb(parts::oid[]), 'file', pg_relation_filenode(t.version), 'queue', pg_relation_filenode('pgsim._queue'),
        'truncated', (SELECT s.last_value + s.is_called::int FROM pgsim._truncation AS s));
END
$$;
COMMENT ON FUNCTION pgsim._change_marks IS
    'Marks that stay as they are as long as a row that lacks its vector is in the queue, with a worker or set aside; NULL where there are none that can be trusted.';
