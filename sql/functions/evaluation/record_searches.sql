CREATE FUNCTION pgsim.record_searches(collection text, share float8 = NULL, audit_share float8 = NULL, "values" boolean = NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    given record;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    FOR given IN SELECT * FROM (VALUES ('share', share), ('audit_share', audit_share)) AS g (name, part) WHERE g.part NOT BETWEEN 0 AND 1 LOOP
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is %s; it is a part of all searches, from 0 to 1', given.name, given.part),
            HINT = '0.01 takes every hundredth search, 0 none.';
    END LOOP;
    UPDATE pgsim._collection AS s
    SET record_share = coalesce(record_searches.share, s.record_share), audit_share = coalesce(record_searches.audit_share, s.audit_share),
        record_values = coalesce(record_searches."values", s.record_values)
    WHERE s.id = c.id;
END
$$;
COMMENT ON FUNCTION pgsim.record_searches IS
$$Sets which part of a collection's searches is noted down, and which part is audited; both 0 to begin with.

share: of all searches, the part whose filter shape, strategy, counts, time and first 100 keys are kept for pgsim.advise and pgsim.enqueue_missing(order_by => 'hot'). audit_share: the part that
is also answered exactly, to know its recall (pgsim.recall_audit); each costs an exact search more. values: keep the filter with its
values too, which may be personal data; otherwise only its shape. What is not given stays as it is. Nothing is written in a
read-only transaction or on a standby. Errors: PS001, PS006, PS010, PS032.$$;
