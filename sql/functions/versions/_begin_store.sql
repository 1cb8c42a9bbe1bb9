CREATE FUNCTION pgsim._begin_store() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('pg_temp.pgsim_vectors') IS NOT NULL THEN
        -- Only inside a transaction of the caller's are there rows left.
        EXECUTE 'DELETE FROM pg_temp.pgsim_vectors';
        RETURN;
    END IF;
    EXECUTE format('CREATE TEMPORARY TABLE pgsim_vectors (key text NOT NULL, source_hash bytea NOT NULL, embedding %s.vector NOT NULL) ON COMMIT DELETE ROWS', pgsim._vector_schema());
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not make temporary tables in database %I, through which a worker stores its vectors', current_user, current_database()),
            HINT = format('GRANT TEMPORARY ON DATABASE %I TO %I.', current_database(), current_user);
END
$$;
COMMENT ON FUNCTION pgsim._begin_store IS 'Makes the temporary table that a worker copies its vectors into, once a session.';
