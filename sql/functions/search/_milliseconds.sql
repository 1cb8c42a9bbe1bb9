CREATE FUNCTION pgsim._milliseconds(seconds float8) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN seconds < 'Infinity' THEN pg_catalog.round((seconds * 1e3)::numeric, 2)::text ELSE 'no' END;
COMMENT ON FUNCTION pgsim._milliseconds IS 'A time as explain_search words it.';
