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
    slices jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pgsim._model IS 'Embedding models, each at one revision.';

-- Read whole for every call, by what maps: stored uncompressed, components are there in a tenth of a millisecond (384 of 384 numbers).
CREATE TABLE pgsim._map (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    from_model_id int NOT NULL REFERENCES pgsim._model,
    to_model_id int REFERENCES pgsim._model,
    kind text NOT NULL,
    dim_in int NOT NULL,
    dim_out int NOT NULL,
    normalized boolean NOT NULL,
    keeps_scores boolean NOT NULL,
    components vector[] NOT NULL,
    query_components vector[],
    bias vector,
    properties jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE pgsim._map ALTER COLUMN components SET STORAGE EXTERNAL, ALTER COLUMN query_components SET STORAGE EXTERNAL;
COMMENT ON TABLE pgsim._map IS 'Fitted transformations of a model''s space: a component is a vector whose inner product with another is one number of what that is mapped to.';

-- A model may be another one mapped; raw_prefixes: under its inner product a prefix has the length that it has, and not 1.
ALTER TABLE pgsim._model ADD COLUMN map_id int UNIQUE REFERENCES pgsim._map, ADD COLUMN raw_prefixes boolean NOT NULL DEFAULT false;

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
    -- The version whose vectors this one has, mapped; NULL also where that was dropped.
    follows int REFERENCES pgsim._version ON DELETE SET NULL,
    -- What stood when every row was last found to have a vector, so that activate need not compare again while it stands; lapsed: changes were not followed for a time.
    verified jsonb,
    lapsed boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (embedding_id, model_id)
);
CREATE INDEX _version_follows ON pgsim._version (follows) WHERE follows IS NOT NULL;
CREATE UNIQUE INDEX _version_adopted ON pgsim._version (relation, column_name) WHERE adopted;
CREATE UNIQUE INDEX _version_active ON pgsim._version (embedding_id) WHERE state = 'active';
COMMENT ON TABLE pgsim._version IS 'An embedding under one model: a table of pgsim_data, or an adopted column of the base table.';

-- No foreign key to the version, whose history outlives it.
CREATE TABLE pgsim._transition (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    embedding_id int NOT NULL REFERENCES pgsim._embedding ON DELETE CASCADE,
    version_id int NOT NULL,
    model text NOT NULL,
    action text NOT NULL,
    from_state text,
    to_state text,
    previous_version int,
    previous_model text,
    forced boolean NOT NULL,
    reason text,
    gates jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    by_role text NOT NULL DEFAULT current_user
);
CREATE INDEX _transition_version ON pgsim._transition (version_id, id);
COMMENT ON TABLE pgsim._transition IS 'Every step in the life of every version: who took it, when, why, and what the gates said. Of an activation and a rollback, previous is what was active before.';

CREATE TABLE pgsim._gate (
    embedding_id int NOT NULL REFERENCES pgsim._embedding ON DELETE CASCADE,
    name text NOT NULL,
    minimum float8 NOT NULL,
    max_age interval NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (embedding_id, name)
);
COMMENT ON TABLE pgsim._gate IS 'What a version has to reach, by a measurement not older than max_age, before it is activated.';

CREATE TABLE pgsim._quality (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id int NOT NULL REFERENCES pgsim._version ON DELETE CASCADE,
    name text NOT NULL,
    value float8 NOT NULL,
    details jsonb NOT NULL,
    measured_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    measured_by text NOT NULL DEFAULT current_user
);
CREATE INDEX _quality_version ON pgsim._quality (version_id, name, id);
COMMENT ON TABLE pgsim._quality IS 'What was measured of versions, for gates to look at.';

