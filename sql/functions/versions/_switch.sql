CREATE FUNCTION pgsim._switch(embedding_id int, version_id int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- In this order, which the unique index on active versions asks for. Both are seen at once, when the transaction commits.
    UPDATE pgsim._version AS v SET state = 'ready' WHERE v.embedding_id = _switch.embedding_id AND v.state = 'active';
    UPDATE pgsim._version AS v SET state = 'active' WHERE v.id = _switch.version_id;
END
$$;
COMMENT ON FUNCTION pgsim._switch IS 'Moves the pointer: the active version becomes ready, and the other one active.';
