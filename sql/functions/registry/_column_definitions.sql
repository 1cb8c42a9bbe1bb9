CREATE FUNCTION pgsim._column_definitions(base regclass, columns text[], names text[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN count(*) < cardinality(columns) THEN pgsim._no_key(base, columns) ELSE string_agg(format('%I %s%s', k.name, format_type(a.atttypid, a.atttypmod),
                             CASE WHEN a.attcollation <> t.typcollation THEN format(' COLLATE %I.%I', n.nspname, o.collname) ELSE '' END),
                      ', ' ORDER BY k.ordinal) END
    FROM unnest(columns, names) WITH ORDINALITY AS k (column_name, name, ordinal)
    JOIN pg_attribute AS a ON a.attrelid = base AND a.attname = k.column_name AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_collation AS o ON o.oid = a.attcollation
    LEFT JOIN pg_namespace AS n ON n.oid = o.collnamespace;
END;
COMMENT ON FUNCTION pgsim._column_definitions IS 'Columns of a base table as another table declares them, under names of its own: same types, same collations.';