CREATE TABLE pgsim._probe (
    model_id int NOT NULL REFERENCES pgsim._model ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('document', 'query')),
    text text NOT NULL,
    vector vector NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model_id, kind, text)
);
COMMENT ON TABLE pgsim._probe IS 'Texts and the vectors that a model gave for them, by which it is known again.';

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
    map_id int REFERENCES pgsim._map,
    complete boolean NOT NULL DEFAULT true,
    -- Codes that are to take the place of others are made beside them; those that have left their place wait for searches that read them.
    place text NOT NULL DEFAULT 'serving' CHECK (place IN ('serving', 'beside', 'leaving')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (version_id, name)
);
CREATE UNIQUE INDEX _index_codes ON pgsim._index (version_id, place) WHERE method = 'codes' AND place <> 'leaving';
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
    ef_looks float8,
    ef_typical float8[],
    start float8,
    candidate float8,
    rank_row float8,
    reached float8
);

-- margins: how much farther than expected the codes of true neighbours lie, of bits in standard deviations, of directions in cosine distance, one for each of
-- pgsim._recall_levels(). For each of pgsim._depths() the logarithm of what an index misses is a line over
-- that of ef_search, of this intercept and the one slope, where queries whose last row lies beyond ef_typical look again, by an ef that grows by exp(.6 + ef_far * (distance - typical)); ef_looks
-- is how much longer than the first looks all together take.
-- Times are in seconds. What was not measured is NULL, and a default serves.
CREATE TABLE pgsim._calibration (
    version_id int PRIMARY KEY REFERENCES pgsim._version ON DELETE CASCADE,
    rows float8 NOT NULL,
    queries int NOT NULL,
    margins float8[],
    ef_intercepts float8[],
    ef_slope float8,
    ef_far float8,
    ef_looks float8,
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

-- Of a shallow model's prefix: the share of the true ten by the whole model that is found among so many candidates. map_id: the query was not the shallow model's, but mapped to it.
CREATE TABLE pgsim._layer (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id int NOT NULL REFERENCES pgsim._version ON DELETE CASCADE,
    shallow_id int NOT NULL REFERENCES pgsim._version ON DELETE CASCADE,
    map_id int REFERENCES pgsim._map ON DELETE CASCADE,
    dims int NOT NULL,
    kept int[] NOT NULL,
    recalls float8[] NOT NULL,
    queries int NOT NULL,
    measured_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (version_id, shallow_id, map_id, dims)
);
COMMENT ON TABLE pgsim._layer IS 'What a shallow layer finds of the whole model''s answers: pgsim.measure_layers writes it, pgsim.search_layers reads it.';

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
    recall float8,
    keys text[]
);
CREATE INDEX _search_log_collection ON pgsim._search_log (collection_id, at);
COMMENT ON TABLE pgsim._search_log IS 'The share of searches that pgsim.record_searches asks for: their shapes, times and, of those audited, their recall.';

-- No foreign key: it would have writers of the base table lock the version's row, and fail when that is dropped meanwhile.
CREATE TABLE pgsim._queue (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Negative, that of a collection: rows of it were written, and it is not sure that all its versions were told.
    version_id int NOT NULL,
    -- removed: the vector went, and the row may want another one.
    operation text NOT NULL CHECK (operation IN ('upsert', 'delete', 'removed')),
    keys text[] NOT NULL,
    -- Workers take entries by place, then id: changes (0) before rows that never had a vector (1), which come in the order asked for.
    place smallint NOT NULL DEFAULT 0,
    queued_at timestamptz NOT NULL DEFAULT now()
);
-- Compressing the keys would cost a bulk insert as much as collecting them.
ALTER TABLE pgsim._queue ALTER COLUMN keys SET STORAGE EXTERNAL;
CREATE INDEX _queue_version ON pgsim._queue (version_id, place, id);
COMMENT ON TABLE pgsim._queue IS
    'Keys whose vectors are missing or stale, up to 2000 a row: appending is all a writer pays, and no writer ever waits for a worker.';

-- Moved when all vectors of a version may have gone at once, and what was found of it before stands no more.
CREATE SEQUENCE pgsim._truncation;
COMMENT ON SEQUENCE pgsim._truncation IS 'Counts how often version tables were emptied, or not watched.';

