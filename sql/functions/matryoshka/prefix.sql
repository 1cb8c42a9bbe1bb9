CREATE FUNCTION pgsim.prefix(v vector, dims int) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN v IS NULL OR dims IS NULL THEN NULL WHEN dims BETWEEN 1 AND vector_dims(v) THEN l2_normalize(subvector(v, 1, dims)) ELSE pgsim._no_prefix(v, dims) END;
COMMENT ON FUNCTION pgsim.prefix IS
$$The first dims dimensions of a vector, brought to unit length: its Matryoshka embedding of that width.

Cosine distances need no such length, the inner product and l2 do. Of a halfvec write prefix(v::vector, 64). It refuses dims that the vector does
not have, where subvector gives a shorter one without a word. Errors: PS010.$$;
