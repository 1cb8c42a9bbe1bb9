CREATE FUNCTION pgsim.chores(grace interval = '30 days') RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    expired jsonb;
    ready jsonb := '{}';
    failed jsonb := '{}';
    v record;
BEGIN
    SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') INTO expired FROM pgsim.expire(grace) AS e;
    -- Versions that were filled by hand are found ready, and then are activated without comparing them again.
    FOR v IN
        SELECT s.collection, s.embedding, s.model FROM pgsim.versions AS s JOIN pgsim.collections AS c ON c.name = s.collection
        JOIN pg_class AS b ON b.oid = c.relation JOIN pg_class AS r ON r.oid = s.relation
        WHERE s.state IN ('building', 'ready') AND NOT row_security_active(b.oid::regclass) AND pg_has_role(current_user, b.relowner, 'USAGE') ORDER BY s.id
    LOOP
        BEGIN
            ready := ready || jsonb_build_object(format('%s, %s, %s', v.collection, v.embedding, v.model), pgsim.mark_ready(v.collection, v.model, v.embedding));
        EXCEPTION WHEN OTHERS THEN
            failed := failed || jsonb_build_object(format('%s, %s, %s', v.collection, v.embedding, v.model), SQLERRM);
        END;
    END LOOP;
    RETURN jsonb_build_object('expired', expired, 'missing', ready, 'failed', failed);
END
$$;
COMMENT ON FUNCTION pgsim.chores IS
$$Does what should be done now and then: drops versions retired longer than the grace, and compares those that are being built or ready with their tables.

Returns what was dropped, how many rows each of the others lacks, and of what failed why: what one comes to does not keep the others from theirs. Call it from cron ("pgsim chores"), or let pgsim.schedule_chores do it.
Errors: PS010, PS032.$$;
