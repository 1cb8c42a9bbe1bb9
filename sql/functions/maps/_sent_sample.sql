CREATE FUNCTION pgsim._sent_sample(collection text, model text, embedding text, wanted int, seed int) RETURNS SETOF bytea
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT vector_send(v) FROM unnest((pgsim._sample(pgsim._target(_sent_sample.collection, _sent_sample.model, _sent_sample.embedding), _sent_sample.wanted, _sent_sample.seed)).vectors) AS v WHERE v IS NOT NULL;
END;
COMMENT ON FUNCTION pgsim._sent_sample IS 'A sample of a version''s vectors, of rows that the caller may see, in pgvector''s binary form: a third of their text, and read at once.';
