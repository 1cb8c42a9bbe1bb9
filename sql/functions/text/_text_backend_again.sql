CREATE FUNCTION pgsim._text_backend_again(c pgsim._collection, t pgsim._text_backend) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN pg_catalog.format('SELECT pgsim.disable_text(%L); SELECT pgsim.enable_text(%1$L, text_config => %L, weights => %L, k1 => %s, b => %s, backend => %L)', c.name, t.text_config,
    (SELECT pg_catalog.jsonb_object_agg(n.name, (n.name = ANY (t.columns))::int) FROM pg_catalog.unnest(c.text_columns || t.columns) AS n (name)), t.k1, t.b, t.backend);
COMMENT ON FUNCTION pgsim._text_backend_again IS 'The statements that make a text index of another extension''s anew.';
