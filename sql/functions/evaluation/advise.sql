CREATE FUNCTION pgsim.advise(collection text, budget bigint = NULL, model text = NULL, embedding text = 'default') RETURNS TABLE (
    rank int, kind text, target text, statement text, searches float8, seconds_before float8, seconds_after float8, gain float8,
    bytes bigint, build_seconds float8, reason text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT a.rank, a.kind, a.target, a.statement, a.searches, a.seconds_before, a.seconds_after, a.gain, a.bytes, a.build_seconds, a.reason
    FROM pgsim._advise(advise.collection, advise.budget, advise.model, advise.embedding) AS a
    ORDER BY a.rank;
END;
COMMENT ON FUNCTION pgsim.advise IS
$$Says which indexes and statistics would make the searches of a collection faster, by how much and for how many bytes.

The searches are those that pgsim.record_searches had recorded; without any, each filter column asked for once. A shape whose values
were not kept is taken to ask for the column's common values. budget: bytes that what is advised may take, '2GB' in
pg_size_bytes. Rows come best gain per byte first: rank; kind (partial_index, codes, hnsw, btree_index, gin_index, statistics,
calibrate, and in words alone partition, filter_columns); target; statement, SQL to be run by itself, or NULL; searches that it serves;
seconds_before and seconds_after, what one of them is expected to cost by the planner, what ranks above in place; gain, the
seconds saved over the searches recorded; bytes and build_seconds, estimated; reason. It builds nothing: "pgsim advise --apply" does.
Errors: PS001 to PS006, PS010, PS032.$$;
