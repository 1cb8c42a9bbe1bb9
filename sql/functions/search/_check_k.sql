CREATE FUNCTION pgsim._check_k(k int) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF k IS NULL OR k NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k is %s; it is a number of rows from 1 to 10000', coalesce(k::text, 'NULL')), HINT = 'Ask for the rows you will look at.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_k IS 'Raises PS010 for a number of rows that a search does not give.';
