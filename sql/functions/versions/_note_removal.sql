CREATE FUNCTION pgsim._note_removal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
SET intervalstyle = 'postgres'
SET extra_float_digits = 1
AS $$
DECLARE
    live record;
BEGIN
    -- A sequence waits for nobody, and whoever looks sees it move at once.
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM nextval('pgsim._truncation');
        RETURN NULL;
    END IF;
    SELECT v.id, v.follows, c.key_columns INTO live
    FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS c ON c.id = e.collection_id
    WHERE v.relation = TG_RELID AND v.state <> 'retired' AND e.source_columns <> '{}';
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF live.follows IS NOT NULL THEN
        PERFORM nextval('pgsim._queue_id_seq');
        RETURN NULL;
    END IF;
    -- Most vectors go with their rows. Whether these are there still is not looked up: that would plan a query over a table of the user's as the owner of pgsim.
    EXECUTE format(
        'INSERT INTO pgsim._queue (version_id, operation, keys) '
        'SELECT $1, ''removed'', s.keys[i : i + 1999] '
        'FROM (SELECT array_agg(%s) AS keys FROM pgsim_rows AS r) AS s, generate_series(1, cardinality(s.keys), 2000) AS i',
        pgsim._own_key_text(TG_RELID, 'r.', live.key_columns))
    USING live.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._note_removal IS
    'Trigger: notes in the queue whose vectors went from a version table, so that it is not taken for whole because it once was, and that rows which are there still get others. Of a cascade it fires once a statement.';
REVOKE ALL ON FUNCTION pgsim._note_removal FROM PUBLIC;