-- What the workers of a version share, on whatever machine: whether they may go on, how fast, and for how much. price: of 1000 tokens.
-- next_at: when the next call may begin. done: rows stored by workers that have left.
CREATE TABLE pgsim._backfill (
    version_id int PRIMARY KEY REFERENCES pgsim._version ON DELETE CASCADE,
    paused_at timestamptz,
    paused_by text,
    reason text,
    calls_a_second float8,
    rows_a_second float8,
    calls_a_day bigint,
    tokens_a_day bigint,
    money_a_day numeric,
    price numeric,
    next_at timestamptz NOT NULL DEFAULT '-infinity',
    done bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE pgsim._backfill IS 'What the workers of a version obey: pause, rate and budget.';

CREATE TABLE pgsim._spending (
    version_id int NOT NULL REFERENCES pgsim._version ON DELETE CASCADE,
    day date NOT NULL,
    calls bigint NOT NULL,
    tokens bigint NOT NULL,
    money numeric NOT NULL,
    PRIMARY KEY (version_id, day)
);
COMMENT ON TABLE pgsim._spending IS 'What embedders were asked for on a day (UTC): noted before each call, so that no crash makes a budget larger.';

-- A worker holds the session's advisory lock (the oid of this table, id) while it lives. Whoever gets that lock knows that it does not.
CREATE TABLE pgsim._worker (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id int NOT NULL REFERENCES pgsim._version ON DELETE CASCADE,
    name text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done bigint NOT NULL DEFAULT 0,
    rate float8
);
COMMENT ON TABLE pgsim._worker IS 'Workers that embed rows of a version, what they have stored, and how many rows a second of late.';

-- No transaction is open while an embedder works: what it works on stands here, and goes back into the queue when its worker is gone or takes too long.
CREATE TABLE pgsim._batch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_id int NOT NULL REFERENCES pgsim._version ON DELETE CASCADE,
    worker_id int,
    keys text[] NOT NULL,
    hashes bytea[] NOT NULL,
    expires_at timestamptz NOT NULL
);
-- They live for a second: compressing them would cost more than writing them.
ALTER TABLE pgsim._batch ALTER COLUMN keys SET STORAGE EXTERNAL, ALTER COLUMN hashes SET STORAGE EXTERNAL;
CREATE INDEX _batch_version ON pgsim._batch (version_id);
COMMENT ON TABLE pgsim._batch IS 'Rows that are with a worker, and the hashes of the texts that it was given.';

CREATE TABLE pgsim._poison (
    version_id int NOT NULL REFERENCES pgsim._version ON DELETE CASCADE,
    key text NOT NULL,
    source_hash bytea NOT NULL,
    error text NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version_id, key)
);
COMMENT ON TABLE pgsim._poison IS 'Rows whose text an embedder could not embed, and what it said. They wait until the text changes, or pgsim.retry_poison.';

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
    -- False while rows that changed during the filling are still to be read again. Those are of transactions since filled_from, but for some of which the
    -- filling saw all.
    built boolean NOT NULL DEFAULT true,
    filled_from xid8,
    filled_with xid[],
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

-- All that a call needs to know of one version; pgsim._target finds it. The _sql columns are names quoted for SQL. Seen through a slice (pgsim._slice_target), dim is the slice's.
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
    codes_dims int,
    codes_element text,
    codes_map int,
    record_share float8,
    audit_share float8,
    record_values boolean,
    map_id int,
    follows int,
    prefix_metric text,
    slice int4range,
    slice_name text
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
-- shortlist, how many they list at most, and margin, how much farther than expected codes may lie. Of an index: wanted, how many rows
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

GRANT SELECT ON pgsim._map, pgsim._release, pgsim._collection, pgsim._model, pgsim._embedding, pgsim._version, pgsim._index, pgsim._calibration, pgsim._layer, pgsim._text, pgsim._text_backend, pgsim._fusion TO PUBLIC;
GRANT SELECT ON pgsim._transition, pgsim._gate, pgsim._quality, pgsim._probe TO PUBLIC;

