CREATE FUNCTION pgsim._codes_definitions(base regclass, columns text[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- The type under a domain: a row of codes may be there before its filter columns are, and no check of a domain is to see it.
    WITH RECURSIVE under AS (
        SELECT k.ordinal, k.name, a.atttypid AS type, a.atttypmod AS modifier, a.attcollation
        FROM unnest(columns) WITH ORDINALITY AS k (name, ordinal) JOIN pg_attribute AS a ON a.attrelid = base AND a.attname = k.name AND NOT a.attisdropped
        UNION ALL
        SELECT u.ordinal, u.name, t.typbasetype, t.typtypmod, u.attcollation FROM under AS u JOIN pg_type AS t ON t.oid = u.type AND t.typtype = 'd'
    )
    SELECT string_agg(format('%I %s%s', u.name, format_type(u.type, u.modifier),
                             CASE WHEN u.attcollation <> t.typcollation THEN format(' COLLATE %I.%I', n.nspname, o.collname) ELSE '' END),
                      ', ' ORDER BY u.ordinal)
    FROM under AS u JOIN pg_type AS t ON t.oid = u.type AND t.typtype <> 'd'
    LEFT JOIN pg_collation AS o ON o.oid = u.attcollation
    LEFT JOIN pg_namespace AS n ON n.oid = o.collnamespace;
END;
COMMENT ON FUNCTION pgsim._codes_definitions IS 'Columns of a base table as its codes declare them: same types, but what lies under a domain, and same collations.';
