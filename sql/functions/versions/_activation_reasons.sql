CREATE FUNCTION pgsim._activation_reasons(t pgsim._target, OUT reasons text[], OUT gates jsonb)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    compared record;
    quality record;
    most CONSTANT int := 100001;
BEGIN
    reasons := '{}';
    IF t.state = 'retired' THEN
        reasons := reasons || format('it is retired, and changes were not followed since: pgsim.revive(%L, %L, %L), then embed what is missing', t.collection, t.model,
                                     (SELECT v.embedding FROM pgsim.versions AS v WHERE v.id = t.version_id))::text;
    END IF;
    compared := pgsim._compare_version(t);
    IF compared.missing > 0 THEN
        reasons := reasons || format('%s rows have no vector%s', compared.missing, CASE WHEN t.source_columns = '{}' THEN ', which the active version has' ELSE ' of their text' END)::text;
    END IF;
    IF compared.waiting > 0 THEN
        reasons := reasons || format('%s rows wait to be embedded: in the queue, with a worker or set aside', CASE WHEN compared.waiting = most THEN 'more than ' || most - 1 ELSE compared.waiting::text END)::text;
    END IF;
    reasons := reasons || pgsim._index_reasons(t);
    quality := pgsim._gate_reasons(t);
    reasons := reasons || quality.reasons;
    gates := jsonb_strip_nulls(jsonb_build_object('missing', compared.missing, 'compared', compared.compared, 'waiting', compared.waiting, 'quality', nullif(quality.results, '{}'),
                               'refused', CASE WHEN reasons <> '{}' THEN to_jsonb(reasons) END));
END
$$;
COMMENT ON FUNCTION pgsim._activation_reasons IS 'Every reason why a version should not become the active one, and what was found, for the record.';
