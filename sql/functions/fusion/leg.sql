CREATE FUNCTION pgsim.leg(name text, keys text[], scores float8[] = NULL, minimum float8 = NULL, maximum float8 = NULL) RETURNS pgsim.leg
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ROW(name, keys, scores, minimum, maximum)::pgsim.leg;
COMMENT ON FUNCTION pgsim.leg IS
$$Makes one leg of pgsim.fuse out of any ranked list: another engine's, a prior's, or what a search of your own gave.

name: what weights and details call it. keys: best first, as array_agg(key ORDER BY rank) gives them; none is an empty leg.
scores: one for each key, higher is better (give a distance as its negative); rrf needs none. minimum: the least score that
the engine can give, which tmm needs: 0 of BM25, -1 of a cosine similarity. minimum and maximum: a fixed scale, on which a score
means the same in every search, as a probability does; it is not stretched to what was found. pgsim.fuse checks all of it.$$;
