CREATE FUNCTION pgsim.chores(grace interval = '30 days', audit int = 20) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    expired jsonb;
    analyzed text[];
    calibrated jsonb := '[]';
    audited jsonb := '{}';
    ready jsonb := '{}';
    failed jsonb := '{}';
    shown text;
    problems bigint;
    v record;
BEGIN
    PERFORM pgsim._require_registrar();
    IF audit IS NULL OR audit NOT BETWEEN 0 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('audit is %s; it is how many rows of a version are searched for, 0 to 1000', coalesce(audit::text, 'NULL')), HINT = 'The default is 20; 0 audits nothing.';
    END IF;
    IF grace IS NULL OR grace NOT BETWEEN '0' AND '1000 years' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('grace is %s; it is a time span of 0 to 1000 years', coalesce(grace::text, 'NULL')), HINT = 'The default is 30 days.';
    END IF;
    FOR v IN
        SELECT s.id, s.collection, s.embedding, s.model, s.state,
               EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = s.id AND i.method IN ('hnsw', 'ivfflat')) AS indexed
        FROM pgsim.versions AS s JOIN pgsim.collections AS c ON c.name = s.collection
        JOIN pg_class AS b ON b.oid = c.relation JOIN pg_class AS r ON r.oid = s.relation
        WHERE s.state <> 'retired' AND NOT row_security_active(b.oid::regclass) AND pg_has_role(current_user, b.relowner, 'USAGE') ORDER BY s.id
    LOOP
        shown := format('%s, %s, %s', v.collection, v.embedding, v.model);
        -- What one version comes to does not keep the others from theirs.
        BEGIN
            IF v.state <> 'active' THEN
                -- Versions that were filled by hand are found ready, and then are activated without comparing them again.
                ready := ready || jsonb_build_object(shown, pgsim.mark_ready(v.collection, v.model, v.embedding));
            END IF;
            -- One that nobody calibrated is left at its defaults: that is for whoever owns it to begin.
            IF pgsim._calibration_state(pgsim._target(v.collection, v.model, v.embedding)) LIKE 'stale%' THEN
                PERFORM pgsim.calibrate(v.collection, model => v.model, embedding => v.embedding);
                calibrated := calibrated || to_jsonb(shown);
            END IF;
            IF v.state = 'active' AND v.indexed AND audit > 0 THEN
                audited := audited || jsonb_build_object(shown, pgsim.measure_quality(v.collection, v.model, embedding => v.embedding, sample => audit));
            END IF;
        EXCEPTION WHEN OTHERS THEN
            failed := failed || jsonb_build_object(shown, SQLERRM);
            RAISE WARNING USING MESSAGE = format('%s: %s', shown, SQLERRM);
        END;
    END LOOP;
    analyzed := pgsim._analyze_stale();
    problems := (SELECT count(*) FROM pgsim."check"());
    -- Last: a table that goes takes a lock on its base table, which is held until this transaction ends.
    SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') INTO expired FROM pgsim.expire(grace) AS e;
    RETURN jsonb_build_object('expired', expired, 'analyzed', to_jsonb(analyzed), 'calibrated', calibrated, 'missing', ready, 'audited', audited, 'failed', failed, 'problems', problems);
END
$$;
COMMENT ON FUNCTION pgsim.chores IS
$$Does what should be done now and then: expiry of versions retired longer than the grace, statistics, and an audit.

Statistics: PostgreSQL's of what pgsim keeps, where a tenth of a table has changed since (ANALYZE), and pgsim's own where a version was calibrated and has doubled
or halved since (pgsim.calibrate). Audit: versions that are being built or ready are compared with their tables; the recall of each active version's index is
measured by audit searches for its own rows, and recorded as pgsim.measure_quality does (0: not); problems counts what pgsim.check tells; failed says of each version that
something failed for why: it keeps no other from its chores.
Call it from cron ("pgsim chores"), or let pgsim.schedule_chores do it. Errors: PS010, PS032.$$;
