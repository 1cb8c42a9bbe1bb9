CREATE FUNCTION pgsim._image_is_zero(map_id int, dims int, query vector) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT coalesce(pgsim._prefix_is_zero(pgsim._mapped(m.components[1:dims], NULL, true, query), dims), true) FROM pgsim._map AS m WHERE m.id = map_id
);
COMMENT ON FUNCTION pgsim._image_is_zero IS 'Whether codes under a map tell nothing of a query: the first dims dimensions of its image are all zeros.';
