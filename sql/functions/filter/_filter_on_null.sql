CREATE FUNCTION pgsim._filter_on_null(condition jsonb, depth int = 1) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    operator record;
    truth boolean := true;
BEGIN
    IF jsonb_typeof(condition) <> 'object' THEN
        RETURN CASE WHEN condition = 'null' THEN true END;
    ELSIF depth > 32 THEN
        RETURN NULL;
    END IF;
    FOR operator IN SELECT e.key, e.value FROM jsonb_each(condition) AS e LOOP
        truth := truth AND CASE operator.key
            WHEN '$exists' THEN operator.value = 'false'
            WHEN '$eq' THEN CASE WHEN operator.value = 'null' THEN true END
            WHEN '$ne' THEN CASE WHEN operator.value = 'null' THEN false END
            WHEN '$in' THEN CASE WHEN operator.value @> '[null]' THEN true WHEN operator.value = '[]' THEN false END
            WHEN '$nin' THEN CASE WHEN operator.value @> '[null]' THEN false WHEN operator.value = '[]' THEN true END
            WHEN '$not' THEN NOT pgsim._filter_on_null(operator.value, depth + 1)
        END;
    END LOOP;
    RETURN truth;
END
$$;
COMMENT ON FUNCTION pgsim._filter_on_null IS 'Whether a column without a value meets a condition: true, false, or NULL when it is unknown.';
