CREATE FUNCTION pgsim._key_parse(base regclass, operand text, key_columns text[], own boolean) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT CASE WHEN count(*) < cardinality(key_columns) THEN pgsim._no_key(base, key_columns) ELSE pg_catalog.string_agg(
        CASE WHEN cardinality(key_columns) = 1
            THEN pg_catalog.format('%s::%s AS %I', operand, pg_catalog.format_type(a.atttypid, -1), CASE WHEN own THEN 'key' ELSE k.name END)
            ELSE pg_catalog.format('(%s::jsonb ->> %L)::%s AS %I', operand, k.name, pg_catalog.format_type(a.atttypid, -1),
                        CASE WHEN own THEN pgsim._key_column(k.ordinal, cardinality(key_columns)) ELSE k.name END)
        END, ', ' ORDER BY k.ordinal) END
    FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = base AND a.attname = k.name AND NOT a.attisdropped
);
COMMENT ON FUNCTION pgsim._key_parse IS 'The reverse of _key_text: a select list that reads key columns from a key given as text.';
