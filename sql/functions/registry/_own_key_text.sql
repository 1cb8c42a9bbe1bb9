CREATE FUNCTION pgsim._own_key_text(version regclass, prefix text, key_columns text[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT CASE WHEN cardinality(key_columns) = 1 THEN pg_catalog.min(c.value || '::text')
                ELSE 'pg_catalog.jsonb_build_object(' || pg_catalog.string_agg(pg_catalog.format('%L, %s', c.name, c.value), ', ' ORDER BY c.ordinal) || ')::text' END
    FROM (
        SELECT k.name, k.ordinal, pg_catalog.format(CASE t.typtype WHEN 'e' THEN 'pg_catalog.concat(%s%I)' ELSE '%s%I' END, prefix, a.attname) AS value
        FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = version AND a.attname = pgsim._key_column(k.ordinal, cardinality(key_columns)) AND NOT a.attisdropped
        JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    ) AS c
);
COMMENT ON FUNCTION pgsim._own_key_text IS 'The expression that gives the key of a row of a version table as _key_text gives it of the base table''s.';
