CREATE FUNCTION pgsim._changed_condition(columns text[], relation regclass = NULL) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    -- Images of the values are compared, so types without an equality (json, xml) do as well. The function and not its operator
    -- *<>, which pg_dump writes in a form that cannot be read back. Making rows of the values costs every update of any column, so types
    -- whose equal values have equal images (of the relation, where that is given) are compared as they are, the cheapest first.
    SELECT '(' || pg_catalog.string_agg(
        CASE s.kind
            WHEN 1 THEN pg_catalog.format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', s.name)
            -- A text that is stored out of line and in the same place is the same, and is not read: of long texts that is most of the time.
            WHEN 2 THEN pg_catalog.format(CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 170000
                            THEN '(pg_catalog.pg_column_toast_chunk_id(OLD.%1$I) OPERATOR(pg_catalog.=) pg_catalog.pg_column_toast_chunk_id(NEW.%1$I)) IS NOT TRUE AND ' ELSE '' END
                            || 'OLD.%1$I COLLATE pg_catalog."C" IS DISTINCT FROM NEW.%1$I COLLATE pg_catalog."C"', s.name)
            ELSE s.images END, ' OR ' ORDER BY s.kind, s.ordinal) || ')'
    FROM (
        SELECT k.kind, k.name, k.ordinal,
               pg_catalog.format('pg_catalog.record_image_ne(ROW(%s), ROW(%s))',
                                 pg_catalog.string_agg(pg_catalog.format('OLD.%I', k.name), ', ') OVER same,
                                 pg_catalog.string_agg(pg_catalog.format('NEW.%I', k.name), ', ') OVER same) AS images,
               pg_catalog.row_number() OVER same AS place
        FROM (
            SELECT c.name, c.ordinal, CASE WHEN a.atttypid IN ('boolean'::regtype, 'smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'uuid'::regtype,
                                                               'date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) THEN 1
                                           WHEN a.atttypid IN ('text'::regtype, 'varchar'::regtype) THEN 2 ELSE 3 END AS kind
            FROM pg_catalog.unnest(columns) WITH ORDINALITY AS c (name, ordinal)
            LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = relation AND a.attname = c.name AND a.attnum > 0 AND NOT a.attisdropped
        ) AS k
        WINDOW same AS (PARTITION BY k.kind ORDER BY k.ordinal ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ) AS s
    WHERE s.kind < 3 OR s.place = 1
);
COMMENT ON FUNCTION pgsim._changed_condition IS 'A trigger''s condition: one of the columns has changed, byte for byte.';
