CREATE FUNCTION pgsim.sync_privileges(collection text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    version regclass;
    codes regclass;
    lapsed text[];
    text_lapsed boolean := false;
    lapsed_maps text[];
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    FOR version IN SELECT v.relation FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id
                   JOIN pg_class AS r ON r.oid = v.relation WHERE e.collection_id = c.id AND NOT v.adopted LOOP
        PERFORM pgsim._sync_version_privileges(c, version);
        PERFORM pgsim._sync_removal_trigger(version);
    END LOOP;
    FOR codes IN SELECT i.relation FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._embedding AS e ON e.id = v.embedding_id
                 JOIN pg_class AS r ON r.oid = i.relation WHERE e.collection_id = c.id AND i.method IN ('codes', 'inverted') LOOP
        PERFORM pgsim._sync_codes_privileges(c, codes);
    END LOOP;
    IF EXISTS (SELECT FROM pgsim._text AS x JOIN pg_class AS r ON r.oid = x.documents WHERE x.collection_id = c.id) THEN
        PERFORM pgsim._sync_text_privileges(c);
        text_lapsed := EXISTS (SELECT FROM pgsim._trigger_drift(c) AS d WHERE d.name LIKE '!pgsim\_text\_%' AND d.definition IS NOT NULL);
    END IF;
    SELECT array_agg(DISTINCT split_part(d.name, '_', 3)) INTO lapsed
    FROM pgsim._trigger_drift(c) AS d WHERE d.name ~ '^!pgsim_(codes|inverted)_' AND d.definition IS NOT NULL;
    SELECT array_agg(DISTINCT split_part(d.name, '_', 3)) INTO lapsed_maps
    FROM pgsim._trigger_drift(c) AS d WHERE d.name ~ '^[!~]pgsim_map_' AND d.definition IS NOT NULL;
    PERFORM pgsim._sync_triggers(c);
    IF text_lapsed AND row_security_active(c.relation) THEN
        UPDATE pgsim._text AS x SET complete = false WHERE x.collection_id = c.id;
    ELSIF text_lapsed THEN
        PERFORM pgsim._fill_text(c, pgsim._text_row(c));
    END IF;
    PERFORM pgsim._repair_mapped(pgsim._target(v.collection, v.model, v.embedding))
    FROM pgsim.versions AS v WHERE v.id::text = ANY (lapsed_maps) AND NOT row_security_active(c.relation);
    -- What was written while triggers were missing or off is not in the codes.
    UPDATE pgsim._index AS i SET complete = false WHERE i.method IN ('codes', 'inverted') AND i.id::text = ANY (lapsed) AND row_security_active(c.relation);
    PERFORM pgsim._repair_codes(pgsim._target(v.collection, v.model, v.embedding), i.relation, c.filter_columns)
    FROM pgsim._index AS i JOIN pgsim.versions AS v ON v.id = i.version_id JOIN pg_class AS r ON r.oid = i.relation
    WHERE i.method = 'codes' AND i.complete AND i.id::text = ANY (lapsed) AND NOT row_security_active(c.relation);
    PERFORM pgsim._fill_inverted(pgsim._target(v.collection, v.model, v.embedding), i.relation, true)
    FROM pgsim._index AS i JOIN pgsim.versions AS v ON v.id = i.version_id JOIN pg_class AS r ON r.oid = i.relation
    WHERE i.method = 'inverted' AND i.complete AND i.id::text = ANY (lapsed) AND NOT row_security_active(c.relation);
END
$$;
COMMENT ON FUNCTION pgsim.sync_privileges IS
$$Brings a collection's tables up to its base table, after GRANT, REVOKE, a change of owner or of row-level security, or a new partition.

Version tables (and codes, text and inverted indexes, to read) take the base table's owner, its grants (SELECT, INSERT, UPDATE, DELETE) and, under row-level security, policies that ask
the base table; change capture reaches every partition, and triggers that were disabled are enabled. pgsim.check reports what has drifted. Errors: PS001, PS006, PS032.$$;
