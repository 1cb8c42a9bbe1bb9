CREATE FUNCTION pgsim._usable_index(t pgsim._target, dims int, filter jsonb, OUT name text, OUT element text, OUT method text, OUT covering boolean, OUT rows float8, OUT lists int, OUT funnels boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- One that pgsim made is found by its name, and where there are partial ones, more is to be asked.
    SELECT i.name, i.element, i.method, false, k.reltuples, coalesce((SELECT substr(o, 7)::int FROM unnest(k.reloptions) AS o WHERE o LIKE 'lists=%'), 100),
           EXISTS (SELECT FROM pgsim._index AS f WHERE f.version_id = t.version_id AND f.method = 'hnsw' AND (f.dims < t.dim OR f.element = 'bit'))
    INTO _usable_index.name, _usable_index.element, _usable_index.method, _usable_index.covering, _usable_index.rows, _usable_index.lists, _usable_index.funnels
    FROM pgsim._index AS i
    JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = t.version_schema
    JOIN pg_index AS x ON x.indexrelid = k.oid AND x.indrelid = t.version AND x.indisvalid
    WHERE i.version_id = t.version_id AND i.dims = _usable_index.dims AND i.method NOT IN ('codes', 'inverted') AND i.element <> 'bit' AND i.options ->> 'slice' IS NOT DISTINCT FROM t.slice_name
      AND NOT EXISTS (SELECT FROM pgsim._index AS p WHERE p.version_id = t.version_id AND p.where_filter IS NOT NULL)
    ORDER BY i.element <> t.element, i.method, i.id LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;
    -- An index of the user's own on an adopted column serves as well as one that pgsim made.
    SELECT k.relname, coalesce(i.element, t.element), m.amname, i.where_filter IS NOT NULL, held.rows,
           coalesce((SELECT substr(s, 7)::int FROM unnest(k.reloptions) AS s WHERE s LIKE 'lists=%'), 100)
    INTO _usable_index.name, _usable_index.element, _usable_index.method, _usable_index.covering, _usable_index.rows, _usable_index.lists
    FROM pg_index AS x
    JOIN pg_class AS k ON k.oid = x.indexrelid
    JOIN pg_am AS m ON m.oid = k.relam AND m.amname IN ('hnsw', 'ivfflat')
    JOIN pg_opclass AS o ON o.oid = x.indclass[0]
    -- The index of a partitioned table holds nothing itself.
    CROSS JOIN LATERAL (SELECT CASE WHEN k.relkind = 'i' THEN k.reltuples ELSE (
        SELECT sum(greatest(l.reltuples, 0)) FROM pg_partition_tree(k.oid) AS p JOIN pg_class AS l ON l.oid = p.relid WHERE p.isleaf) END AS rows) AS held
    LEFT JOIN pgsim._index AS i ON i.version_id = t.version_id AND i.name = k.relname
    WHERE x.indrelid = t.version AND x.indisvalid
      AND CASE WHEN i.id IS NOT NULL THEN i.dims = _usable_index.dims AND i.element <> 'bit' AND i.options ->> 'slice' IS NOT DISTINCT FROM t.slice_name AND (i.where_filter IS NULL OR pgsim._filter_covers(_usable_index.filter, i.where_filter))
               ELSE _usable_index.dims = t.dim AND t.slice IS NULL AND x.indpred IS NULL AND o.opcname = format('%s_%s_ops', t.element, t.metric)
                    AND x.indkey[0] = (SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = t.version AND a.attname = t.column_name) END
    ORDER BY CASE WHEN i.where_filter IS NOT NULL THEN held.rows END, coalesce(i.element, t.element) <> t.element, m.amname, k.oid
    LIMIT 1;
END
$$;
COMMENT ON FUNCTION pgsim._usable_index IS
    'The vector index that serves a search of so many dimensions best: the smallest partial one whose where_filter covers the filter, else a full one. Bits alone rank too little: they serve in funnels. rows is how many it holds, negative when not known. funnels is false where there certainly are none.';
