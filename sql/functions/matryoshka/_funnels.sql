CREATE FUNCTION pgsim._funnels(t pgsim._target, c pgsim._calibration, filter jsonb, dims int, filtered boolean) RETURNS TABLE (name text, covering boolean, rows float8, funnel pgsim._funnel)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x record;
    f pgsim._funnel;
    known boolean;
BEGIN
    FOR x IN
        SELECT i.name, i.dims, i.element, i.where_filter IS NOT NULL AS covering, held.rows
        FROM pgsim._index AS i
        JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = t.version_schema
        JOIN pg_index AS p ON p.indexrelid = k.oid AND p.indrelid = t.version AND p.indisvalid
        CROSS JOIN LATERAL (SELECT CASE WHEN k.relkind = 'i' THEN k.reltuples ELSE -1 END AS rows) AS held
        WHERE i.version_id = t.version_id AND i.method = 'hnsw' AND t.slice IS NULL AND NOT i.options ? 'slice' AND i.dims = coalesce(_funnels.dims, i.dims) AND (i.dims < t.dim OR i.element = 'bit')
          AND (i.where_filter IS NULL OR pgsim._filter_covers(_funnels.filter, i.where_filter))
        ORDER BY i.id
    LOOP
        name := x.name;
        covering := x.covering;
        rows := x.rows;
        known := false;
        FOREACH f IN ARRAY coalesce(c.funnels, '{}') LOOP
            IF f.dims = x.dims AND f.element = x.element THEN
                known := true;
                -- Of rows that do not match the index gives the next ones, where too few are among the first: a limit that is just met would have it look on half of the time.
                CONTINUE WHEN filtered AND f.share > .5;
                funnel := f;
                RETURN NEXT;
            END IF;
        END LOOP;
        IF NOT known THEN
            funnel := pgsim._default_funnel(t, c, x.dims, x.element, CASE WHEN filtered THEN .5 ELSE 1 END);
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._funnels IS 'The indexes on a prefix or on bits that serve a search, each with the shares of its candidates that may be ranked, as they were measured or are expected. dims: those on a prefix of this length alone. filtered: not every row matches.';
