CREATE FUNCTION pgsim._store_calibration(collection text, model text, embedding text, parts jsonb[]) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    c pgsim._calibration;
    costs jsonb := '{}';
    part jsonb;
    rows float8;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    rows := CASE WHEN t.rows < 0 THEN pgsim._rows_estimate(t.base) ELSE t.rows END;
    FOREACH part IN ARRAY parts LOOP
        costs := costs || (part - 'index' - 'funnels');
    END LOOP;
    INSERT INTO pgsim._calibration AS k (version_id, rows, queries) VALUES (t.version_id, rows, 0) ON CONFLICT DO NOTHING;
    SELECT * INTO c FROM pgsim._calibration AS k WHERE k.version_id = t.version_id FOR UPDATE;
    c.rows := rows;
    c.measured_at := now();
    c.scan_row := (costs ->> 'scan_row')::float8;
    c.exact_row := (costs ->> 'exact_row')::float8;
    c.keep_row := (costs ->> 'keep_row')::float8;
    c.code_row := (costs ->> 'code_row')::float8;
    SELECT f.ef_intercepts, f.ef_slope, f.ef_far, f.ef_looks, f.ef_typical, f.ann_start, f.ann_candidate, f.queries
    INTO c.ef_intercepts, c.ef_slope, c.ef_far, c.ef_looks, c.ef_typical, c.ann_start, c.ann_candidate, c.queries
    FROM pgsim._fit_index((SELECT array_agg(m) FROM unnest(parts) AS p (part) CROSS JOIN LATERAL jsonb_array_elements(p.part -> 'index') AS m)) AS f;
    c.funnels := pgsim._fit_funnels((SELECT array_agg(m) FROM unnest(parts) AS p (part) CROSS JOIN LATERAL jsonb_array_elements(p.part -> 'funnels') AS m));
    DELETE FROM pgsim._calibration AS k WHERE k.version_id = t.version_id;
    INSERT INTO pgsim._calibration SELECT c.*;
    RETURN to_jsonb(c) || jsonb_build_object('collection', t.collection, 'model', t.model, 'recall_levels', pgsim._recall_levels(), 'warnings', pgsim._funnel_warnings(t, c.funnels));
END
$$;
COMMENT ON FUNCTION pgsim._store_calibration IS 'Puts the parts of a calibration together and stores it, for the searches that follow.';
