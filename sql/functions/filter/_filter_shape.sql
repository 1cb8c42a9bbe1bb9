CREATE FUNCTION pgsim._filter_shape(filter jsonb, depth int = 1) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    atom record;
    path text;
    parts text[] := '{}';
BEGIN
    FOR atom IN SELECT a.path, a.operator, a.value FROM pgsim._filter_atoms(filter, depth) AS a LOOP
        path := CASE WHEN atom.path ~ '^[a-zA-Z_][a-zA-Z0-9_.]*$' THEN atom.path ELSE '"' || replace(atom.path, '"', '""') || '"' END;
        parts := parts || CASE
            WHEN atom.path IS NULL AND atom.operator = '$or' AND jsonb_typeof(atom.value) = 'array' THEN
                (SELECT format('$or(%s)', string_agg(s.shape, ' | ' ORDER BY s.shape COLLATE "C"))
                 FROM (SELECT DISTINCT coalesce(nullif(pgsim._filter_shape(b, depth + 1), ''), 'true') AS shape FROM jsonb_array_elements(atom.value) AS b) AS s)
            WHEN atom.operator = '$not' THEN
                format('$not(%s)', coalesce(nullif(pgsim._filter_shape(CASE WHEN atom.path IS NULL THEN atom.value ELSE jsonb_build_object(atom.path, atom.value) END, depth + 1), ''), 'true'))
            WHEN atom.path IS NULL THEN '?'
            WHEN atom.operator IN ('$eq', '$ne') AND atom.value = 'null' THEN path || ' $exists'
            WHEN atom.operator IN ('$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$between', '$like', '$ilike', '$exists', '$contains', '$contained', '$overlap') THEN
                path || ' ' || atom.operator
            ELSE path || ' ?' END;
    END LOOP;
    RETURN coalesce((SELECT string_agg(DISTINCT p COLLATE "C", ', ' ORDER BY p COLLATE "C") FROM unnest(parts) AS p), '');
END
$$;
COMMENT ON FUNCTION pgsim._filter_shape IS
    'A filter without its values, by which searches are grouped: ''section $eq, size $lt''. Conditions are sorted, those alike stand once, $and is a comma, and what asks for NULL is $exists.';
