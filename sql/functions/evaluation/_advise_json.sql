CREATE FUNCTION pgsim._advise_json(type text, item text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN type IN ('smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision')
                THEN CASE WHEN item ~ '^-?\d+(\.\d+)?(e[-+]?\d+)?$' THEN pg_catalog.to_jsonb(item::numeric) END
            WHEN type = 'boolean' THEN pg_catalog.to_jsonb(item::boolean)
            ELSE pg_catalog.to_jsonb(item) END;
COMMENT ON FUNCTION pgsim._advise_json IS 'A value from the planner''s statistics as a filter writes it; NULL where no filter can, as of infinity.';
