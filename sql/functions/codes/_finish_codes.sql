CREATE FUNCTION pgsim._finish_codes(version_id int, place text = 'serving') RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    of record;
    i pgsim._index;
BEGIN
    PERFORM pgsim._require_registrar();
    SELECT s.* INTO i FROM pgsim._index AS s WHERE s.version_id = _finish_codes.version_id AND s.method = 'codes' AND s.place = _finish_codes.place FOR UPDATE;
    SELECT v.collection, v.model, v.embedding INTO of FROM pgsim.versions AS v WHERE v.id = _finish_codes.version_id;
    t := pgsim._target(of.collection, of.model, of.embedding);
    PERFORM pgsim._require_owner(t.base);
    IF NOT pgsim._codes_kept(t.base, t.version_id, pgsim._codes_columns(t.key_columns, (pgsim._collection_row(of.collection)).filter_columns), place) THEN
        -- Writers wait until this transaction ends, so it ends with this.
        PERFORM pgsim._sync_triggers(pgsim._collection_row(of.collection));
        RETURN false;
    END IF;
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._repair_codes(t, i.relation, (pgsim._collection_row(of.collection)).filter_columns);
    -- Margins of another kind say nothing of this one.
    UPDATE pgsim._calibration AS k SET margins = NULL, code_row = NULL WHERE i.place = 'beside' AND k.version_id = i.version_id;
    PERFORM pgsim._calibrate_margins(t, i.dims, i.element, i.map_id);
    -- Those whose place they take are there for whoever reads them still, and are kept; a search that begins from here on reads the new ones.
    UPDATE pgsim._index AS s SET complete = false, place = 'leaving' WHERE i.place = 'beside' AND s.version_id = i.version_id AND s.method = 'codes' AND s.place = 'serving';
    UPDATE pgsim._index AS s SET complete = true, place = 'serving' WHERE s.id = i.id;
    RETURN true;
END
$$;
COMMENT ON FUNCTION pgsim._finish_codes IS 'The last steps of codes that were filled while rows changed, a transaction each: the triggers are made, and it is to be called again (false); what changed meanwhile is repaired, margins are measured, and searches may use them (true). What was made beside others takes their place then.';
