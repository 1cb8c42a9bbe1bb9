CREATE FUNCTION pgsim._keep_inverted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x record;
    vector text;
    added text := CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN CASE TG_LEVEL WHEN 'ROW' THEN '(SELECT ($2).*)' ELSE 'pgsim_rows' END END;
    removed text := CASE WHEN TG_OP IN ('DELETE', 'UPDATE') THEN CASE TG_LEVEL WHEN 'ROW' THEN '(SELECT ($1).*)' ELSE 'pgsim_before' END END;
    counted text;
    statement text;
    changed int[];
BEGIN
    SELECT i.id, i.relation::text AS terms, i.complete, v.column_name, m.metric,
           EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = TG_RELID AND a.attname = v.column_name AND NOT a.attisdropped) AS usable
    INTO x FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._model AS m ON m.id = v.model_id WHERE i.id = TG_ARGV[1]::int;
    IF NOT FOUND OR x.terms ~ '^\d' THEN
        RETURN NULL;
    END IF;
    IF NOT x.usable THEN
        IF x.complete THEN
            PERFORM pgsim._give_up_keeping(x.id, NULL, format('pgsim no longer uses the inverted index of %s: the column of its vectors was renamed or dropped', TG_RELID::regclass));
        END IF;
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('TRUNCATE %s', x.terms);
        RETURN NULL;
    END IF;
    vector := pgsim._inverted_vector(x.metric, x.column_name, pgsim._vector_schema());
    counted := concat_ws(' UNION ALL ',
        'SELECT e.term, 1 AS docs, abs(e.weight)::real AS top FROM ' || added || format(' AS r CROSS JOIN LATERAL pgsim._sparse_entries(%s) AS e', vector),
        'SELECT e.term, -1 AS docs, 0::real AS top FROM ' || removed || format(' AS r CROSS JOIN LATERAL pgsim._sparse_entries(%s) AS e', vector));
    -- Appended and added up now and then, so that no writer waits for another.
    statement := format('WITH pgsim_changed AS (INSERT INTO %1$s AS h (term, docs, top) SELECT s.term, s.docs, s.top '
                   '  FROM (SELECT n.term, pg_catalog.sum(n.docs) AS docs, pg_catalog.max(n.top) AS top FROM (%2$s) AS n GROUP BY n.term) AS s '
                   '  LEFT JOIN LATERAL (SELECT pg_catalog.max(k.top) AS top FROM %1$s AS k WHERE k.term = s.term) AS k ON true '
                   '  WHERE s.docs <> 0 OR s.top > coalesce(k.top, 0) RETURNING h.term) '
                   'SELECT pg_catalog.array_agg(c.term) FROM pgsim_changed AS c', x.terms, counted);
    IF TG_LEVEL = 'ROW' THEN
        EXECUTE statement INTO changed USING OLD, NEW;
    ELSE
        EXECUTE statement INTO changed;
    END IF;
    IF changed IS NOT NULL THEN
        PERFORM pgsim._fold_counts(x.terms::regclass, -x.id, changed);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._keep_inverted IS
    'Trigger: keeps the terms of an inverted index up with its vectors, in the writer''s own transaction. It runs as its owner, to whom they belong, reads only what was changed, and writes nothing else.';
REVOKE ALL ON FUNCTION pgsim._keep_inverted FROM PUBLIC;