CREATE VIEW pgsim.collections AS
SELECT c.name, c.relation, c.key_columns, c.text_columns, c.text_config, c.filter_columns, c.created_at
FROM pgsim._collection AS c;
COMMENT ON VIEW pgsim.collections IS 'Tables registered for search.';

CREATE VIEW pgsim.models AS
SELECT m.name, m.dim, m.metric, m.element, m.matryoshka, m.layer, m.query_prefix, m.document_prefix, m.properties, m.created_at,
       b.name AS base_model, p.name AS map, coalesce(p.dim_in, m.dim) AS input_dim, m.slices
FROM pgsim._model AS m
LEFT JOIN pgsim._map AS p ON p.id = m.map_id
LEFT JOIN pgsim._model AS b ON b.id = p.from_model_id;
COMMENT ON VIEW pgsim.models IS 'Embedding models, each at one revision. A derived one is its base model, mapped: its queries and vectors are given with input_dim numbers, in that one''s space.';

CREATE VIEW pgsim.maps AS
SELECT p.name, f.name AS from_model, coalesce(t.name, d.name) AS to_model, p.kind, p.dim_in, p.dim_out, p.normalized, p.keeps_scores,
       p.query_components IS NOT NULL AS maps_queries_apart, p.properties, p.created_at
FROM pgsim._map AS p
JOIN pgsim._model AS f ON f.id = p.from_model_id
LEFT JOIN pgsim._model AS t ON t.id = p.to_model_id
LEFT JOIN pgsim._model AS d ON d.map_id = p.id;
COMMENT ON VIEW pgsim.maps IS 'Maps of models'' spaces: of which model, into which, how, whether full-width scores stay as they are, and what was measured.';

CREATE VIEW pgsim.embeddings AS
SELECT c.name AS collection, e.name, e.source_columns, m.name AS active_model, e.created_at
FROM pgsim._embedding AS e
JOIN pgsim._collection AS c ON c.id = e.collection_id
LEFT JOIN pgsim._version AS v ON v.embedding_id = e.id AND v.state = 'active'
LEFT JOIN pgsim._model AS m ON m.id = v.model_id;
COMMENT ON VIEW pgsim.embeddings IS 'Named vectors of each collection, and the model that answers now.';

CREATE VIEW pgsim.versions AS
SELECT v.id, c.name AS collection, e.name AS embedding, m.name AS model, v.state, v.relation, v.column_name, v.adopted, v.created_at,
       s.at AS state_since, s.by_role AS state_by
FROM pgsim._version AS v
JOIN pgsim._model AS m ON m.id = v.model_id
JOIN pgsim._embedding AS e ON e.id = v.embedding_id
JOIN pgsim._collection AS c ON c.id = e.collection_id
LEFT JOIN LATERAL (SELECT t.at, t.by_role FROM pgsim._transition AS t WHERE t.version_id = v.id ORDER BY t.id DESC LIMIT 1) AS s ON true;
COMMENT ON VIEW pgsim.versions IS 'Versions of each embedding: model, state, since when and by whom, and where the vectors are.';

CREATE VIEW pgsim.history AS
SELECT t.id, c.name AS collection, e.name AS embedding, t.model, t.action, t.from_state, t.to_state, t.previous_model, t.forced, t.reason, t.gates, t.at, t.by_role
FROM pgsim._transition AS t
JOIN pgsim._embedding AS e ON e.id = t.embedding_id
JOIN pgsim._collection AS c ON c.id = e.collection_id;
COMMENT ON VIEW pgsim.history IS 'Every step in the life of every version: who, when, why, and what the gates said. previous_model: what an activation or a rollback took the place of.';

