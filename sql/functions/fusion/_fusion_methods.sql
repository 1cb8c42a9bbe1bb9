CREATE FUNCTION pgsim._fusion_methods() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{minmax,relative_score,tmm,dbsf,rrf}'::text[];
COMMENT ON FUNCTION pgsim._fusion_methods IS 'The methods of fusion; relative_score is another engine''s name of minmax.';
