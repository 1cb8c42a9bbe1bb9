CREATE FUNCTION pgsim._key_names(key_columns text[], own boolean) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN NOT own THEN key_columns ELSE ARRAY(
    SELECT pgsim._key_column(k.ordinal, cardinality(key_columns)) FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal) ORDER BY k.ordinal
) END;
COMMENT ON FUNCTION pgsim._key_names IS 'The names of the key columns of a base table, or of a version table (own).';
