CREATE FUNCTION pgsim._trigger_drift(c pgsim._collection) RETURNS TABLE (relation regclass, name text, present boolean, definition text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
        SELECT coalesce(w.relation, t.tgrelid), coalesce(w.name, t.tgname), t.tgname IS NOT NULL, w.definition
        FROM (SELECT * FROM pgsim._capture_triggers(c) UNION ALL SELECT * FROM pgsim._codes_triggers(c)
              UNION ALL SELECT * FROM pgsim._text_triggers(c) UNION ALL SELECT * FROM pgsim._inverted_triggers(c)
              UNION ALL SELECT * FROM pgsim._map_triggers(c)) AS w
        FULL JOIN (
            SELECT g.tgrelid, g.tgname::text, g.tgenabled, g.tgargs FROM pg_trigger AS g
            WHERE g.tgfoid IN ('pgsim._capture'::regproc, 'pgsim._keep_codes'::regproc, 'pgsim._keep_text'::regproc, 'pgsim._keep_inverted'::regproc, 'pgsim._keep_mapped'::regproc) AND g.tgparentid = 0 AND position(convert_to(c.id::text, 'UTF8') || '\x00' IN g.tgargs) = 1
        ) AS t ON t.tgrelid = w.relation AND t.tgname = w.name
        WHERE w.name IS NULL OR t.tgname IS NULL OR t.tgargs <> w.arguments OR t.tgenabled NOT IN ('O', 'A')
        ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION pgsim._trigger_drift IS
    'Triggers of change capture, of codes, of text and of inverted indexes, and of derived versions that are missing, disabled or watch other columns than they should (definition says how they should be), and those that should not be there (definition is NULL).';
