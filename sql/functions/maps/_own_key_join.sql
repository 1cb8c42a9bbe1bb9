CREATE FUNCTION pgsim._own_key_join(left_prefix text, right_prefix text, key_columns text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT pg_catalog.string_agg(pg_catalog.format('%s%I OPERATOR(pg_catalog.=) %s%I', left_prefix, k.name, right_prefix, k.name), ' AND ' ORDER BY k.ordinal)
    FROM pg_catalog.unnest(pgsim._key_names(key_columns, true)) WITH ORDINALITY AS k (name, ordinal)
);
COMMENT ON FUNCTION pgsim._own_key_join IS 'The condition that joins rows of two version tables by their keys.';
