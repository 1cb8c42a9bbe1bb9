CREATE FUNCTION pgsim._after_condition(t pgsim._target, distance text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last_key text := '(($1 -> ''$after'') ->> ''key'')';
    last_distance text := '(($1 -> ''$after'') ->> ''distance'')::float8';
    condition text := 'false';
    key_value text;
BEGIN
    FOR i IN REVERSE cardinality(t.key_columns) .. 1 LOOP
        SELECT format('%s::%s', CASE cardinality(t.key_columns) WHEN 1 THEN last_key ELSE format('(%s::jsonb ->> %L)', last_key, t.key_columns[i]) END,
                      format_type(a.atttypid, a.atttypmod))
        INTO key_value FROM pg_attribute AS a WHERE a.attrelid = t.base AND a.attname = t.key_columns[i] AND NOT a.attisdropped;
        condition := format('(k_%1$s OPERATOR(pg_catalog.>) %2$s OR k_%1$s OPERATOR(pg_catalog.=) %2$s AND %3$s)', i, key_value, condition);
    END LOOP;
    RETURN format('(%1$s > %2$s OR %1$s = %2$s AND %3$s)', distance, last_distance, condition);
END
$$;
COMMENT ON FUNCTION pgsim._after_condition IS 'The condition that a row comes after the last one of the page before, which $1 holds under $after: by distance, and at one distance by key.';
