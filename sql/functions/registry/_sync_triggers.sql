CREATE FUNCTION pgsim._sync_triggers(c pgsim._collection) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    drift record;
BEGIN
    -- What stands is left alone: dropping a trigger locks readers of the table out, making one does not.
    FOR drift IN SELECT * FROM pgsim._trigger_drift(c) LOOP
        IF drift.present THEN
            EXECUTE format('DROP TRIGGER %I ON %s', drift.name, drift.relation);
        END IF;
        IF drift.definition IS NOT NULL THEN
            EXECUTE format('CREATE TRIGGER %I %s', drift.name, drift.definition);
            -- In sessions of replication, too, which other triggers pass by: a row that came unseen would lack its vector.
            IF starts_with(drift.name, 'pgsim_capture') THEN
                EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', drift.relation, drift.name);
            END IF;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._sync_triggers IS 'Brings a collection''s triggers, of change capture, of codes, of its text index and of derived versions, to what is needed now.';
