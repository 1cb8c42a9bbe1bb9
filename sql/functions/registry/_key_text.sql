CREATE FUNCTION pgsim._key_text(base regclass, prefix text, key_columns text[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT CASE WHEN count(*) < cardinality(key_columns) THEN pgsim._no_key(base, key_columns)
                WHEN cardinality(key_columns) = 1 THEN pg_catalog.min(c.value || '::text')
                ELSE 'pg_catalog.jsonb_build_object(' || pg_catalog.string_agg(pg_catalog.format('%L, %s', c.name, c.value), ', ' ORDER BY c.ordinal) || ')::text' END
    FROM (
        -- A cast of an enum may be a function of its owner's, which change capture must not run; concat asks the type itself.
        SELECT k.name, k.ordinal, pg_catalog.format(CASE t.typtype WHEN 'e' THEN 'pg_catalog.concat(%s%I)' ELSE '%s%I' END, prefix, k.name) AS value
        FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = base AND a.attname = k.name AND NOT a.attisdropped
        JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    ) AS c
);
COMMENT ON FUNCTION pgsim._key_text IS
    'The expression that gives a row''s key as text: the key itself, or a JSON object of a composite key. prefix is what stands before a column: an alias and a dot.';
