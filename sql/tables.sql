-- The registry. Names of columns are kept as text and relations as regclass, so that pg_dump carries both by name.
-- Everybody may read it, as everybody may read the catalogue it describes; the queue holds keys of rows, and only
-- its owner reads it. Only the owner of the schema writes.

CREATE SCHEMA pgsim;
COMMENT ON SCHEMA pgsim IS 'Similarity search over pgvector: filtered search, Matryoshka queries, embedding versions.';
GRANT USAGE ON SCHEMA pgsim TO PUBLIC;

CREATE SCHEMA pgsim_data;
COMMENT ON SCHEMA pgsim_data IS 'Vectors of pgsim''s embedding versions, one table each; each has the grants of its base table.';
GRANT USAGE ON SCHEMA pgsim_data TO PUBLIC;

CREATE TABLE pgsim._release (
    version text PRIMARY KEY,
    breaking boolean NOT NULL,
    installed_at timestamptz NOT NULL DEFAULT now(),
    installed_by text NOT NULL DEFAULT current_user
);
COMMENT ON TABLE pgsim._release IS 'Releases put into this database, the newest one being what it holds.';

CREATE TABLE pgsim._collection (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    relation regclass NOT NULL UNIQUE,
    key_columns text[] NOT NULL,
    text_columns text[] NOT NULL,
    text_config text NOT NULL,
    filter_columns text[] NOT NULL,
    record_share float8 NOT NULL DEFAULT 0,
    audit_share float8 NOT NULL DEFAULT 0,
    record_values boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pgsim._collection IS 'Tables registered for search.';

CREATE TABLE pgsim._model (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    dim int NOT NULL,
    metric text NOT NULL,
    element text NOT NULL,
    matryoshka int[] NOT NULL,
    layer int,
    query_prefix text NOT NULL,
    document_prefix text NOT NULL,
    properties jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pgsim._model IS 'Embedding models, each at one revision.';

CREATE TABLE pgsim._embedding (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id int NOT NULL REFERENCES pgsim._collection ON DELETE CASCADE,
    name text NOT NULL,
    source_columns text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (collection_id, name)
);
COMMENT ON TABLE pgsim._embedding IS 'Named vectors of a collection, and the columns their text comes from.';

CREATE TABLE pgsim._version (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    embedding_id int NOT NULL REFERENCES pgsim._embedding ON DELETE CASCADE,
    model_id int NOT NULL REFERENCES pgsim._model,
    state text NOT NULL CHECK (state IN ('building', 'ready', 'active', 'retired')),
    relation regclass NOT NULL,
    column_name text NOT NULL,
    adopted boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (embedding_id, model_id)
);
CREATE UNIQUE INDEX _version_adopted ON pgsim._version (relation, column_name) WHERE adopted;
CREATE UNIQUE INDEX _version_active ON pgsim._version (embedding_id) WHERE state = 'active';
COMMENT ON TABLE pgsim._version IS 'An embedding under one model: a table of pgsim_data, or an adopted column of the base table.';

CREATE TABLE pgsim._index (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id int NOT NULL REFERENCES pgsim._version ON DELETE CASCADE,
    name text NOT NULL,
    method text NOT NULL,
    dims int NOT NULL,
    element text NOT NULL,
    where_filter jsonb,
    options jsonb NOT NULL,
    -- Codes are a table with some of the base table's columns, and serve no search before they are complete.
    relation regclass,
    columns text[],
    complete boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (version_id, name)
);
CREATE UNIQUE INDEX _index_codes ON pgsim._index (version_id) WHERE method = 'codes';
COMMENT ON TABLE pgsim._index IS 'Vector indexes made by pgsim. An index lives in the schema of its version''s table; codes are a table in pgsim_data.';

-- A funnel: candidates by an index on a prefix or on bits, of which the best share (of hnsw.ef_search) are ranked by the full vector. What it misses, by both, is a
-- line as that of a whole index, below. rank_row: seconds to rank one candidate. reached: the share of the true ten among a thousand candidates; NULL: not measured.
CREATE TYPE pgsim._funnel AS (
    dims int,
    element text,
    share float8,
    ef_intercepts float8[],
    ef_slope float8,
    ef_far float8,
    ef_typical float8[],
    start float8,
    candidate float8,
    rank_row float8,
    reached float8
);

-- margins are in standard deviations, one for each of pgsim._recall_levels(). For each of pgsim._depths() the logarithm of what an index misses is a line over
-- that of ef_search, of this intercept and the one slope, for a query whose last row lies at the typical distance; where it lies farther, ef grows by exp(ef_far * (distance - typical)).
-- Times are in seconds. What was not measured is NULL, and a default serves.
CREATE TABLE pgsim._calibration (
    version_id int PRIMARY KEY REFERENCES pgsim._version ON DELETE CASCADE,
    rows float8 NOT NULL,
    queries int NOT NULL,
    margins float8[],
    ef_intercepts float8[],
    ef_slope float8,
    ef_far float8,
    ef_typical float8[],
    scan_row float8,
    exact_row float8,
    code_row float8,
    keep_row float8,
    ann_start float8,
    ann_candidate float8,
    funnels pgsim._funnel[],
    measured_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pgsim._calibration IS 'What searches of a version cost and find, measured on its own rows: pgsim.calibrate writes it, the planner reads it.';

CREATE TABLE pgsim._fusion (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id int NOT NULL REFERENCES pgsim._collection ON DELETE CASCADE,
    name text NOT NULL,
    method text NOT NULL,
    weights jsonb NOT NULL,
    rank_constant float8,
    candidates int,
    report jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (collection_id, name)
);
COMMENT ON TABLE pgsim._fusion IS 'Fusions of a collection''s legs, by the names that searches call them.';

-- No foreign keys: a search that is recorded would wait for whoever drops its collection, and the other way round.
CREATE TABLE pgsim._search_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id int NOT NULL,
    version_id int NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    shape text NOT NULL,
    filter jsonb,
    k int NOT NULL,
    recall_asked float8 NOT NULL,
    strategy text NOT NULL,
    estimated float8,
    matches float8,
    returned int NOT NULL,
    seconds float8 NOT NULL,
    exact_seconds float8,
    recall float8
);
CREATE INDEX _search_log_collection ON pgsim._search_log (collection_id, at);
COMMENT ON TABLE pgsim._search_log IS 'The share of searches that pgsim.record_searches asks for: their shapes, times and, of those audited, their recall.';

-- No foreign key: it would have writers of the base table lock the version's row, and fail when that is dropped meanwhile.
CREATE TABLE pgsim._queue (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id int NOT NULL,
    operation text NOT NULL CHECK (operation IN ('upsert', 'delete')),
    keys text[] NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT now()
);
-- Compressing the keys would cost a bulk insert as much as collecting them.
ALTER TABLE pgsim._queue ALTER COLUMN keys SET STORAGE EXTERNAL;
CREATE INDEX _queue_version ON pgsim._queue (version_id, id);
COMMENT ON TABLE pgsim._queue IS
    'Keys whose vectors are missing or stale, up to 2000 a row: appending is all a writer pays, and no writer ever waits for a worker.';

-- The tables are of pgsim_data: a row for each document, one for each word, and what writers add to the words' counts. So are the functions, which name the
-- base table as it was called then.
CREATE TABLE pgsim._text (
    collection_id int PRIMARY KEY REFERENCES pgsim._collection ON DELETE CASCADE,
    documents regclass NOT NULL,
    vocabulary regclass NOT NULL,
    changes regclass NOT NULL,
    words_function text NOT NULL,
    best_function text NOT NULL,
    base_name text NOT NULL,
    text_config text NOT NULL,
    columns text[] NOT NULL,
    weights float8[] NOT NULL,
    k1 float8 NOT NULL,
    b float8 NOT NULL,
    complete boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pgsim._text IS 'Text indexes of collections: their tables, the columns that they hold and how these are weighed.';

-- The index lies on the base table, in its schema, and is known by its name: pg_restore makes indexes after this table is filled.
CREATE TABLE pgsim._text_backend (
    collection_id int PRIMARY KEY REFERENCES pgsim._collection ON DELETE CASCADE,
    backend text NOT NULL,
    index_name text NOT NULL,
    text_config text NOT NULL,
    columns text[] NOT NULL,
    k1 float8 NOT NULL,
    b float8 NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pgsim._text_backend IS 'Text indexes of collections that another extension keeps.';

-- A text query, read against a text index. Of each word: the ids it has in the vocabulary, in how many rows it is, what it weighs (0: it is not scored),
-- the most it can add to a score, and the vector that finds its impact. spread: by how much an impact may have grown since it was stored.
-- condition: over the words' numbers in braces, what a row must hold beyond one of those that are scored; recheck: what its text must fulfil.
CREATE TYPE pgsim._text_query AS (
    lexemes text[],
    ids text[],
    docs float8[],
    weights float8[],
    bounds float8[],
    units sparsevec[],
    vector sparsevec,
    rows float8,
    average float8,
    spread float8,
    condition text,
    recheck text,
    bound boolean
);

-- All that a call needs to know of one version; pgsim._target finds it. The _sql columns are names quoted for SQL.
CREATE TYPE pgsim._target AS (
    collection_id int,
    collection text,
    base regclass,
    base_sql text,
    key_columns text[],
    version_id int,
    version regclass,
    version_sql text,
    column_name text,
    adopted boolean,
    state text,
    source_columns text[],
    model text,
    dim int,
    metric text,
    element text,
    matryoshka int[],
    vector_schema text,
    base_schema regnamespace,
    version_schema regnamespace,
    rows float8,
    partitioned boolean,
    codes_sql text,
    codes_columns text[],
    record_share float8,
    audit_share float8,
    record_values boolean
);

-- A piece of a predicate, and the values that it and the pieces before it read from the one jsonb.
CREATE TYPE pgsim._clause AS (predicate text, collected text[]);

-- The rungs of a search, coarse to fine: prefix length, element type, and how many rows each keeps.
CREATE TYPE pgsim._rungs AS (dims int[], elements text[], keep int[]);

-- A ranked list to be fused with others: keys, best first, their scores (higher is better), and the least and greatest score that its engine can give.
CREATE TYPE pgsim.leg AS (name text, keys text[], scores float8[], minimum float8, maximum float8);
COMMENT ON TYPE pgsim.leg IS 'A ranked list of keys with its scores; pgsim.leg makes one, pgsim.fuse takes them.';

-- The arguments of a search but for its query vector, and the caller's search_path.
CREATE TYPE pgsim._search_request AS (
    collection text,
    k int,
    filter jsonb,
    model text,
    embedding text,
    recall float8,
    mode text,
    dims int[],
    oversample int,
    max_distance float8,
    after jsonb,
    distinct_on text,
    where_sql text,
    where_values jsonb,
    where_columns text[],
    search_path text
);

-- The arguments of a search by more than one vector. texts and sparse: one for each query vector, or in their place.
CREATE TYPE pgsim._fusion_request AS (
    texts text[],
    text_form text,
    legs jsonb,
    fusion text,
    weights jsonb,
    rank_constant float8,
    candidates int,
    per_group int,
    sparse sparsevec[]
);

-- One leg of a search: its kind (dense, text, sparse, prior), what it searches, and its part in the fusion.
CREATE TYPE pgsim._search_leg AS (name text, kind text, spec jsonb, weight float8);

-- A funnel that could answer a search, by which index, and what it would take. reachable: how many rows the index holds.
CREATE TYPE pgsim._funnel_choice AS (
    ladder int[],
    element text,
    index_name text,
    covering boolean,
    reachable float8,
    ef float8,
    keep float8,
    seconds float8,
    far float8,
    typical float8,
    candidate float8,
    reason text
);

-- What a search does, decided before it runs. depth: among how many of the nearest rows the answer lies. Of matches: estimated by PostgreSQL; expected after
-- a second look, of reachable rows (in parts, pruned to one partition), doubtful where several columns meet, few where ranking them all is done before
-- anything else has begun, scanned to find them exactly. Of an exact search: bound, the number of matches at which it stops and another takes over. Of codes:
-- shortlist, how many they list at most, and margin, by how many standard deviations more bits than expected may differ. Of an index: wanted, how many rows
-- it gives before its answer is trusted, and tuples, how many it may visit; typical, at what distance ef suffices, far, by how much more it takes beyond, and
-- worth_ef, up to which it costs less than codes. Of a funnel: ladder, its prefix lengths, and keep, how many
-- candidates it ranks; shallow, the version of a shallow layer that gives them, for shallow_query.
CREATE TYPE pgsim._search_plan AS (
    target pgsim._target,
    request pgsim._search_request,
    predicate text,
    columns text[],
    given jsonb,
    through_base boolean,
    recall float8,
    depth int,
    strategy text,
    reason text,
    estimated float8,
    expected float8,
    reachable float8,
    scanned float8,
    parts int,
    pruned boolean,
    costs jsonb,
    no_codes text,
    codes_second boolean,
    doubtful boolean,
    few boolean,
    bound int,
    shortlist int,
    margin float8,
    rungs pgsim._rungs,
    ladder int[],
    keep int,
    covering boolean,
    shallow pgsim._target,
    shallow_query vector,
    index_name text,
    element text,
    method text,
    wanted int,
    ef int,
    typical float8,
    far float8,
    worth_ef float8,
    probes int,
    tuples int,
    settings jsonb
);

GRANT SELECT ON pgsim._release, pgsim._collection, pgsim._model, pgsim._embedding, pgsim._version, pgsim._index, pgsim._calibration, pgsim._text, pgsim._text_backend, pgsim._fusion TO PUBLIC;

CREATE VIEW pgsim.collections AS
SELECT c.name, c.relation, c.key_columns, c.text_columns, c.text_config, c.filter_columns, c.created_at
FROM pgsim._collection AS c;
COMMENT ON VIEW pgsim.collections IS 'Tables registered for search.';

CREATE VIEW pgsim.models AS
SELECT m.name, m.dim, m.metric, m.element, m.matryoshka, m.layer, m.query_prefix, m.document_prefix, m.properties, m.created_at
FROM pgsim._model AS m;
COMMENT ON VIEW pgsim.models IS 'Embedding models, each at one revision.';

CREATE VIEW pgsim.embeddings AS
SELECT c.name AS collection, e.name, e.source_columns, m.name AS active_model, e.created_at
FROM pgsim._embedding AS e
JOIN pgsim._collection AS c ON c.id = e.collection_id
LEFT JOIN pgsim._version AS v ON v.embedding_id = e.id AND v.state = 'active'
LEFT JOIN pgsim._model AS m ON m.id = v.model_id;
COMMENT ON VIEW pgsim.embeddings IS 'Named vectors of each collection, and the model that answers now.';

CREATE VIEW pgsim.versions AS
SELECT v.id, c.name AS collection, e.name AS embedding, m.name AS model, v.state, v.relation, v.column_name, v.adopted, v.created_at
FROM pgsim._version AS v
JOIN pgsim._model AS m ON m.id = v.model_id
JOIN pgsim._embedding AS e ON e.id = v.embedding_id
JOIN pgsim._collection AS c ON c.id = e.collection_id;
COMMENT ON VIEW pgsim.versions IS 'Versions of each embedding: model, state, and where the vectors are.';

CREATE VIEW pgsim.indexes AS
SELECT c.name AS collection, e.name AS embedding, m.name AS model, i.name, i.method, i.dims, i.element, i.where_filter, i.options,
       CASE i.method WHEN 'codes' THEN i.complete AND k.oid IS NOT NULL ELSE coalesce(x.indisvalid, false) END AS valid,
       CASE i.method WHEN 'codes' THEN pg_total_relation_size(k.oid)
           ELSE coalesce((SELECT sum(pg_relation_size(p.relid)) FROM pg_partition_tree(k.oid) AS p), pg_relation_size(k.oid))::bigint END AS bytes,
       i.created_at
FROM pgsim._index AS i
JOIN pgsim._version AS v ON v.id = i.version_id
JOIN pgsim._model AS m ON m.id = v.model_id
JOIN pgsim._embedding AS e ON e.id = v.embedding_id
JOIN pgsim._collection AS c ON c.id = e.collection_id
LEFT JOIN pg_class AS r ON r.oid = v.relation
LEFT JOIN pg_class AS k ON CASE i.method WHEN 'codes' THEN k.oid = i.relation
                                         ELSE k.relname = i.name AND k.relnamespace = r.relnamespace AND k.relkind IN ('i', 'I') END
LEFT JOIN pg_index AS x ON x.indexrelid = k.oid AND x.indrelid = v.relation;
COMMENT ON VIEW pgsim.indexes IS 'Vector indexes made by pgsim; not valid while a build is under way, after one that failed, and when dropped by hand.';

CREATE VIEW pgsim.fusions AS
SELECT c.name AS collection, f.name, f.method, f.weights, f.rank_constant, f.candidates, f.report, f.created_at
FROM pgsim._fusion AS f
JOIN pgsim._collection AS c ON c.id = f.collection_id;
COMMENT ON VIEW pgsim.fusions IS 'Fusions that searches name, and the report of how each was found.';

CREATE VIEW pgsim.backfill_progress AS
SELECT c.name AS collection, e.name AS embedding, m.name AS model, v.state,
       coalesce(q.upserts, 0) AS pending, coalesce(q.deletes, 0) AS pending_deletes, q.oldest
FROM pgsim._version AS v
JOIN pgsim._model AS m ON m.id = v.model_id
JOIN pgsim._embedding AS e ON e.id = v.embedding_id
JOIN pgsim._collection AS c ON c.id = e.collection_id
LEFT JOIN LATERAL (
    SELECT sum(cardinality(q.keys)) FILTER (WHERE q.operation = 'upsert') AS upserts,
           sum(cardinality(q.keys)) FILTER (WHERE q.operation = 'delete') AS deletes,
           min(q.queued_at) AS oldest
    FROM pgsim._queue AS q
    WHERE q.version_id = v.id
) AS q ON true;
COMMENT ON VIEW pgsim.backfill_progress IS 'Rows of each version that wait for a vector. A row changed twice before it is embedded counts twice.';

CREATE VIEW pgsim.recall_audit AS
SELECT c.name AS collection, e.name AS embedding, m.name AS model, l.shape, count(*) AS searches,
       avg(l.recall_asked) AS recall_asked, avg(l.recall) AS mean_recall, min(l.recall) AS worst_recall,
       (count(*) FILTER (WHERE l.recall < l.recall_asked - 1e-9))::float8 / count(*) AS share_below_asked,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY l.seconds) AS seconds,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY l.exact_seconds) AS exact_seconds,
       min(l.at) AS first_at, max(l.at) AS last_at
FROM pgsim._search_log AS l
JOIN pgsim._version AS v ON v.id = l.version_id
JOIN pgsim._model AS m ON m.id = v.model_id
JOIN pgsim._embedding AS e ON e.id = v.embedding_id
JOIN pgsim._collection AS c ON c.id = e.collection_id
WHERE l.recall IS NOT NULL
GROUP BY c.name, e.name, m.name, l.shape;
COMMENT ON VIEW pgsim.recall_audit IS 'The recall that audited searches got, by the shape of their filter (empty without one), against the recall asked; seconds and exact_seconds are medians.';

GRANT SELECT ON pgsim.collections, pgsim.models, pgsim.embeddings, pgsim.versions, pgsim.indexes, pgsim.fusions, pgsim.backfill_progress TO PUBLIC;