CREATE VIEW pgsim.gates AS
SELECT c.name AS collection, e.name AS embedding, g.name, g.minimum, g.max_age, g.created_at
FROM pgsim._gate AS g
JOIN pgsim._embedding AS e ON e.id = g.embedding_id
JOIN pgsim._collection AS c ON c.id = e.collection_id;
COMMENT ON VIEW pgsim.gates IS 'What a version of each embedding has to reach before it is activated.';

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
       coalesce(q.upserts, 0) AS pending, coalesce(q.deletes, 0) AS pending_deletes, q.oldest,
       coalesce(t.taken, 0) AS taken, (coalesce(f.done, 0) + coalesce(w.done, 0))::bigint AS done,
       (SELECT count(*) FROM pgsim._poison AS p WHERE p.version_id = v.id) AS poison,
       coalesce(w.workers, 0) AS workers, w.rate,
       make_interval(secs => (coalesce(q.upserts, 0) + coalesce(t.taken, 0)) / nullif(w.rate, 0)) AS eta,
       f.paused_at, f.paused_by, f.reason, f.calls_a_second, f.rows_a_second,
       coalesce(s.calls, 0) AS calls_today, f.calls_a_day, coalesce(s.tokens, 0) AS tokens_today, f.tokens_a_day,
       coalesce(s.money, 0) AS money_today, f.money_a_day, f.price
FROM pgsim._version AS v
JOIN pgsim._model AS m ON m.id = v.model_id
JOIN pgsim._embedding AS e ON e.id = v.embedding_id
JOIN pgsim._collection AS c ON c.id = e.collection_id
LEFT JOIN pgsim._backfill AS f ON f.version_id = v.id
LEFT JOIN pgsim._spending AS s ON s.version_id = v.id AND s.day = (now() AT TIME ZONE 'UTC')::date
LEFT JOIN LATERAL (
    SELECT sum(cardinality(q.keys)) FILTER (WHERE q.operation = 'upsert') AS upserts,
           sum(cardinality(q.keys)) FILTER (WHERE q.operation <> 'upsert') AS deletes,
           min(q.queued_at) AS oldest
    FROM pgsim._queue AS q
    WHERE q.version_id = v.id
) AS q ON true
LEFT JOIN LATERAL (SELECT sum(cardinality(b.keys)) AS taken FROM pgsim._batch AS b WHERE b.version_id = v.id) AS t ON true
LEFT JOIN LATERAL (
    SELECT sum(k.done) AS done, count(*) FILTER (WHERE l.pid IS NOT NULL) AS workers, sum(k.rate) FILTER (WHERE l.pid IS NOT NULL) AS rate
    FROM pgsim._worker AS k
    LEFT JOIN pg_locks AS l ON l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = 'pgsim._worker'::regclass AND l.objid = k.id::oid
        AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()) AND l.mode = 'ExclusiveLock'
    WHERE k.version_id = v.id
) AS w ON true;
COMMENT ON VIEW pgsim.backfill_progress IS 'Rows of each version that wait for a vector, are with a worker, were stored by workers, or set aside; how many workers live, how fast they are, and what they spent today (UTC). A row changed twice before it is embedded counts twice.';

CREATE VIEW pgsim.poison_rows AS
SELECT c.name AS collection, e.name AS embedding, m.name AS model, p.key, p.error, p.set_aside_at
FROM pgsim._poison AS p
JOIN pgsim._version AS v ON v.id = p.version_id
JOIN pgsim._model AS m ON m.id = v.model_id
JOIN pgsim._embedding AS e ON e.id = v.embedding_id
JOIN pgsim._collection AS c ON c.id = e.collection_id;
COMMENT ON VIEW pgsim.poison_rows IS 'Rows that an embedder could not embed, and what it said. It shows keys, so only the owner of pgsim reads it.';

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

GRANT SELECT ON pgsim.maps, pgsim.collections, pgsim.models, pgsim.embeddings, pgsim.versions, pgsim.indexes, pgsim.fusions, pgsim.backfill_progress TO PUBLIC;
GRANT SELECT ON pgsim.history, pgsim.gates TO PUBLIC;
