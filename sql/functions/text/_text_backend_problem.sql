CREATE FUNCTION pgsim._text_backend_problem(c pgsim._collection, t pgsim._text_backend) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN i.indexrelid IS NULL THEN format('its text index %s, of extension %s, is gone', t.index_name, t.backend)
        WHEN NOT i.indisvalid THEN format('its text index %s is invalid: its build failed or is under way', t.index_name)
        WHEN NOT EXISTS (SELECT FROM pg_ts_config AS f JOIN pg_namespace AS n ON n.oid = f.cfgnamespace WHERE format('%I.%I', n.nspname, f.cfgname) = t.text_config)
            THEN format('text search configuration %s, which its text index reads by, was renamed or dropped', t.text_config)
        WHEN NOT t.columns <@ ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attnum > 0 AND NOT a.attisdropped)
            THEN 'a column that its text index reads was renamed or dropped'
    END
    FROM (SELECT pgsim._text_backend_index(c, t) AS index_id) AS g LEFT JOIN pg_index AS i ON i.indexrelid = g.index_id;
END;
COMMENT ON FUNCTION pgsim._text_backend_problem IS 'Why searches cannot use a text index of another extension''s; NULL when they can.';
