CREATE FUNCTION pgsim.set_probes(model text, texts text[], vectors vector[], kind text = 'document') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m pgsim._model := pgsim._embedded_model(model);
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._check_probes(m, texts, vectors, kind);
    -- One at a time for a model: two workers may begin at once.
    PERFORM FROM pgsim._model AS s WHERE s.id = m.id FOR NO KEY UPDATE;
    DELETE FROM pgsim._probe AS p WHERE p.model_id = m.id AND p.kind = set_probes.kind;
    INSERT INTO pgsim._probe (model_id, kind, text, vector)
    SELECT m.id, set_probes.kind, p.text, p.vector FROM unnest(texts, vectors) AS p (text, vector);
END
$$;
COMMENT ON FUNCTION pgsim.set_probes IS
$$Keeps the vectors that a model gives for some texts, by which it is known again: pgsim.check_probes. Replaces those of that kind.

texts: without the model's prefix; vectors: of the prefix and the text, as the embedder gives them. kind: document or query. pgsim embed
does it with texts of its own when a model embeds its first rows. Errors: PS002, PS010, PS012, PS013, PS032.$$;
