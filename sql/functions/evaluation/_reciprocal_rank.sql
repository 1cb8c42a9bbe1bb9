CREATE FUNCTION pgsim._reciprocal_rank(keys text[], relevant text[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(1.0 / min(u.place), 0)::float8 FROM unnest(keys) WITH ORDINALITY AS u (key, place) WHERE u.key = ANY (relevant));
COMMENT ON FUNCTION pgsim._reciprocal_rank IS 'One over the rank of the first relevant key, 0 where there is none.';
