-- pgsim 0.1.0. Built from the SQL source by `pgsim sql build`: do not edit.

-- Opens the script: what it needs is there, or it stops before anything is made.
DO $$
DECLARE
    installed text;
BEGIN
    IF pg_catalog.current_setting('server_version_num')::int < 150000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS036',
            MESSAGE = pg_catalog.format('the server is PostgreSQL %s; pgsim runs on 15 and later',
                                        pg_catalog.current_setting('server_version')),
            HINT = 'Upgrade the server.';
    END IF;
    SELECT e.extversion INTO installed FROM pg_catalog.pg_extension AS e WHERE e.extname = 'vector';
    IF installed IS NULL THEN
        BEGIN
            CREATE EXTENSION vector;
        EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
            RAISE EXCEPTION USING ERRCODE = 'PS030',
                MESSAGE = pg_catalog.format('the extension pgvector is not in database %I, and %s could not create it: %s',
                                            pg_catalog.current_database(), current_user, SQLERRM),
                HINT = 'Install pgvector on the server, have an administrator run CREATE EXTENSION vector, and try again.';
        END;
        SELECT e.extversion INTO installed FROM pg_catalog.pg_extension AS e WHERE e.extname = 'vector';
    END IF;
    IF pg_catalog.string_to_array(installed, '.')::int[] < '{0,8,0}'::int[] THEN
        RAISE EXCEPTION USING ERRCODE = 'PS031',
            MESSAGE = pg_catalog.format('pgvector is %s; pgsim needs 0.8.0 or later', installed),
            HINT = 'Install a newer pgvector and run ALTER EXTENSION vector UPDATE.';
    END IF;
    IF pg_catalog.string_to_array(installed, '.')::int[] < '{0,8,4}'::int[] THEN
        RAISE WARNING USING
            MESSAGE = pg_catalog.format('pgvector is %s, which can corrupt an index while it is repaired', installed),
            HINT = 'Install pgvector 0.8.4 or later, run ALTER EXTENSION vector UPDATE, and reindex.';
    END IF;
END
$$;

-- What follows names pgvector's types without their schema: the extension may live in any. The caller's search_path
-- is kept and given back at the end; inside CREATE EXTENSION the setting must be local, or it would outlive the script.
SELECT pg_catalog.set_config('pgsim.caller_search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', pg_catalog.format('pg_catalog, %I, pg_temp', n.nspname),
                             EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pgsim'))
FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'vector';

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

CREATE FUNCTION pgsim._calibrate_margins(t pgsim._target, dims int, element text, map_id int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sampled CONSTANT int := 4000;
    queries CONSTANT int := 150;
    k CONSTANT int := 10;
    sample text;
    found record;
BEGIN
    -- Rows are their own queries; a zero vector, which has no direction, is none.
    -- Each is compared with a sample of the others, exactly and by its code.
    sample := format('SELECT %s AS id, %I AS v, %s AS code FROM %s %s WHERE %2$I OPERATOR(%6$s.<=>) %2$I <> ''NaN''',
        CASE WHEN t.adopted THEN pgsim._key_text(t.base, '', t.key_columns) ELSE pgsim._key_text(t.version, '', pgsim._key_names(t.key_columns, true)) END,
        t.column_name, pgsim._code_expression(format('%I', t.column_name), t.vector_schema, t.dim, dims, element, map_id), t.version_sql,
        CASE WHEN t.rows > sampled THEN format('TABLESAMPLE SYSTEM (%s) REPEATABLE (0)', round((100.0 * sampled / t.rows)::numeric, 4)) ELSE '' END, t.vector_schema);
    EXECUTE format($sql$
        WITH s AS MATERIALIZED (%1$s LIMIT %6$s),
        q AS MATERIALIZED (SELECT * FROM s ORDER BY pg_catalog.md5(id) LIMIT %2$s),
        n AS (SELECT count(*)::float8 AS sampled FROM s),
        excess AS MATERIALIZED (
            SELECT q.id, o.excess, o.all_excess
            FROM q CROSS JOIN LATERAL (
                WITH r AS MATERIALIZED (
                    SELECT s.code %9$s q.code AS h, s.v OPERATOR(%3$s.%4$s) q.v AS d, s.v OPERATOR(%3$s.<=>) q.v AS a FROM s WHERE s.id <> q.id
                ), m AS (
                    SELECT pgsim._expected_code_distance(max(y.a), %8$s, %10$L, 0) AS best, pgsim._expected_code_distance(max(y.a), %8$s, %10$L, 1) - pgsim._expected_code_distance(max(y.a), %8$s, %10$L, 0) AS deviation FROM (SELECT x.a FROM (SELECT * FROM r ORDER BY h LIMIT %5$s) AS x ORDER BY x.d LIMIT %7$s) AS y
                )
                SELECT ARRAY(SELECT (z.h - m.best) / nullif(m.deviation, 0) FROM (SELECT r.h FROM r ORDER BY r.d LIMIT %7$s) AS z) AS excess,
                       ARRAY(SELECT (r.h - m.best) / nullif(m.deviation, 0) FROM r) AS all_excess
                FROM m
            ) AS o
        ),
        margins AS (
            SELECT percentile_disc(pgsim._recall_levels()) WITHIN GROUP (ORDER BY u.e) AS margins FROM excess CROSS JOIN LATERAL unnest(excess.excess) AS u (e)
        )
        SELECT m.margins, (SELECT count(*) FROM q) AS queries, n.sampled,
               (SELECT avg((u.e <= m.margins[6])::int) FROM excess CROSS JOIN LATERAL unnest(excess.all_excess) AS u (e)) AS kept
        FROM margins AS m CROSS JOIN n
    $sql$, sample, queries, t.vector_schema, pgsim._distance_operator(t.metric), pgsim._first_shortlist(k), 2 * sampled, k, dims, pgsim._code_distance(t.vector_schema, element), element)
    INTO found;
    IF found.queries < 10 OR found.sampled < 1000 THEN
        RETURN;
    END IF;
    INSERT INTO pgsim._calibration (version_id, rows, queries, margins)
    VALUES (t.version_id, t.rows, found.queries,
            -- Codes that keep a fifth of all rows tell them apart too little to be of use.
            CASE WHEN found.kept > .2 THEN array_fill('Infinity'::float8, ARRAY[cardinality(pgsim._recall_levels())]) ELSE found.margins END)
    ON CONFLICT (version_id) DO UPDATE SET margins = excluded.margins;
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_margins IS
    'Measures how much farther apart than expected the codes of true neighbours are, on a sample of rows against one another; without a thousand rows the defaults stay.';

CREATE FUNCTION pgsim._check_codes(t pgsim._target, dims int, element text, where_filter jsonb, options jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p pgsim._map;
BEGIN
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._require_dense(t, 'codes are');
    IF coalesce(dims, t.dim) NOT BETWEEN 1 AND t.dim OR coalesce(element, 'bit') NOT IN ('bit', 'halfvec') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dims is %s and element %L; codes hold the first dimensions, 1 to %s of model %L, as bit or halfvec', coalesce(dims::text, 'NULL'), left(element, 80), t.dim, t.model),
            HINT = 'Leave both out for one bit a dimension. Where a short prefix says most (a Matryoshka model, a rotated one), some 128 dimensions as halfvec list far fewer rows.';
    ELSIF jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'options is not a JSON object', HINT = 'For instance: options => ''{"map": "rotated"}''.';
    ELSIF where_filter IS NOT NULL OR coalesce(options, '{}') - 'map' <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'where_filter and options other than map do not go with codes, which hold every row', HINT = 'Leave them out.';
    END IF;
    IF options ? 'map' THEN
        p := pgsim._map_row(options ->> 'map');
        IF p.query_components IS NOT NULL OR p.bias IS NOT NULL OR p.dim_out < coalesce(dims, t.dim) OR t.model <> (SELECT m.name FROM pgsim._model AS m WHERE m.id = p.from_model_id) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('map %L is of kind %s, from model %L to %s dimensions; codes of model %L take one from that model to %s dimensions or more, without query_matrix and bias', p.name, p.kind,
                                                                      (SELECT m.name FROM pgsim._model AS m WHERE m.id = p.from_model_id), p.dim_out, t.model, coalesce(dims, t.dim)),
                HINT = 'Codes of rows and queries are compared, so that both are mapped alike. Fit one with "pgsim ladder fit --method pca".';
        END IF;
        -- No vector of length one has an inner product with a component that is greater than this, nor any part of the sum.
        IF pgsim._longer_than(p.components, 1e38) > 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('component %s of map %L is longer than 1e38, so that some vectors would have no image', pgsim._longer_than(p.components, 1e38), p.name), HINT = 'Store the map anew with all its components divided by the same number: codes tell directions.';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_codes IS 'Raises PS010 for an argument of create_index that codes do not take, and PS032 unless the caller owns the table.';

CREATE FUNCTION pgsim._code_distance(vector_schema text, element text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN format('OPERATOR(%s.%s)', vector_schema, CASE element WHEN 'bit' THEN '<~>' ELSE '<#>' END);
COMMENT ON FUNCTION pgsim._code_distance IS 'The operator that compares codes: how many bits differ, or the negative cosine.';

CREATE FUNCTION pgsim._code_expression(value text, vector_schema text, dim int, dims int, element text, map_id int) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF map_id IS NOT NULL THEN
        -- Read once a statement, and no more of it than is needed. Of length one, no vector is too long for the map.
        value := format('pgsim._mapped((SELECT m.components[1:%s] FROM pgsim._map AS m WHERE m.id = %s), NULL, true, %s::%s.vector)', dims, map_id, value, vector_schema);
    ELSIF dims < dim THEN
        value := format('%s.subvector(%s, 1, %s)', vector_schema, value, dims);
    END IF;
    -- Of length one, a prefix never overflows half precision.
    RETURN CASE element WHEN 'bit' THEN format('%s.binary_quantize(%s)', vector_schema, value)
                        ELSE format('%s.l2_normalize(%s)::%1$s.halfvec(%3$s)', vector_schema, value, dims) END;
END
$$;
COMMENT ON FUNCTION pgsim._code_expression IS 'The code of a vector, or of its image under a map: the signs of its first dims dimensions, or their direction in half precision.';

CREATE FUNCTION pgsim._codes_code(t pgsim._target, codes regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pgsim._code_expression(format('%s.%I', CASE WHEN t.adopted THEN 'b' ELSE 'v' END, t.column_name), t.vector_schema, t.dim, i.dims, i.element, i.map_id)
    FROM pgsim._index AS i
    WHERE i.version_id = t.version_id AND i.relation = codes;
END;
COMMENT ON FUNCTION pgsim._codes_code IS 'The expression that codes hold of a row: b is the base table, v the version table.';

CREATE FUNCTION pgsim._codes_columns(key_columns text[], filter_columns text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN key_columns || ARRAY(SELECT f.name FROM pg_catalog.unnest(filter_columns) WITH ORDINALITY AS f (name, ordinal) WHERE f.name <> ALL (key_columns) ORDER BY f.ordinal);
COMMENT ON FUNCTION pgsim._codes_columns IS 'The columns of a base table that codes mirror: its key, and the declared filter columns.';

CREATE FUNCTION pgsim._codes_definitions(base regclass, columns text[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- The type under a domain: a row of codes may be there before its filter columns are, and no check of a domain is to see it.
    WITH RECURSIVE under AS (
        SELECT k.ordinal, k.name, a.atttypid AS type, a.atttypmod AS modifier, a.attcollation
        FROM unnest(columns) WITH ORDINALITY AS k (name, ordinal) JOIN pg_attribute AS a ON a.attrelid = base AND a.attname = k.name AND NOT a.attisdropped
        UNION ALL
        SELECT u.ordinal, u.name, t.typbasetype, t.typtypmod, u.attcollation FROM under AS u JOIN pg_type AS t ON t.oid = u.type AND t.typtype = 'd'
    )
    SELECT string_agg(format('%I %s%s', u.name, format_type(u.type, u.modifier),
                             CASE WHEN u.attcollation <> t.typcollation THEN format(' COLLATE %I.%I', n.nspname, o.collname) ELSE '' END),
                      ', ' ORDER BY u.ordinal)
    FROM under AS u JOIN pg_type AS t ON t.oid = u.type AND t.typtype <> 'd'
    LEFT JOIN pg_collation AS o ON o.oid = u.attcollation
    LEFT JOIN pg_namespace AS n ON n.oid = o.collnamespace;
END;
COMMENT ON FUNCTION pgsim._codes_definitions IS 'Columns of a base table as its codes declare them: same types, but what lies under a domain, and same collations.';

CREATE FUNCTION pgsim._is_ordered(type oid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT FROM pg_catalog.pg_type AS t
    WHERE t.oid = type AND t.typtype IN ('b', 'e', 'r', 'd') AND t.typcategory <> 'A'
      AND EXISTS (SELECT FROM pg_catalog.pg_opclass AS o JOIN pg_catalog.pg_am AS m ON m.oid = o.opcmethod
                  WHERE m.amname = 'btree' AND o.opcdefault
                    AND o.opcintype IN (t.oid, t.typbasetype, CASE t.typtype WHEN 'e' THEN 'anyenum'::pg_catalog.regtype WHEN 'r' THEN 'anyrange'::pg_catalog.regtype
                                                              ELSE CASE t.typname WHEN 'varchar' THEN 'text'::pg_catalog.regtype END END))
);
COMMENT ON FUNCTION pgsim._is_ordered IS 'Whether a btree can hold a type; arrays are left to GIN.';

CREATE FUNCTION pgsim._codes_indexes(base regclass, codes regclass, columns text[]) RETURNS TABLE (column_name text, method text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT n.name,
           CASE WHEN own.methods @> '{gin}' OR t.typname = 'jsonb' THEN 'gin'
                WHEN NOT pgsim._is_ordered(t.oid) THEN NULL
                WHEN t.typlen > 0 OR t.typtype = 'e' OR t.typname = 'numeric' OR own.methods @> '{btree}' THEN 'btree'
                WHEN hashed.type THEN 'hash' END
    FROM unnest(columns) WITH ORDINALITY AS n (name, ordinal)
    JOIN pg_attribute AS a ON a.attrelid = base AND a.attname = n.name AND NOT a.attisdropped
    JOIN pg_attribute AS k ON k.attrelid = codes AND k.attname = n.name
    JOIN pg_type AS t ON t.oid = k.atttypid
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(m.amname::text), '{}') AS methods
        FROM pg_index AS x JOIN pg_class AS r ON r.oid = x.indexrelid JOIN pg_am AS m ON m.oid = r.relam JOIN pg_opclass AS o ON o.oid = x.indclass[0]
        WHERE x.indrelid = base AND x.indkey[0] = a.attnum AND o.opcdefault AND x.indpred IS NULL
    ) AS own
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM pg_opclass AS o JOIN pg_am AS m ON m.oid = o.opcmethod AND m.amname = 'hash'
                       WHERE o.opcdefault AND o.opcintype = CASE t.typname WHEN 'varchar' THEN 'text'::regtype
                             ELSE coalesce((SELECT r.rngsubtype FROM pg_range AS r WHERE r.rngtypid = t.oid), t.oid) END) AS type
    ) AS hashed
    ORDER BY n.ordinal;
END;
COMMENT ON FUNCTION pgsim._codes_indexes IS
    'The index that codes get on each filter column, NULL for none. What a btree or GIN index may refuse for its length is indexed so only where the base table''s own index refuses it too; otherwise a writer would fail for pgsim''s sake.';

CREATE FUNCTION pgsim._codes_kept(base regclass, version_id int, mirrored text[], place text = 'serving') RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A trigger depends on the columns that its condition reads, whatever they are called by now.
    RETURN EXISTS (
        SELECT FROM pgsim._index AS i JOIN pg_trigger AS g ON g.tgrelid = base AND g.tgname = format('!pgsim_codes_%s_update', i.id) AND g.tgenabled IN ('O', 'A')
        WHERE i.version_id = _codes_kept.version_id AND i.method = 'codes' AND i.place = _codes_kept.place
          AND cardinality(mirrored) = (SELECT count(DISTINCT a.attnum) FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                                       WHERE d.classid = 'pg_trigger'::regclass AND d.objid = g.oid AND d.refobjid = base AND a.attname = ANY (mirrored)));
END
$$;
COMMENT ON FUNCTION pgsim._codes_kept IS 'Whether the base table still tells its codes of changes of just the columns that they mirror: none was renamed or dropped, and the trigger is there and enabled.';

CREATE FUNCTION pgsim._codes_problems(c pgsim._collection, version_id int, subject text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    k record;
    problems text;
    again text;
BEGIN
    RETURN QUERY
        SELECT 'warning', subject, format('codes %s are %s', i.name, CASE i.place WHEN 'beside' THEN 'being made in place of others, or were left by what ended before they were whole' ELSE 'no longer used: others took their place' END),
               format('SELECT pgsim.drop_index(%L)', i.relation::text)
        FROM pgsim._index AS i JOIN pg_class AS r ON r.oid = i.relation
        WHERE i.version_id = _codes_problems.version_id AND i.method = 'codes' AND i.place <> 'serving';
    SELECT i.*, r.oid IS NULL AS gone, v.model, v.embedding INTO k
    FROM pgsim._index AS i JOIN pgsim.versions AS v ON v.id = i.version_id LEFT JOIN pg_class AS r ON r.oid = i.relation
    WHERE i.version_id = _codes_problems.version_id AND i.method = 'codes' AND i.place = 'serving';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    again := format('SELECT pgsim.create_index(%L, %L, embedding => %L, method => ''codes'')', c.name, k.model, k.embedding);
    IF k.gone THEN
        RETURN QUERY SELECT 'error', subject, format('codes %s are gone', k.name), format('DELETE FROM pgsim._index WHERE id = %s; SELECT pgsim.sync_privileges(%L); %s', k.id, c.name, again);
        RETURN;
    END IF;
    again := format('SELECT pgsim.drop_index(%L); %s', k.relation::text, again);
    IF NOT k.complete THEN
        RETURN QUERY SELECT 'error', subject, format('codes %s are not complete: their build failed or is under way, or a column that they mirror was renamed', k.name), again;
    END IF;
    IF k.complete AND NOT pgsim._codes_kept(c.relation, version_id, pgsim._codes_columns(c.key_columns, c.filter_columns)) THEN
        RETURN QUERY SELECT 'error', subject, format('codes %s are not told of changes of all columns that they mirror, and serve no search', k.name), again;
    END IF;
    SELECT string_agg(format('%s %s %s', CASE WHEN d.missing THEN 'lack' ELSE 'have beyond it' END, d.privilege, d.grantee), ', ') INTO problems
    FROM pgsim._privilege_drift(c.relation, k.relation, '{SELECT}') AS d;
    IF problems IS NOT NULL OR pgsim._codes_security_drift(c.relation, k.relation) THEN
        RETURN QUERY SELECT 'error', subject, format('codes %s are not as open as %s is: they %s', k.name, c.relation, coalesce(problems, 'differ in row-level security')),
            format('SELECT pgsim.sync_privileges(%L)', c.name);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._codes_problems IS 'What is wrong with the codes of a version, for pgsim.check.';

CREATE FUNCTION pgsim._codes_refusal(p pgsim._search_plan) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    previous jsonb;
BEGIN
    previous := pgsim._set(p.settings);
    PERFORM pgsim._plan(format(E'SELECT FROM (SELECT * FROM %s) AS %I WHERE %s', (p.target).codes_sql, (SELECT r.relname FROM pg_class AS r WHERE r.oid = (p.target).base), p.predicate),
                        p.given, NULL);
    PERFORM pgsim._set(previous);
    RETURN NULL;
EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
    -- What was set is undone with the block.
    RETURN 'where_sql does not hold over key and filter columns alone: ' || SQLERRM;
END
$$;
COMMENT ON FUNCTION pgsim._codes_refusal IS 'Why a condition in SQL cannot be read over codes, or NULL: it may name other columns than where_columns says, the table by its schema, or its rows as a whole.';

CREATE FUNCTION pgsim._first_shortlist(k int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(50, 3 * k);
COMMENT ON FUNCTION pgsim._first_shortlist IS 'How many rows a scan of codes ranks exactly at first; the codes of the best of them say how much further to look.';

CREATE FUNCTION pgsim._expected_shortlist(depth int, margin float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(pgsim._first_shortlist(depth), 50 * power(greatest(depth, 10) / 10.0, 0.75) * exp(1.3 * margin));
COMMENT ON FUNCTION pgsim._expected_shortlist IS 'How many rows a scan of codes is expected to rank by their vectors, within a margin in standard deviations of bits. (Fitted on 384 dimensions, 300 to 63000 rows, k of 10 and 100.)';

CREATE FUNCTION pgsim._codes_seconds(c pgsim._calibration, n float8, depth int, margin float8, element text) RETURNS float8
LANGUAGE sql IMMUTABLE
-- Directions differ by distances, which mean the more the wider they scatter. (Fitted on prefixes of 64 to 192 of 384 dimensions, as they are and rotated, among 17000 to 131000 rows.)
RETURN 0.3e-3 + n * c.code_row + least(n, pgsim._expected_shortlist(depth, CASE element WHEN 'halfvec' THEN 11 * (margin - c.margins[1]) ELSE margin END)) * c.keep_row;
COMMENT ON FUNCTION pgsim._codes_seconds IS 'What a search by codes is expected to cost when n rows match.';

CREATE FUNCTION pgsim._codes_security_drift(base regclass, codes regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT b.relrowsecurity <> k.relrowsecurity OR b.relrowsecurity <> EXISTS (
        SELECT FROM pg_policy AS p JOIN pg_depend AS d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
        WHERE p.polrelid = codes AND p.polname = 'pgsim_read' AND d.refobjid = base)
    FROM pg_class AS b CROSS JOIN pg_class AS k
    WHERE b.oid = base AND k.oid = codes;
END;
COMMENT ON FUNCTION pgsim._codes_security_drift IS 'Whether codes are open to those whom row-level security of their base table binds.';

CREATE FUNCTION pgsim._codes_statement(p pgsim._search_plan, selected text, carried text, stored text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    first int := least(p.shortlist, pgsim._first_shortlist(p.depth));
    keys text := '';
    key_match text := '';
    key_order text := '';
    listed text;
    head text;
    ranked text;
BEGIN
    FOR i IN 1 .. cardinality(t.key_columns) LOOP
        keys := keys || format('c.%I AS k_%s, ', t.key_columns[i], i);
        key_match := key_match || format('%I OPERATOR(pg_catalog.=) pgsim_listed.k_%s AND ', t.key_columns[i], i);
        key_order := key_order || format(', k_%s', i);
    END LOOP;
    -- A map is no constant, and a query of its own maps the query vector once.
    listed := format('SELECT %sc.code %s %s AS h FROM %s AS c WHERE c.code IS NOT NULL ORDER BY h LIMIT %s',
        keys, pgsim._code_distance(t.vector_schema, t.codes_element), format(CASE WHEN t.codes_map IS NULL THEN '%s' ELSE '(SELECT %s)' END, pgsim._code_expression('$2', t.vector_schema, t.dim, t.codes_dims, t.codes_element, t.codes_map)),
        CASE WHEN p.predicate IS NULL THEN t.codes_sql
             -- Under the base table's name, by which a condition in SQL may call its columns.
             ELSE format(E'(SELECT * FROM %s AS %I WHERE %s\n)', t.codes_sql, (SELECT r.relname FROM pg_class AS r WHERE r.oid = t.base), p.predicate) END,
        p.shortlist);
    -- The base table has the last word on whether a row matches. One row at a time by its key, whatever the planner expects.
    head := format('SELECT %s, %s OPERATOR(%s.%s) $2 AS d_1%s FROM (SELECT * FROM pgsim_codes ', selected, stored, t.vector_schema, pgsim._distance_operator(t.metric),
        CASE t.metric WHEN 'cosine' THEN '' ELSE format(', %s OPERATOR(%s.<=>) $2 AS a', stored, t.vector_schema) END);
    ranked := format(') AS pgsim_listed CROSS JOIN LATERAL (SELECT * FROM %s WHERE %s LIMIT 1) AS b%s', t.base_sql,
        CASE WHEN p.predicate IS NULL THEN left(key_match, -5) ELSE format(E'%s(%s\n)', key_match, p.predicate) END,
        CASE WHEN t.adopted THEN '' ELSE format(' JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END);
    RETURN format('WITH pgsim_codes AS MATERIALIZED (%s), ', listed)
        || format('pgsim_first AS MATERIALIZED (%s ORDER BY d_1%s LIMIT %s), ', head || 'LIMIT ' || first || ranked, key_order, p.depth)
        || format('pgsim_bound AS MATERIALIZED (SELECT CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.<) %s THEN ''Infinity'' ELSE pgsim._expected_code_distance(pg_catalog.max(%s), %s, %L, %s) END AS h FROM pgsim_first), ',
                  p.depth, CASE t.metric WHEN 'cosine' THEN 'd_1' ELSE 'a' END, t.codes_dims, t.codes_element, p.margin)
        || format('pgsim_ranked AS (SELECT d_1%s FROM pgsim_first UNION ALL SELECT d_1%1$s FROM (%s WHERE pgsim_listed.h <= (SELECT h FROM pgsim_bound)) AS l) ',
                  carried, head || 'OFFSET ' || first || ranked)
        -- A row of NULLs where none of those listed is there and matches, so that it is known how many were listed.
        || 'SELECT pgsim_ranked.*, pg_catalog.count(d_1) OVER () AS found, listed FROM (SELECT pg_catalog.count(*) AS listed FROM pgsim_codes) AS c LEFT JOIN pgsim_ranked ON true';
END
$$;
COMMENT ON FUNCTION pgsim._codes_statement IS
    'Candidates by their codes, ranked by their vectors: the best few at first, then all whose codes lie no farther than that of the farthest of the best is expected to, and a margin.';

CREATE FUNCTION pgsim._codes_triggers(c pgsim._collection) RETURNS TABLE (relation regclass, name text, definition text, arguments bytea)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    codes record;
    mirrored text[] := pgsim._codes_columns(c.key_columns, c.filter_columns);
    filtered text := pgsim._changed_condition(mirrored, c.relation);
BEGIN
    FOR codes IN
        SELECT i.id, v.relation, v.adopted, v.column_name, pgsim._changed_condition(ARRAY[v.column_name]) AS moved,
               EXISTS (SELECT FROM pg_trigger AS g JOIN pg_proc AS f ON f.oid = g.tgfoid JOIN pg_language AS l ON l.oid = f.prolang
                       WHERE g.tgrelid = v.relation AND NOT g.tgisinternal AND g.tgtype & 19 = 19 AND l.lanname NOT IN ('internal', 'c')) AS rewritten
        FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._embedding AS e ON e.id = v.embedding_id
        JOIN pg_class AS r ON r.oid = v.relation
        WHERE e.collection_id = c.id AND i.method = 'codes'
          -- Of codes whose columns are gone no trigger can be made, and none is of use.
          AND NOT EXISTS (SELECT FROM unnest(mirrored) AS m WHERE NOT EXISTS (
              SELECT FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = m AND NOT a.attisdropped))
          AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = v.relation AND a.attname = v.column_name AND NOT a.attisdropped)
    LOOP
        -- An update has row triggers with conditions: of another column it costs next to nothing, where a statement trigger would copy
        -- every row. To tell whether a vector has changed it must be read, so that is asked only of updates that name its column, or of
        -- all where a trigger of the user's may change it unnamed. Their names begin with !: triggers fire in the order of their names,
        -- and what a trigger of the user's changes further must reach the codes later.
        RETURN QUERY
            SELECT t.relation, format('!pgsim_codes_%s_%s', codes.id, t.name),
                   format('%s %s ON %s %s EXECUTE FUNCTION pgsim._keep_codes(%L, %L, %L)', CASE t.part WHEN 'begin' THEN 'BEFORE' ELSE 'AFTER' END, t.event, t.relation, t.condition, c.id, codes.id, t.part),
                   convert_to(c.id::text, 'UTF8') || '\x00' || convert_to(codes.id::text, 'UTF8') || '\x00' || convert_to(t.part, 'UTF8') || '\x00'
            FROM (VALUES
                (c.relation, 'begin', 'INSERT OR DELETE', 'FOR EACH STATEMENT WHEN (pg_catalog.current_setting(''pgsim.codes_depth'', true) <> '''')', 'begin'),
                (c.relation, 'insert', 'INSERT', 'REFERENCING NEW TABLE AS pgsim_rows FOR EACH STATEMENT', 'base'),
                (c.relation, 'delete', 'DELETE', 'REFERENCING OLD TABLE AS pgsim_rows FOR EACH STATEMENT', 'base'),
                (c.relation, 'truncate', 'TRUNCATE', 'FOR EACH STATEMENT', 'base'),
                (c.relation, 'key', 'UPDATE OF ' || pgsim._key_list('', c.key_columns, false), 'FOR EACH ROW WHEN ' || pgsim._changed_condition(c.key_columns), 'key'),
                (c.relation, 'update', 'UPDATE', 'FOR EACH ROW WHEN ' || filtered, 'base'),
                (codes.relation, CASE WHEN codes.rewritten THEN 'vector_any_update' ELSE 'vector_update' END,
                    CASE WHEN codes.rewritten THEN 'UPDATE' ELSE format('UPDATE OF %I', codes.column_name) END,
                    format('FOR EACH ROW WHEN (%s%s)', CASE WHEN codes.adopted THEN format('NOT %s AND ', filtered) ELSE '' END, codes.moved),
                    CASE WHEN codes.adopted THEN 'base' ELSE 'version' END),
                (codes.relation, 'vector_insert', 'INSERT', 'REFERENCING NEW TABLE AS pgsim_rows FOR EACH STATEMENT', 'version'),
                (codes.relation, 'vector_delete', 'DELETE', 'REFERENCING OLD TABLE AS pgsim_rows FOR EACH STATEMENT', 'version'),
                (codes.relation, 'vector_truncate', 'TRUNCATE', 'FOR EACH STATEMENT', 'version'),
                (codes.relation, 'vector_key', 'UPDATE', 'FOR EACH ROW WHEN ' || pgsim._changed_condition(pgsim._key_names(c.key_columns, true)), 'version')
            ) AS t (relation, name, event, condition, part)
            WHERE t.part <> 'version' OR NOT codes.adopted;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._codes_triggers IS
    'The triggers that keep the codes of a collection''s versions: on the base table for keys and filter columns, and where the vectors are for the codes themselves.';

CREATE FUNCTION pgsim._create_codes(t pgsim._target, fill boolean, dims int = NULL, element text = NULL, options jsonb = '{}', beside boolean = false) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    columns text[];
    table_name text;
    first_name text;
    number int := 1;
    codes regclass;
    x record;
    map_id int := (SELECT m.id FROM pgsim._map AS m WHERE m.name = options ->> 'map');
BEGIN
    dims := coalesce(dims, t.dim);
    element := coalesce(element, 'bit');
    SELECT * INTO c FROM pgsim._collection AS s WHERE s.id = t.collection_id;
    columns := pgsim._codes_columns(c.key_columns, c.filter_columns);
    beside := beside AND EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes' AND i.place = 'serving');
    IF beside AND EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes' AND i.place = 'beside') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('codes %s are being made in place of those of collection %L under model %L already', (SELECT i.relation FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes' AND i.place = 'beside'), t.collection, t.model),
            HINT = 'Wait for them. Where whoever made them is gone, drop them with pgsim.drop_index.';
    ELSIF NOT beside AND EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes' AND i.place <> 'leaving') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('collection %L has codes under model %L already', t.collection, t.model),
            HINT = 'Use them, or drop them first with pgsim.drop_index.';
    ELSIF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = t.base AND r.relkind = 'p') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is partitioned, and codes are for ordinary tables', t.base_sql),
            HINT = 'Filter by the partition key: a search that needs one partition uses that partition''s own index.';
    ELSIF 'code' = ANY (columns) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('a key or filter column of %s is called code, as the codes themselves are', t.base_sql),
            HINT = 'Rename the column, or register the table without it among filter_columns.';
    ELSIF EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.base AND a.attname = ANY (columns) AND a.attgenerated = 'v') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('a filter column of %s is generated and not stored, so that nothing tells when it changes', t.base_sql),
            HINT = 'Make it GENERATED ALWAYS AS (...) STORED, or register the table without it among filter_columns.';
    ELSIF fill AND current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('in a %s transaction codes would lack what others have committed since it began', current_setting('transaction_isolation')),
            HINT = 'Make codes in a READ COMMITTED transaction.';
    END IF;
    PERFORM pgsim._check_columns(t.base, 'filter_columns', columns);
    PERFORM pgsim._require_all_rows(t);
    first_name := pgsim._version_name(t.collection, NULL, t.model, t.version_id) || '_codes';
    table_name := first_name;
    WHILE to_regclass(format('pgsim_data.%I', table_name)) IS NOT NULL LOOP
        number := number + 1;
        table_name := first_name || number;
    END LOOP;
    EXECUTE format(
        'CREATE %s TABLE pgsim_data.%I (%s, code %s(%s), PRIMARY KEY (%s))',
        (SELECT CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED' END FROM pg_class AS r WHERE r.oid = t.base), table_name,
        pgsim._codes_definitions(t.base, columns), CASE element WHEN 'bit' THEN 'bit' ELSE format('%s.halfvec', t.vector_schema) END, dims, pgsim._key_list('', t.key_columns, false));
    codes := format('pgsim_data.%I', table_name)::regclass;
    EXECUTE format('COMMENT ON TABLE %s IS %L', codes, format('Codes of collection %s under model %s: pgsim keeps them, and reads them for filtered searches.', t.collection, t.model));
    INSERT INTO pgsim._index (version_id, name, method, dims, element, options, relation, columns, map_id, complete, place)
    VALUES (t.version_id, table_name, 'codes', dims, element, coalesce(options, '{}'), codes, columns, map_id, fill, CASE WHEN beside THEN 'beside' ELSE 'serving' END);
    IF fill THEN
        -- Writers wait from here until the transaction ends. A build that must not keep them waiting fills the codes first: with the
        -- triggers there, who changes a row that was just filled would wait for the filling transaction.
        PERFORM pgsim._sync_triggers(c);
        PERFORM pgsim._fill_codes(t, codes, c.filter_columns);
    END IF;
    FOR x IN SELECT * FROM pgsim._codes_indexes(t.base, codes, c.filter_columns) AS i WHERE i.method IS NOT NULL AND i.column_name <> ALL (t.key_columns) LOOP
        EXECUTE format('CREATE INDEX ON %s USING %s (%I)', codes, x.method, x.column_name);
    END LOOP;
    PERFORM pgsim._sync_codes_privileges(c, codes);
    IF fill THEN
        PERFORM pgsim._calibrate_margins(t, dims, element, map_id);
    END IF;
    RETURN codes;
END
$$;
COMMENT ON FUNCTION pgsim._create_codes IS
    'Makes the codes of a version: a narrow table of key, filter columns and code, its indexes and the triggers that keep it. fill false leaves it empty and unused, for pgsim._fill_codes and pgsim._finish_codes; beside, in place of those that serve.';

CREATE FUNCTION pgsim._drop_codes(version_id int, codes regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    place text := (SELECT i.place FROM pgsim._index AS i WHERE i.relation = codes);
BEGIN
    SELECT s.* INTO c FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS s ON s.id = e.collection_id
    WHERE v.id = _drop_codes.version_id;
    -- The triggers go first, and writers wait until all of it is gone.
    PERFORM pgsim._lock_tables(ARRAY(
        SELECT r.oid::regclass FROM pg_class AS r
        WHERE r.oid IN (c.relation, (SELECT v.relation FROM pgsim._version AS v WHERE v.id = _drop_codes.version_id)) ORDER BY r.oid = c.relation DESC)
        || codes);
    DELETE FROM pgsim._index AS i WHERE i.relation = codes;
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
        PERFORM pgsim._sync_triggers(c);
    END IF;
    EXECUTE format('DROP TABLE %s', codes);
    IF place = 'serving' THEN
        -- Codes of another kind are measured anew.
        UPDATE pgsim._calibration AS k SET margins = NULL, code_row = NULL WHERE k.version_id = _drop_codes.version_id;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._drop_codes IS 'Drops the codes of a version, and the triggers that kept them.';

CREATE FUNCTION pgsim._expected_bits(cosine_distance float8, dim int, margin float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT dim * parted.share + margin * sqrt(dim * parted.share * (1 - parted.share))
    FROM (SELECT acos(greatest(-1::float8, least(1::float8, 1 - cosine_distance))) / pi() AS share) AS parted
);
COMMENT ON FUNCTION pgsim._expected_bits IS
    'In how many signs two vectors at a cosine distance differ at most, but for a margin in standard deviations: of a random hyperplane, the chance to part them is their angle over pi (Charikar 2002, Similarity estimation techniques from rounding algorithms), and the signs are as many trials.';

CREATE FUNCTION pgsim._expected_code_distance(cosine_distance float8, dims int, element text, margin float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE element WHEN 'bit' THEN pgsim._expected_bits(cosine_distance, dims, margin) ELSE cosine_distance - 1 + margin END;
COMMENT ON FUNCTION pgsim._expected_code_distance IS
    'How far apart the codes of two vectors at a cosine distance are at most, but for a margin: of bits in standard deviations, of directions in cosine distance.';

CREATE FUNCTION pgsim._fill_codes(t pgsim._target, codes regclass, filter_columns text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text[] := pgsim._codes_columns(t.key_columns, filter_columns);
BEGIN
    -- In the order of the first filter column, so that its matches lie together.
    EXECUTE format(
        'INSERT INTO %s (%s, code) SELECT %s, %s FROM %s AS b%s ORDER BY %s ON CONFLICT DO NOTHING',
        codes, pgsim._key_list('', columns, false), pgsim._key_list('b.', columns, false), pgsim._codes_code(t, codes), t.base_sql,
        CASE WHEN t.adopted THEN '' ELSE format(' LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END,
        pgsim._key_list('b.', ARRAY(
            SELECT o.name FROM (SELECT f.name, 0 AS part, f.ordinal FROM unnest(filter_columns[1:1]) WITH ORDINALITY AS f (name, ordinal)
                                UNION ALL SELECT k.name, 1, k.ordinal FROM unnest(t.key_columns) WITH ORDINALITY AS k (name, ordinal)) AS o
            JOIN pg_attribute AS a ON a.attrelid = t.base AND a.attname = o.name AND NOT a.attisdropped
            WHERE pgsim._is_ordered(a.atttypid) ORDER BY o.part, o.ordinal), false));
    EXECUTE format('ANALYZE %s', codes);
END
$$;
COMMENT ON FUNCTION pgsim._fill_codes IS 'Fills codes from the base table and its vectors; rows that are there stay as they are.';

CREATE FUNCTION pgsim._finish_codes(version_id int, place text = 'serving') RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    of record;
    i pgsim._index;
BEGIN
    PERFORM pgsim._require_registrar();
    SELECT s.* INTO i FROM pgsim._index AS s WHERE s.version_id = _finish_codes.version_id AND s.method = 'codes' AND s.place = _finish_codes.place FOR UPDATE;
    SELECT v.collection, v.model, v.embedding INTO of FROM pgsim.versions AS v WHERE v.id = _finish_codes.version_id;
    t := pgsim._target(of.collection, of.model, of.embedding);
    PERFORM pgsim._require_owner(t.base);
    IF NOT pgsim._codes_kept(t.base, t.version_id, pgsim._codes_columns(t.key_columns, (pgsim._collection_row(of.collection)).filter_columns), place) THEN
        -- Writers wait until this transaction ends, so it ends with this.
        PERFORM pgsim._sync_triggers(pgsim._collection_row(of.collection));
        RETURN false;
    END IF;
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._repair_codes(t, i.relation, (pgsim._collection_row(of.collection)).filter_columns);
    -- Margins of another kind say nothing of this one.
    UPDATE pgsim._calibration AS k SET margins = NULL, code_row = NULL WHERE i.place = 'beside' AND k.version_id = i.version_id;
    PERFORM pgsim._calibrate_margins(t, i.dims, i.element, i.map_id);
    -- Those whose place they take are there for whoever reads them still, and are kept; a search that begins from here on reads the new ones.
    UPDATE pgsim._index AS s SET complete = false, place = 'leaving' WHERE i.place = 'beside' AND s.version_id = i.version_id AND s.method = 'codes' AND s.place = 'serving';
    UPDATE pgsim._index AS s SET complete = true, place = 'serving' WHERE s.id = i.id;
    RETURN true;
END
$$;
COMMENT ON FUNCTION pgsim._finish_codes IS 'The last steps of codes that were filled while rows changed, a transaction each: the triggers are made, and it is to be called again (false); what changed meanwhile is repaired, margins are measured, and searches may use them (true). What was made beside others takes their place then.';

CREATE FUNCTION pgsim._mapped(components vector[], bias vector, normalized boolean, v vector) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    -- Components that are read from a variable cost half of those read from their table for every vector. A number beyond real is none.
    SELECT CASE WHEN pg_catalog.max(abs(c.number)) <= 3.4e38 THEN pg_catalog.array_agg(c.number)::vector + coalesce(bias, pg_catalog.array_fill(0::real, ARRAY[cardinality(components)])::vector) END
    FROM (SELECT -(unnest(components) <#> n.v) AS number FROM (SELECT CASE WHEN normalized THEN l2_normalize(_mapped.v) ELSE _mapped.v END AS v OFFSET 0) AS n) AS c
);
COMMENT ON FUNCTION pgsim._mapped IS 'A vector mapped: its inner products with the components, and the bias added; NULL where that leaves what a vector holds.';

CREATE FUNCTION pgsim._prefix_is_zero(v vector, dims int) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN vector_norm(subvector(v, 1, dims)) = 0;
COMMENT ON FUNCTION pgsim._prefix_is_zero IS 'Whether the first dims dimensions of a vector are all zeros.';

CREATE FUNCTION pgsim._image_is_zero(map_id int, dims int, query vector) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT coalesce(pgsim._prefix_is_zero(pgsim._mapped(m.components[1:dims], NULL, true, query), dims), true) FROM pgsim._map AS m WHERE m.id = map_id
);
COMMENT ON FUNCTION pgsim._image_is_zero IS 'Whether codes under a map tell nothing of a query: the first dims dimensions of its image are all zeros.';

CREATE FUNCTION pgsim._keep_codes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    codes record;
    own boolean := TG_ARGV[2] = 'version';
    depth int := pg_trigger_depth();
    -- How deep in triggers rows have been written since a statement around them began.
    deepest int := CASE WHEN current_setting('pgsim.codes_depth', true) ~ '^\d{1,4}$' THEN current_setting('pgsim.codes_depth') ELSE '0' END;
    newer text := '';
    taken text[];
    source_sql text;
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        IF deepest >= depth THEN
            PERFORM set_config('pgsim.codes_depth', CASE depth WHEN 1 THEN '' ELSE depth::text END, true);
        END IF;
        RETURN NULL;
    END IF;
    SELECT i.id, i.relation::text AS relation, i.complete, v.adopted, v.column_name, c.key_columns, c.filter_columns, pgsim._code_expression(format('r.%I', v.column_name), pgsim._vector_schema(), m.dim, i.dims, i.element, i.map_id) AS code_sql,
           -- A column that was renamed is not found by its old name.
           ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped) AS readable
    INTO codes
    FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._model AS m ON m.id = v.model_id
    JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS c ON c.id = e.collection_id
    WHERE i.id = TG_ARGV[1]::int;
    IF NOT FOUND OR codes.relation ~ '^\d' THEN
        RETURN NULL;
    END IF;
    -- The base table gives keys and filter columns, and an adopted column its codes too; a version table gives codes by its own keys.
    taken := CASE WHEN own THEN pgsim._key_names(codes.key_columns, true) ELSE pgsim._codes_columns(codes.key_columns, codes.filter_columns) END;
    IF NOT taken <@ codes.readable OR (own OR codes.adopted) AND codes.column_name <> ALL (codes.readable) THEN
        IF codes.complete THEN
            PERFORM pgsim._give_up_keeping(codes.id, NULL, format('pgsim no longer uses the codes of %s: a column that they mirror was renamed or dropped', TG_RELID::regclass));
        END IF;
        RETURN NULL;
    END IF;
    IF TG_ARGV[2] = 'base' THEN
        -- A trigger of the user's may have changed a row again before the statement that brought it gets here. What this transaction has
        -- written of it is the newer then, if it was written deeper in triggers than this.
        IF TG_LEVEL = 'STATEMENT' AND deepest > depth THEN
            newer := ' AND age(k.xmin) > 0';
        ELSIF depth > greatest(deepest, 1) THEN
            PERFORM set_config('pgsim.codes_depth', depth::text, true);
        END IF;
    END IF;

    IF TG_ARGV[2] = 'key' THEN
        -- Another row may have taken the key in this very statement; what older transactions wrote there is this row's.
        EXECUTE format('DELETE FROM %s AS k WHERE %s AND age(k.xmin) > 0', codes.relation, pgsim._key_join('k.', '($1).', codes.key_columns, false)) USING OLD;
        IF NOT codes.adopted THEN
            EXECUTE format('UPDATE %s AS k SET code = NULL WHERE %s', codes.relation, pgsim._key_join('k.', '($1).', codes.key_columns, false)) USING NEW;
        END IF;
    ELSIF TG_OP = 'TRUNCATE' THEN
        EXECUTE CASE WHEN own THEN format('UPDATE %s SET code = NULL', codes.relation) ELSE format('TRUNCATE %s', codes.relation) END;
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE format(CASE WHEN own THEN 'UPDATE %s AS k SET code = NULL FROM pgsim_rows AS r WHERE %s' ELSE 'DELETE FROM %s AS k USING pgsim_rows AS r WHERE %s' END,
                       codes.relation, pgsim._key_join('k.', 'r.', codes.key_columns, own) || newer);
    ELSE
        source_sql := CASE TG_OP WHEN 'INSERT' THEN 'pgsim_rows AS r' ELSE '(SELECT ($1).*) AS r' END;
        -- Each side sets what is its own, whichever comes first. A key that was changed leaves a row behind that leads nowhere, and
        -- whose code is not that of a row which takes the key later.
        EXECUTE CASE
            WHEN own THEN format('INSERT INTO %s (%s, code) SELECT %s, %s FROM %s ON CONFLICT (%s) DO UPDATE SET code = excluded.code',
                                 codes.relation, pgsim._key_list('', codes.key_columns, false), pgsim._key_list('r.', codes.key_columns, true), codes.code_sql, source_sql,
                                 pgsim._key_list('', codes.key_columns, false))
            ELSE format('INSERT INTO %s AS k (%s%s) SELECT %s%s FROM %s ON CONFLICT (%s) DO UPDATE SET (%2$s, code) = ROW(%8$s, %9$s) WHERE true%10$s',
                                 codes.relation, pgsim._key_list('', taken, false), CASE WHEN codes.adopted THEN ', code' ELSE '' END,
                                 pgsim._key_list('r.', taken, false), CASE WHEN codes.adopted THEN ', ' || codes.code_sql ELSE '' END, source_sql,
                                 pgsim._key_list('', codes.key_columns, false), pgsim._key_list('excluded.', taken, false),
                                 CASE WHEN codes.adopted THEN 'excluded.code' WHEN TG_OP = 'INSERT' THEN 'CASE WHEN age(k.xmin) <= 0 THEN k.code END' ELSE 'k.code' END, newer)
        END USING NEW;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._keep_codes IS
    'Trigger: keeps codes up with their base table and vectors, in the writer''s own transaction. It runs as its owner, to whom codes belong, reads only what was changed, and writes nothing else.';
REVOKE ALL ON FUNCTION pgsim._keep_codes FROM PUBLIC;

CREATE FUNCTION pgsim._last_shortlist(depth int, recall float8, n float8) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(1, least(100000, greatest(1, ln(1 / greatest(1 - recall, 1e-4)) / ln(100)) * greatest(1000 * power(greatest(depth, 10) / 10.0, 0.6), least(n / 10, 10000))));
COMMENT ON FUNCTION pgsim._last_shortlist IS 'How many rows a scan of codes lists at most. (Measured: few queries need more, and a longer list costs the others its sorting.)';

CREATE FUNCTION pgsim._lock_codes(version_id int, keys text[]) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    free text[] := keys;
    codes record;
BEGIN
    -- Also of versions that are this one, mapped: what is stored here is written there by the same statement.
    FOR codes IN
        WITH RECURSIVE written AS (
            SELECT _lock_codes.version_id AS id
            UNION SELECT v.id FROM written AS w JOIN pgsim._version AS v ON v.follows = w.id)
        SELECT i.relation, c.relation AS base, c.key_columns
        FROM written AS w JOIN pgsim._index AS i ON i.version_id = w.id AND i.method = 'codes' JOIN pg_class AS r ON r.oid = i.relation
        JOIN pgsim._version AS v ON v.id = w.id JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS c ON c.id = e.collection_id
        -- As the triggers fire that a writer comes to them by: in the order of their names.
        ORDER BY (i.id || '_') COLLATE "C"
    LOOP
        EXECUTE format(
            'WITH offered AS MATERIALIZED (SELECT %1$s, k.given FROM unnest($1) AS k (given)), '
            'locked AS MATERIALIZED (SELECT i.given FROM offered AS i JOIN %2$s AS k ON %3$s FOR NO KEY UPDATE OF k %4$s) '
            'SELECT array_agg(i.given) FROM offered AS i WHERE EXISTS (SELECT FROM locked AS l WHERE l.given = i.given) OR NOT EXISTS (SELECT FROM %2$s AS k WHERE %3$s)',
            pgsim._key_parse(codes.base, 'k.given', codes.key_columns, false), codes.relation, pgsim._key_join('k.', 'i.', codes.key_columns, false),
            -- Who holds nothing else may wait.
            CASE WHEN cardinality(keys) > 1 THEN 'SKIP LOCKED' ELSE '' END)
        INTO free USING free;
    END LOOP;
    RETURN coalesce(free, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._lock_codes IS
    'Locks the codes of some rows before a worker stores their vectors, and returns the keys of those that nobody else is writing; for those of one row it waits. A writer of filter columns has codes locked in an order of its own, and two that wait for each other would not end.';
REVOKE ALL ON FUNCTION pgsim._lock_codes FROM PUBLIC;

CREATE FUNCTION pgsim._repair_codes(t pgsim._target, codes regclass, filter_columns text[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text[] := pgsim._codes_columns(t.key_columns, filter_columns);
    rows_sql text;
    differing text;
    keys text[];
    changed bigint := 0;
    step bigint;
BEGIN
    rows_sql := format('SELECT %s, %s AS code FROM %s AS b%s', pgsim._key_list('b.', columns, false), pgsim._codes_code(t, codes), t.base_sql,
        CASE WHEN t.adopted THEN '' ELSE format(' LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END);
    EXECUTE format('DELETE FROM %s AS k WHERE NOT EXISTS (SELECT FROM %s AS b WHERE %s)', codes, t.base_sql, pgsim._key_join('b.', 'k.', t.key_columns, false));
    GET DIAGNOSTICS changed = ROW_COUNT;
    differing := format('SELECT array_agg(%s) FROM (%s) AS r LEFT JOIN %s AS k ON %s WHERE k.ctid IS NULL OR record_image_ne(ROW(%s)::%3$s, k)',
        pgsim._key_text(t.base, 'r.', t.key_columns), rows_sql, codes, pgsim._key_join('r.', 'k.', t.key_columns, false),
        pgsim._key_list('r.', columns || 'code'::text, false));
    EXECUTE differing INTO keys;
    -- Few: what changed while codes were filled. Their rows are held still while they are read again.
    FOR i IN 0 .. (coalesce(cardinality(keys), 0) - 1) / 1000 LOOP
        -- FOR UPDATE keeps a first vector of a row from being stored, which takes the row's key FOR KEY SHARE.
        EXECUTE format('SELECT FROM %s AS b JOIN (SELECT %s FROM unnest($1) AS k (given)) AS g ON %s ORDER BY %s FOR %s OF b',
            t.base_sql, pgsim._key_parse(t.base, 'k.given', t.key_columns, false), pgsim._key_join('b.', 'g.', t.key_columns, false),
            pgsim._key_list('b.', t.key_columns, false), CASE WHEN t.adopted THEN 'SHARE' ELSE 'UPDATE' END) USING keys[i * 1000 + 1 : (i + 1) * 1000];
        IF NOT t.adopted THEN
            EXECUTE format('SELECT FROM %s AS v JOIN (SELECT %s FROM unnest($1) AS k (given)) AS g ON %s ORDER BY %s FOR SHARE OF v',
                t.version_sql, pgsim._key_parse(t.base, 'k.given', t.key_columns, false), pgsim._key_join('g.', 'v.', t.key_columns, true),
                pgsim._key_list('v.', t.key_columns, true)) USING keys[i * 1000 + 1 : (i + 1) * 1000];
        END IF;
        EXECUTE format('INSERT INTO %1$s AS k (%2$s, code) SELECT %3$s FROM (%4$s) AS r JOIN (SELECT %5$s FROM unnest($1) AS g (given)) AS g ON %6$s ON CONFLICT (%7$s) DO UPDATE SET (%2$s, code) = ROW(%8$s)',
            codes, pgsim._key_list('', columns, false), pgsim._key_list('r.', columns || 'code'::text, false), rows_sql,
            pgsim._key_parse(t.base, 'g.given', t.key_columns, false), pgsim._key_join('r.', 'g.', t.key_columns, false),
            pgsim._key_list('', t.key_columns, false), pgsim._key_list('excluded.', columns || 'code'::text, false)) USING keys[i * 1000 + 1 : (i + 1) * 1000];
        GET DIAGNOSTICS step = ROW_COUNT;
        changed := changed + step;
    END LOOP;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION pgsim._repair_codes IS 'Brings codes to what the base table and its vectors say now, and returns how many rows differed.';

CREATE FUNCTION pgsim._sync_codes_privileges(c pgsim._collection, codes regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registrar name := (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace AS n WHERE n.nspname = 'pgsim');
    secured boolean := (SELECT r.relrowsecurity FROM pg_class AS r WHERE r.oid = c.relation);
    drift record;
BEGIN
    -- Only the trigger that keeps them writes codes; it runs as the owner of pgsim.
    EXECUTE format('ALTER TABLE %s OWNER TO %I', codes, registrar);
    FOR drift IN SELECT * FROM pgsim._privilege_drift(c.relation, codes, '{SELECT}') LOOP
        EXECUTE format(CASE WHEN drift.missing THEN 'GRANT %s ON %s TO %s' ELSE 'REVOKE %s ON %s FROM %s' END, drift.privilege, codes, drift.grantee);
    END LOOP;
    IF NOT pgsim._codes_security_drift(c.relation, codes) THEN
        RETURN;
    END IF;
    EXECUTE format('DROP POLICY IF EXISTS pgsim_read ON %s', codes);
    EXECUTE format('ALTER TABLE %s %s ROW LEVEL SECURITY', codes, CASE WHEN secured THEN 'ENABLE' ELSE 'DISABLE' END);
    IF secured THEN
        -- Codes know nothing of policies, so whoever is bound by one does not see them, and is answered without them.
        EXECUTE format('CREATE POLICY pgsim_read ON %s FOR SELECT USING (NOT pg_catalog.row_security_active(%L::pg_catalog.regclass))', codes, c.relation);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._sync_codes_privileges IS
    'Gives codes to the owner of pgsim, with the grants to read of their base table; under row-level security nobody bound by it sees them.';

CREATE FUNCTION pgsim._try_codes(
    collection text, model text, embedding text, filters jsonb[], queries vector[], k int, recall float8, searches int, sample int, seed int, kinds jsonb[], matrix vector[]
) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    turns CONSTANT float8[] := '{0.3,0.6,0.9}';
    t pgsim._target := pgsim._target(collection, model, embedding);
    c pgsim._collection := pgsim._collection_row(collection);
    columns text[] := pgsim._codes_columns(c.key_columns, c.filter_columns);
    trial text := format('pgsim trial of codes %s', pg_backend_pid());
    copied regclass;
    copied_rows float8;
    total float8;
    found jsonb;
    asked queries%TYPE;
    drawn queries%TYPE;
    kind jsonb;
    codes regclass;
    started timestamptz;
    building float8;
    seconds float8;
    distances float8[];
    -- Of every filter and query: the distances of the true rows, and the time of ranking all that match.
    truths jsonb := '{}';
    by_exact float8[] := '{}';
    recalls float8[];
    times float8[];
    refusal text;
    tried jsonb := '[]';
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._require_dense(t, 'codes are');
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._check_k(k);
    IF t.partitioned THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('%s is partitioned, and codes are for ordinary tables', t.base_sql), HINT = 'Filter by the partition key.';
    ELSIF num_nulls(recall, searches, sample, seed) > 0 OR NOT recall BETWEEN .5 AND 1 OR searches NOT BETWEEN 1 AND 1000 OR sample NOT BETWEEN 100 AND 1000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('recall is %s, searches %s, sample %s, seed %s; allowed are a share from 0.5 to 1, 1 to 1000 queries, and 100 to 1000000 rows', recall, searches, sample, seed),
            HINT = 'Leave them out for the defaults.';
    END IF;
    asked := pgsim._recall_queries(collection, queries, model, embedding, searches, seed);
    IF t.map_id IS NOT NULL THEN
        asked := pgsim._mapped_queries(t, asked);
    END IF;
    IF cardinality(asked) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('collection %L has no vectors to ask for', collection), HINT = 'Store vectors first.';
    END IF;
    IF queries IS NULL THEN
        -- What is asked lies somewhat off every row.
        drawn := asked;
        FOR i IN 1 .. cardinality(asked) LOOP
            asked[i] := pgsim._turned(drawn[i], ARRAY(SELECT drawn[1 + (17 * i + 7 * j) % cardinality(drawn)] FROM generate_series(1, 16) AS j), turns[1 + i % 3]);
        END LOOP;
    END IF;

    IF NOT has_schema_privilege(t.base_schema, 'CREATE') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not make a table in schema %s, where a copy of some rows is searched', current_user, t.base_schema), HINT = format('GRANT CREATE ON SCHEMA %s TO %I.', t.base_schema, current_user);
    END IF;
    -- A table of its own, dropped below; who breaks off leaves nothing, since it is one transaction.
    total := greatest(CASE WHEN t.rows < 0 THEN pgsim._rows_estimate(t.base) ELSE t.rows END, 1);
    EXECUTE format('CREATE TABLE %s.%I AS SELECT %s, %s AS pgsim_vector FROM %s AS b %s%s WHERE %s IS NOT NULL LIMIT %s', t.base_schema, trial, (SELECT string_agg(format('b.%I', n), ', ') FROM unnest(columns) AS n),
        format('%s.%I', CASE WHEN t.adopted THEN 'b' ELSE 'v' END, t.column_name), t.base_sql,
        CASE WHEN total > sample THEN format('TABLESAMPLE BERNOULLI (%s) REPEATABLE (%s)', round((100 * sample / total)::numeric, 6), seed) END,
        CASE WHEN NOT t.adopted THEN format(' JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END,
        format('%s.%I', CASE WHEN t.adopted THEN 'b' ELSE 'v' END, t.column_name), sample);
    EXECUTE format('ALTER TABLE %s.%I ADD PRIMARY KEY (%s)', t.base_schema, trial, pgsim._key_list('', t.key_columns, false));
    copied := format('%s.%I', t.base_schema, trial)::regclass;
    EXECUTE format('ANALYZE %s', copied);
    EXECUTE format('SELECT count(*) FROM %s', copied) INTO copied_rows;
    IF filters IS NULL THEN
        -- Values that leave what codes are for: a hundredth to a fifth of the rows.
        filters := '{}';
        FOR i IN cardinality(c.key_columns) + 1 .. cardinality(columns) LOOP
            CONTINUE WHEN (SELECT y.typcategory = 'A' OR NOT pgsim._is_ordered(y.oid) FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid WHERE a.attrelid = copied AND a.attname = columns[i]);
            EXECUTE format('SELECT jsonb_agg(to_jsonb(n.v)) FROM (SELECT b.%1$I AS v FROM %2$s AS b WHERE b.%1$I IS NOT NULL GROUP BY 1 HAVING count(*) BETWEEN $1 / 100 AND $1 / 5 ORDER BY count(*) DESC, 1 LIMIT 3) AS n', columns[i], copied)
            INTO found USING copied_rows;
            filters := filters || ARRAY(SELECT jsonb_build_object(columns[i], jsonb_build_object('$eq', v)) FROM jsonb_array_elements(found) AS v);
        END LOOP;
    END IF;
    IF cardinality(filters) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('no value of the filter columns of %L leaves a hundredth to a fifth of its rows', collection),
            HINT = 'Say what your searches filter by. Codes read the columns named in filter_columns.';
    END IF;

    PERFORM pgsim.create_collection(copied, trial, key_columns => c.key_columns, filter_columns => columns[cardinality(c.key_columns) + 1:]);
    PERFORM pgsim.create_model(trial, t.dim, metric => t.metric, element => t.element);
    PERFORM pgsim.create_version(trial, trial, column_name => 'pgsim_vector');
    IF matrix IS NOT NULL THEN
        PERFORM pgsim.create_map(trial, trial, kind => 'pca', matrix => matrix);
    END IF;
    FOR f IN 1 .. cardinality(filters) LOOP
        FOR q IN 1 .. cardinality(asked) LOOP
            started := clock_timestamp();
            SELECT array_agg(s.distance ORDER BY s.rank) INTO distances FROM pgsim.search(trial, asked[q], k, filter => filters[f], mode => 'exact') AS s;
            by_exact := by_exact || extract(epoch FROM clock_timestamp() - started)::float8;
            truths := truths || jsonb_build_object(f || ' ' || q, to_jsonb(distances));
        END LOOP;
    END LOOP;
    FOREACH kind IN ARRAY kinds LOOP
        started := clock_timestamp();
        codes := pgsim.create_index(trial, trial, dims => (kind ->> 'dims')::int, element => kind ->> 'element', method => 'codes',
                                    options => CASE WHEN (kind ->> 'rotated')::boolean THEN jsonb_build_object('map', trial) ELSE '{}' END);
        building := extract(epoch FROM clock_timestamp() - started);
        EXECUTE format('ANALYZE %s', codes);
        recalls := '{}';
        times := '{}';
        refusal := NULL;
        BEGIN
            FOR f IN 1 .. cardinality(filters) LOOP
                FOR q IN 1 .. cardinality(asked) LOOP
                    -- The better of two: what is measured is the kind, and not who else is on the machine.
                    seconds := 'Infinity';
                    FOR i IN 1 .. 2 LOOP
                        started := clock_timestamp();
                        SELECT array_agg(s.distance ORDER BY s.rank) INTO distances FROM pgsim.search(trial, asked[q], k, filter => filters[f], recall => recall, mode => 'codes') AS s;
                        seconds := least(seconds, extract(epoch FROM clock_timestamp() - started)::float8);
                    END LOOP;
                    times := times || seconds;
                    recalls := recalls || pgsim._tie_recall(distances, ARRAY(SELECT d::float8 FROM jsonb_array_elements_text(nullif(truths -> (f || ' ' || q), 'null')) AS d));
                END LOOP;
            END LOOP;
        EXCEPTION WHEN SQLSTATE 'PS010' THEN
            refusal := SQLERRM;
        END;
        tried := tried || (kind || jsonb_build_object('recalls', recalls, 'seconds', times, 'bytes', pg_total_relation_size(codes) * total / greatest(copied_rows, 1), 'build_seconds', building * total / greatest(copied_rows, 1),
                                                      'refusal', refusal));
        PERFORM pgsim.drop_index(codes);
    END LOOP;
    PERFORM pgsim.drop_collection(trial);
    IF matrix IS NOT NULL THEN
        PERFORM pgsim.drop_map(trial);
    END IF;
    PERFORM pgsim.drop_model(trial);
    EXECUTE format('DROP TABLE %s', copied);
    RETURN jsonb_build_object('rows', copied_rows, 'total', total, 'filters', to_jsonb(filters), 'queries', cardinality(asked), 'exact_seconds', by_exact, 'tried', tried);
END
$$;
COMMENT ON FUNCTION pgsim._try_codes IS
    'What filtered searches of a copy of some rows find and take by each kind of codes: dims, element, and whether they are of the vectors rotated by matrix. Nothing of the table or of its codes is touched.';

CREATE FUNCTION pgsim._wants_codes(t pgsim._target, dims int, where_filter jsonb) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(dims, t.dim) = t.dim AND t.element <> 'sparsevec' AND where_filter IS NULL AND c.filter_columns <> '{}' AND r.relkind = 'r'
           AND 'code' <> ALL (c.key_columns || c.filter_columns)
           AND cardinality(c.filter_columns) = (SELECT count(*) FROM pg_attribute AS a
                                                WHERE a.attrelid = c.relation AND a.attname = ANY (c.filter_columns) AND a.attgenerated <> 'v' AND NOT a.attisdropped)
           AND current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') AND NOT row_security_active(c.relation)
           AND NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes')
    FROM pgsim._collection AS c JOIN pg_class AS r ON r.oid = c.relation
    WHERE c.id = t.collection_id;
END;
COMMENT ON FUNCTION pgsim._wants_codes IS 'Whether an index of the full width is to be accompanied by codes: the collection declares filter columns, has none yet, and they can be made here.';

CREATE FUNCTION pgsim._advise(collection text, budget bigint, model text, embedding text) RETURNS TABLE (
    rank int, kind text, target text, statement text, searches float8, seconds_before float8, seconds_after float8, gain float8,
    bytes bigint, build_seconds float8, reason text, arguments jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Costs are expected ones: what saves less than a fifth of a search, or a thousandth of all that are left, may as well save nothing.
    worth CONSTANT float8 := 0.8;
    t pgsim._target;
    w record;
    offers jsonb[];
    usable boolean[];
    served record;
    best record;
    costs_now float8[];
    total float8;
    bytes_left float8 := coalesce(_advise.budget, 'Infinity'::float8);
BEGIN
    PERFORM pgsim._require_registrar();
    IF _advise.budget <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('budget is %s; it is a number of bytes from 1', _advise.budget),
            HINT = 'For instance pg_size_bytes(''2GB''). Leave it out for all that is worth its bytes.';
    END IF;
    t := pgsim._target(_advise.collection, _advise.model, _advise.embedding);
    PERFORM pgsim._require_dense(t, 'advice is', CASE WHEN t.metric IN ('ip', 'cosine')
        THEN format('Of sparse vectors the inverted index is the one to have, exact and small: SELECT pgsim.create_index(%L, %L, embedding => %L, method => ''inverted''). pgsim.recall(%1$L, embedding => %3$L) tells what it gains.', t.collection, t.model, _advise.embedding)
        ELSE format('Under %s an hnsw index is what there is; pgsim.recall(%L, embedding => %L) tells what it finds, and mode => ''exact'' needs none.', t.metric, t.collection, _advise.embedding) END);
    PERFORM pgsim._require_select(t.base, t.version);
    PERFORM pgsim._require_all_rows(t);
    rank := 1;
    IF t.rows < 0 OR t.rows > 0 AND NOT EXISTS (SELECT FROM pg_stats AS s JOIN pg_namespace AS n ON n.nspname = s.schemaname JOIN pg_class AS r ON r.relnamespace = n.oid AND r.relname = s.tablename
                                                WHERE r.oid = t.base) THEN
        RETURN QUERY SELECT 1, 'statistics', t.base_sql, format('ANALYZE %s', t.base_sql), 0.0::float8, NULL::float8, NULL::float8, 0.0::float8, 0::bigint, 1.0::float8,
            'the table was never analyzed, so PostgreSQL cannot say what searches cost: ask again when it was', NULL::jsonb;
        RETURN;
    END IF;
    IF t.rows = 0 THEN
        RETURN;
    END IF;
    w := pgsim._advise_plans(t, _advise.embedding);
    costs_now := w.seconds;

    SELECT coalesce(array_agg(to_jsonb(o)), '{}') INTO offers
    FROM (
        WITH codes AS MATERIALIZED (SELECT * FROM pgsim._advise_codes(t, _advise.embedding, w.plans) AS a),
             hnsw AS MATERIALIZED (SELECT * FROM pgsim._advise_hnsw(t, _advise.embedding, w.plans) AS a),
             made_beside AS MATERIALIZED (SELECT pgsim._wants_codes(t, NULL, NULL) AS wanted)
        SELECT c.*, NULL AS after_codes FROM codes AS c
        -- The first index of the full width makes codes as well.
        UNION ALL SELECT h.*, CASE WHEN m.wanted THEN true END FROM hnsw AS h, made_beside AS m
        UNION ALL
        SELECT h.kind, h.target, h.statement, h.bytes + c.bytes, h.build_seconds + c.build_seconds, h.reason || '; codes are made beside it', h.arguments, h.served || c.served, h.seconds || c.seconds, false
        FROM hnsw AS h, made_beside AS m, codes AS c WHERE m.wanted AND c.kind = 'codes'
        UNION ALL SELECT p.*, NULL FROM pgsim._advise_partial_indexes(t, _advise.embedding, w.plans, w.searches, w.known, w.stand_in, w.seconds) AS p
        UNION ALL SELECT f.*, NULL FROM pgsim._advise_filter_indexes(t, w.plans) AS f
        UNION ALL SELECT d.*, NULL FROM pgsim._advise_partition(t, w.plans, w.searches) AS d WHERE w.recorded
    ) AS o;
    offers := offers || ARRAY(SELECT to_jsonb(s) FROM pgsim._advise_statistics(t, w.plans, w.searches) AS s) || ARRAY(SELECT to_jsonb(k) FROM pgsim._advise_calibrate(t, _advise.embedding) AS k);
    usable := ARRAY(SELECT (o ->> 'after_codes')::boolean IS NOT TRUE FROM unnest(offers) AS o);
    SELECT coalesce(array_agg(s.offer), '{}') AS offers, array_agg(s.place) AS places, array_agg(s.seconds) AS seconds INTO served
    FROM (SELECT o.number AS offer, u.place::int AS place, u.seconds::float8 AS seconds
          FROM unnest(offers) WITH ORDINALITY AS o (offer, number)
          CROSS JOIN LATERAL ROWS FROM (jsonb_array_elements_text(o.offer -> 'served'), jsonb_array_elements_text(o.offer -> 'seconds')) AS u (place, seconds)
          WHERE o.offer ? 'served') AS s
    WHERE s.seconds < worth * w.seconds[s.place];

    -- What is taken makes what serves the same searches worth less. Words alone come last; partitions stand for the rest, and are compared with how things are.
    LOOP
        total := (SELECT sum(u.s * u.n) FROM unnest(costs_now, w.searches) AS u (s, n));
        SELECT x.* INTO best
        FROM (
            SELECT s.offer, sum(w.searches[s.place]) AS asked, sum(w.searches[s.place] * c.now) AS before, sum(w.searches[s.place] * s.seconds) AS after
            FROM unnest(served.offers, served.places, served.seconds) AS s (offer, place, seconds)
            CROSS JOIN LATERAL (SELECT CASE WHEN offers[s.offer] ->> 'kind' = 'partition' THEN w.seconds[s.place] ELSE costs_now[s.place] END AS now) AS c
            WHERE usable[s.offer] AND s.seconds < worth * c.now
            GROUP BY s.offer HAVING sum(w.searches[s.place] * (c.now - s.seconds)) > total / 1000
            UNION ALL
            SELECT o.number, f.asked, f.asked * f.before, f.asked * f.after
            FROM unnest(offers) WITH ORDINALITY AS o (offer, number) CROSS JOIN LATERAL jsonb_to_record(o.offer) AS f (asked float8, before float8, after float8)
            WHERE o.offer ? 'asked' AND usable[o.number]
        ) AS x
        WHERE (offers[x.offer] ->> 'bytes')::float8 <= bytes_left
        -- Less than a page or two is nothing to weigh.
        ORDER BY offers[x.offer] ->> 'statement' IS NULL, (x.before - x.after) / greatest((offers[x.offer] ->> 'bytes')::float8, 16384) DESC, x.offer
        LIMIT 1;
        EXIT WHEN best.offer IS NULL;
        usable[best.offer] := false;
        SELECT o.kind, o.target, o.statement, round(o.bytes)::bigint, o.build_seconds, o.reason, nullif(o.arguments, 'null')
        INTO kind, target, statement, bytes, build_seconds, reason, arguments
        FROM jsonb_to_record(offers[best.offer]) AS o (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb);
        searches := best.asked;
        seconds_before := best.before / nullif(best.asked, 0);
        seconds_after := best.after / nullif(best.asked, 0);
        gain := best.before - best.after;
        reason := reason || CASE WHEN w.recorded OR kind = 'calibrate' THEN '' ELSE '; no searches were recorded to go by, so each filter column is taken to be asked for by equality once' END;
        RETURN NEXT;
        rank := rank + 1;
        bytes_left := bytes_left - bytes;
        IF statement IS NOT NULL THEN
            FOR i IN 1 .. cardinality(served.offers) LOOP
                IF served.offers[i] = best.offer THEN
                    costs_now[served.places[i]] := least(costs_now[served.places[i]], served.seconds[i]);
                END IF;
            END LOOP;
        END IF;
        FOR i IN 1 .. cardinality(offers) LOOP
            IF kind = 'codes' AND offers[i] ->> 'kind' = 'hnsw' THEN
                usable[i] := offers[i] ->> 'after_codes' IS DISTINCT FROM 'false';
            ELSIF kind = 'hnsw' AND (offers[i] ->> 'kind' = 'hnsw' OR offers[best.offer] ->> 'after_codes' = 'false' AND offers[i] ->> 'kind' = 'codes') THEN
                usable[i] := false;
            END IF;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise IS 'What pgsim.advise says, and of vector indexes the arguments of create_index, by which they are built CONCURRENTLY.';

CREATE FUNCTION pgsim._calibrated(t pgsim._target) RETURNS pgsim._calibration
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._calibration;
BEGIN
    SELECT k.* INTO c FROM pgsim._calibration AS k WHERE k.version_id = t.version_id AND t.slice IS NULL;
    IF num_nulls(c.margins, c.ef_intercepts, c.ef_slope, c.scan_row, c.exact_row, c.code_row, c.keep_row, c.ann_start, c.ann_candidate) = 0 THEN
        RETURN c;
    END IF;
    -- Right within a factor of two or so on the machines of these years; recalls of an index with m 16, ef_construction 64.
    c.margins := coalesce(c.margins, CASE t.codes_element WHEN 'halfvec' THEN '{0,0.03,0.05,0.07,0.1,0.12,0.15,0.25}' ELSE '{-0.65,0.12,0.48,0.75,1.1,1.32,1.55,2.2}' END::float8[]);
    c.ef_intercepts := coalesce(c.ef_intercepts, '{1.2,1.6,2.1,2.5,2.9}');
    c.ef_slope := coalesce(c.ef_slope, 1.1);
    c.scan_row := coalesce(c.scan_row, .3e-6);
    c.exact_row := coalesce(c.exact_row, .5e-6 + 3.5e-9 * t.dim);
    c.code_row := coalesce(c.code_row, .1e-6 + CASE t.codes_element WHEN 'halfvec' THEN 1.5e-9 ELSE .1e-9 END * coalesce(t.codes_dims, t.dim));
    c.keep_row := coalesce(c.keep_row, 2 * c.exact_row);
    c.ann_start := coalesce(c.ann_start, .3e-3);
    c.ann_candidate := coalesce(c.ann_candidate, 5.6e-6 + 18e-9 * t.dim);
    RETURN c;
END
$$;
COMMENT ON FUNCTION pgsim._calibrated IS 'The calibration of a version, with a default for whatever was not measured.';

CREATE FUNCTION pgsim._calibration_state(t pgsim._target) RETURNS text
LANGUAGE sql STABLE
RETURN coalesce((
    SELECT CASE WHEN t.rows >= 0 AND t.rows NOT BETWEEN k.rows / 2 AND k.rows * 2
                THEN pg_catalog.format('stale: made with %s rows, and there are %s now; run pgsim.calibrate', k.rows::bigint, t.rows::bigint)
                ELSE pg_catalog.format('of %s', k.measured_at::date) END
    FROM pgsim._calibration AS k WHERE k.version_id = t.version_id AND k.scan_row IS NOT NULL), 'none: defaults; run pgsim.calibrate');
COMMENT ON FUNCTION pgsim._calibration_state IS 'Whether a version is calibrated, and whether its table has doubled or halved since.';

CREATE FUNCTION pgsim._usable_index(t pgsim._target, dims int, filter jsonb, OUT name text, OUT element text, OUT method text, OUT covering boolean, OUT rows float8, OUT lists int, OUT funnels boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- One that pgsim made is found by its name, and where there are partial ones, more is to be asked.
    SELECT i.name, i.element, i.method, false, k.reltuples, coalesce((SELECT substr(o, 7)::int FROM unnest(k.reloptions) AS o WHERE o LIKE 'lists=%'), 100),
           EXISTS (SELECT FROM pgsim._index AS f WHERE f.version_id = t.version_id AND f.method = 'hnsw' AND (f.dims < t.dim OR f.element = 'bit'))
    INTO _usable_index.name, _usable_index.element, _usable_index.method, _usable_index.covering, _usable_index.rows, _usable_index.lists, _usable_index.funnels
    FROM pgsim._index AS i
    JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = t.version_schema
    JOIN pg_index AS x ON x.indexrelid = k.oid AND x.indrelid = t.version AND x.indisvalid
    WHERE i.version_id = t.version_id AND i.dims = _usable_index.dims AND i.method NOT IN ('codes', 'inverted') AND i.element <> 'bit' AND i.options ->> 'slice' IS NOT DISTINCT FROM t.slice_name
      AND NOT EXISTS (SELECT FROM pgsim._index AS p WHERE p.version_id = t.version_id AND p.where_filter IS NOT NULL)
    ORDER BY i.element <> t.element, i.method, i.id LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;
    -- An index of the user's own on an adopted column serves as well as one that pgsim made.
    SELECT k.relname, coalesce(i.element, t.element), m.amname, i.where_filter IS NOT NULL, held.rows,
           coalesce((SELECT substr(s, 7)::int FROM unnest(k.reloptions) AS s WHERE s LIKE 'lists=%'), 100)
    INTO _usable_index.name, _usable_index.element, _usable_index.method, _usable_index.covering, _usable_index.rows, _usable_index.lists
    FROM pg_index AS x
    JOIN pg_class AS k ON k.oid = x.indexrelid
    JOIN pg_am AS m ON m.oid = k.relam AND m.amname IN ('hnsw', 'ivfflat')
    JOIN pg_opclass AS o ON o.oid = x.indclass[0]
    -- The index of a partitioned table holds nothing itself.
    CROSS JOIN LATERAL (SELECT CASE WHEN k.relkind = 'i' THEN k.reltuples ELSE (
        SELECT sum(greatest(l.reltuples, 0)) FROM pg_partition_tree(k.oid) AS p JOIN pg_class AS l ON l.oid = p.relid WHERE p.isleaf) END AS rows) AS held
    LEFT JOIN pgsim._index AS i ON i.version_id = t.version_id AND i.name = k.relname
    WHERE x.indrelid = t.version AND x.indisvalid
      AND CASE WHEN i.id IS NOT NULL THEN i.dims = _usable_index.dims AND i.element <> 'bit' AND i.options ->> 'slice' IS NOT DISTINCT FROM t.slice_name AND (i.where_filter IS NULL OR pgsim._filter_covers(_usable_index.filter, i.where_filter))
               ELSE _usable_index.dims = t.dim AND t.slice IS NULL AND x.indpred IS NULL AND o.opcname = format('%s_%s_ops', t.element, t.metric)
                    AND x.indkey[0] = (SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = t.version AND a.attname = t.column_name) END
    ORDER BY CASE WHEN i.where_filter IS NOT NULL THEN held.rows END, coalesce(i.element, t.element) <> t.element, m.amname, k.oid
    LIMIT 1;
END
$$;
COMMENT ON FUNCTION pgsim._usable_index IS
    'The vector index that serves a search of so many dimensions best: the smallest partial one whose where_filter covers the filter, else a full one. Bits alone rank too little: they serve in funnels. rows is how many it holds, negative when not known. funnels is false where there certainly are none.';

CREATE FUNCTION pgsim.calibrate(collection text, queries vector[] = NULL, model text = NULL, embedding text = 'default', sample int = NULL) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step record;
    parts jsonb[] := '{}';
BEGIN
    FOR step IN SELECT * FROM pgsim._calibration_parts(collection, model, embedding, queries, sample) LOOP
        parts := parts || pgsim._calibrate_part(collection, model, embedding, queries, sample, step.part, step.first, step.last);
    END LOOP;
    RETURN pgsim._store_calibration(collection, model, embedding, parts);
END
$$;
COMMENT ON FUNCTION pgsim.calibrate IS
$$Measures on a collection's own rows what searches cost and find, and stores it: by this the planner chooses, and keeps the recall asked for.

queries: vectors to measure with, best those that your users ask; default a sample of rows (200, of tables beyond 200,000
rows fewer, but 60 at least), each turned some way off, since an index finds its own rows more easily than anything else. Each is ranked
exactly too: some seconds per hundred thousand rows. It blocks
nobody. Run it after loading, after building an index, and when the table has doubled: explain_search says when it is stale.
Returns what was measured: of each index on a prefix or on bits too what a funnel over it finds (funnels), with warnings of those that tell little. Errors: PS001 to PS006, PS010, PS012, PS013, PS032, PS035.$$;

CREATE FUNCTION pgsim._advise_calibrate(t pgsim._target, embedding text)
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, asked float8, before float8, after float8)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT 'calibrate', t.collection, pg_catalog.format('SELECT pgsim.calibrate(%L, model => %L%s)', t.collection, t.model, CASE WHEN embedding <> 'default' THEN pg_catalog.format(', embedding => %L', embedding) END),
           0.0, 400 * t.rows * (c.scan_row + c.exact_row) + 1,
           pg_catalog.concat('the costs that this advice rests on are defaults, right within a factor of two or so', CASE WHEN state.text LIKE 'stale%' THEN ', or old: ' || state.text END), NULL::jsonb, 0.0, 0.0, 0.0
    FROM pgsim._calibrated(t) AS c
    CROSS JOIN (SELECT pgsim._calibration_state(t) AS text) AS state
    WHERE t.rows >= 2000
      AND (state.text NOT LIKE 'of %' OR NOT EXISTS (SELECT FROM pgsim._calibration AS k WHERE k.version_id = t.version_id AND k.ann_candidate IS NOT NULL) AND (pgsim._usable_index(t, t.dim, NULL)).method = 'hnsw');
END;
COMMENT ON FUNCTION pgsim._advise_calibrate IS 'What pgsim.advise may say of calibration: where there is none, or it is stale, or older than the index on all rows.';

CREATE FUNCTION pgsim._advise_codes(t pgsim._target, embedding text, plans pgsim._search_plan[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, served int[], seconds float8[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._calibration := pgsim._calibrated(t);
    declared text[] := (SELECT s.filter_columns FROM pgsim._collection AS s WHERE s.id = t.collection_id);
    mirrored text[] := pgsim._codes_columns(t.key_columns, declared);
    row_bytes float8;
    column_bytes jsonb;
BEGIN
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = t.base AND r.relkind = 'p') OR 'code' = ANY (mirrored) THEN
        RETURN;
    END IF;
    -- What a column adds: itself, and its index.
    SELECT jsonb_object_agg(a.attname, coalesce(s.avg_width, CASE WHEN a.attlen > 0 THEN a.attlen ELSE 16 END)
                                       + CASE WHEN a.attname = ANY (t.key_columns) THEN 30 WHEN x.method = 'hash' THEN 48 WHEN x.method = 'gin' THEN 12 WHEN x.method = 'btree' THEN 8 ELSE 0 END)
    INTO column_bytes
    FROM pg_attribute AS a
    JOIN pg_class AS r ON r.oid = a.attrelid
    JOIN pg_namespace AS n ON n.oid = r.relnamespace
    LEFT JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = r.relname AND s.attname = a.attname AND NOT s.inherited
    LEFT JOIN pgsim._codes_indexes(t.base, t.base, mirrored || coalesce((SELECT array_agg(DISTINCT n) FROM unnest(plans) AS p CROSS JOIN unnest(p.columns) AS n WHERE n <> ALL (mirrored)), '{}')) AS x ON x.column_name = a.attname
    WHERE a.attrelid = t.base AND a.attnum > 0 AND NOT a.attisdropped;
    row_bytes := 44 + t.dim / 8.0 + (SELECT coalesce(sum((column_bytes ->> m)::float8), 0) FROM unnest(mirrored) AS m);

    RETURN QUERY
        WITH searched AS MATERIALIZED (
            SELECT i AS place, ARRAY(SELECT n FROM unnest(plans[i].columns) AS n WHERE n <> ALL (mirrored) ORDER BY n) AS lacking,
                   pgsim._codes_seconds(c, least(plans[i].expected, plans[i].reachable), plans[i].depth, plans[i].margin, coalesce(t.codes_element, 'bit')) AS seconds
            FROM generate_series(1, cardinality(plans)) AS i
            WHERE plans[i].recall < 1 AND plans[i].margin < 'Infinity'
        )
        SELECT 'codes', t.base_sql, s.statement, row_bytes * t.rows, 0.3 + 8e-8 * row_bytes * t.rows,
               format('a narrow table of key, filter columns (%s) and one bit a dimension answers filtered searches of medium size', coalesce(nullif(array_to_string(declared, ', '), ''), 'none declared')),
               s.arguments, array_agg(d.place), array_agg(d.seconds)
        FROM searched AS d CROSS JOIN pgsim._advise_create_index(t, embedding, NULL, 'codes', NULL) AS s
        WHERE d.lacking = '{}' AND NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'codes')
        GROUP BY s.statement, s.arguments
        UNION ALL
        SELECT 'filter_columns', array_to_string(d.lacking, ', '), NULL, t.rows * (SELECT sum((column_bytes ->> m)::float8) FROM unnest(d.lacking) AS m), NULL,
               format('codes do not have %s, so they cannot answer searches that ask for it. Register the table with filter_columns => %L: what is registered has to be dropped first, of which adopted columns '
                      'lose nothing, but a version with a table of its own loses its vectors', array_to_string(d.lacking, ', '), declared || d.lacking),
               NULL, array_agg(d.place), array_agg(d.seconds)
        FROM searched AS d WHERE d.lacking <> '{}' AND cardinality(mirrored || d.lacking) < 100 GROUP BY d.lacking;
END
$$;
COMMENT ON FUNCTION pgsim._advise_codes IS 'What pgsim.advise may say of codes: make them, or have them mirror further columns. seconds are those of the searches served.';

CREATE FUNCTION pgsim._advise_create_index(t pgsim._target, embedding text, element text, method text, where_filter jsonb, OUT statement text, OUT arguments jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    arguments := jsonb_strip_nulls(jsonb_build_object('embedding', nullif(embedding, 'default'), 'element', nullif(element, t.element), 'method', nullif(method, 'hnsw')))
                 || CASE WHEN where_filter IS NULL THEN '{}' ELSE jsonb_build_object('where_filter', where_filter) END;
    statement := format('SELECT pgsim.create_index(%L, %L%s)', t.collection, t.model, (
        SELECT string_agg(format(', %s => %L', a.key, a.value #>> '{}'), '' ORDER BY array_position('{embedding,element,method,where_filter}', a.key)) FROM jsonb_each(arguments) AS a));
    arguments := jsonb_build_object('model', t.model) || arguments;
END
$$;
COMMENT ON FUNCTION pgsim._advise_create_index IS 'A call of create_index as SQL, and its arguments for those who make it CONCURRENTLY.';

CREATE FUNCTION pgsim._advise_filter_indexes(t pgsim._target, plans pgsim._search_plan[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, served int[], seconds float8[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._calibration := pgsim._calibrated(t);
    wide record;
    name text;
BEGIN
    FOR wide IN
        WITH atoms AS (
            SELECT i, a.path, a.operator, a.value, x.method, x.item, x.row_bytes, x.correlation
            FROM generate_series(1, cardinality(plans)) AS i
            CROSS JOIN LATERAL pgsim._filter_atoms((plans[i].request).filter, 1) AS a
            CROSS JOIN LATERAL pgsim._filter_index(t.base, a.path, a.operator, t.rows) AS x
            -- Where PostgreSQL reads the whole table only to find the matches.
            WHERE x.method IS NOT NULL AND plans[i].scanned > plans[i].expected
        ),
        narrowed AS (
            SELECT a.method, a.item, a.path, a.row_bytes, a.i, max(a.correlation) AS correlation,
                   (pgsim._plan_search(ROW(t.collection, 10, jsonb_build_object('$and', jsonb_agg(jsonb_build_object(a.path, jsonb_build_object(a.operator, a.value)))), t.model,
                                           (plans[a.i].request).embedding, 1, 'auto', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request)).estimated AS rows
            FROM atoms AS a GROUP BY a.method, a.item, a.path, a.row_bytes, a.i
        )
        SELECT n.method, n.item, min(n.path) AS path, max(n.row_bytes) * t.rows AS bytes, array_agg(n.i) AS served,
               array_agg(greatest(n.rows, plans[n.i].expected) * c.scan_row + plans[n.i].expected * c.exact_row) AS seconds
        FROM narrowed AS n
        WHERE pgsim._index_pays(t.base, t.rows, n.rows, n.correlation)
        GROUP BY n.method, n.item
    LOOP
        name := pgsim._free_name(t.base, concat_ws('_', left((SELECT r.relname FROM pg_class AS r WHERE r.oid = t.base), 30), left(regexp_replace(wide.path, '\W', '_', 'g'), 22), 'idx'));
        RETURN QUERY SELECT
            wide.method || '_index', wide.path,
            format('CREATE INDEX %s%I ON %s USING %s (%s)', CASE WHEN NOT t.partitioned THEN 'CONCURRENTLY ' END, name, t.base_sql, wide.method, wide.item),
            wide.bytes, t.rows * CASE wide.method WHEN 'gin' THEN 4e-6 ELSE 1e-6 END,
            format('searches read all %s rows to find their matches%s', t.rows::bigint, CASE WHEN t.partitioned THEN '; the table is partitioned, so writers wait while it is built' END),
            jsonb_build_object('name', format('%s.%I', (SELECT r.relnamespace::regnamespace FROM pg_class AS r WHERE r.oid = t.base), name)),
            wide.served, wide.seconds;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise_filter_indexes IS
    'What pgsim.advise may say of btree and GIN indexes on the base table: where searches read the whole table to find their matches, and PostgreSQL would take the index. seconds are those of the exact search with it.';

CREATE FUNCTION pgsim._advise_filters(base regclass, shape text) RETURNS TABLE (filter jsonb, share float8, stand_in boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT int := 100;
    condition CONSTANT text := '([a-zA-Z_][a-zA-Z0-9_.]*|"(?:[^"]|"")+") (\$[a-z]+)';
    part record;
    filters jsonb[] := ARRAY['{}'::jsonb];
    shares float8[] := '{1}';
    stand_ins boolean[] := '{false}';
BEGIN
    IF shape !~ format('^(?:%1$s(?:, %1$s)*)?$', condition) THEN
        RETURN;
    END IF;
    FOR part IN
        SELECT c.path, c.operator, count(*) OVER (PARTITION BY c.path) > 1 AS paired
        FROM (SELECT CASE WHEN left(m[1], 1) = '"' THEN replace(substr(m[1], 2, length(m[1]) - 2), '""', '"') ELSE m[1] END AS path, m[2] AS operator
              FROM regexp_matches(shape, condition, 'g') AS m) AS c
        LIMIT 20
    LOOP
        -- The least common of those that are kept stands for what is not.
        SELECT coalesce(array_agg(x.filter), '{}'), array_agg(CASE WHEN x.place < most THEN x.share ELSE x.left_share END), array_agg(x.stand_in OR x.place = most AND x.left_share > x.share)
        INTO filters, shares, stand_ins
        FROM (
            SELECT f.filter || jsonb_build_object(part.path, coalesce(f.filter -> part.path, '{}') || jsonb_build_object(part.operator, v.value)) AS filter,
                   f.share * v.share AS share, f.stand_in OR v.stand_in AS stand_in, row_number() OVER by_share AS place,
                   sum(f.share * v.share) OVER (by_share ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS left_share
            FROM unnest(filters, shares, stand_ins) AS f (filter, share, stand_in)
            CROSS JOIN pgsim._advise_values(base, part.path, part.operator, part.paired) AS v
            WINDOW by_share AS (ORDER BY f.share * v.share DESC, f.filter, v.value)
        ) AS x
        WHERE x.place <= most;
        IF filters = '{}' THEN
            RETURN;
        END IF;
    END LOOP;
    RETURN QUERY SELECT nullif(f.filter, '{}'), f.share, f.stand_in FROM unnest(filters, shares, stand_ins) AS f (filter, share, stand_in);
END
$$;
COMMENT ON FUNCTION pgsim._advise_filters IS
    'The filters that a recorded shape is taken to stand for, and in which shares; none where a condition is of a kind whose values nobody can know ($or, $not, paths, patterns).';

CREATE FUNCTION pgsim._advise_graph(t pgsim._target, OUT element text, OUT row_bytes float8, OUT row_seconds float8, OUT memory float8, OUT missing boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x record;
BEGIN
    SELECT i.element, i.bytes, i.tuples INTO x FROM pgsim._vector_indexes(t) AS i
    WHERE i.method = 'hnsw' AND NOT i.partial AND i.dims = t.dim AND i.valid ORDER BY i.element = t.element DESC LIMIT 1;
    element := coalesce(x.element, CASE WHEN t.dim <= CASE t.element WHEN 'halfvec' THEN 4000 ELSE 2000 END THEN t.element WHEN t.dim <= 4000 THEN 'halfvec' END);
    row_bytes := CASE WHEN x.tuples > 0 THEN x.bytes / x.tuples ELSE pgsim._hnsw_bytes(t.dim, element, 16, 1) END;
    memory := pg_size_bytes(current_setting('maintenance_work_mem'));
    row_seconds := 7e-5 + 6.5e-8 * t.dim * CASE element WHEN 'halfvec' THEN 2 ELSE 4 END;
    -- Neither one that is used nor one that is being built or was left by a build that failed.
    missing := element IS NOT NULL AND x.element IS NULL AND (pgsim._usable_index(t, t.dim, NULL)).name IS NULL
               AND NOT EXISTS (SELECT FROM pgsim._vector_indexes(t) AS i WHERE NOT i.partial AND coalesce(i.dims, t.dim) = t.dim);
END
$$;
COMMENT ON FUNCTION pgsim._advise_graph IS
    'Of what elements an HNSW index of a version is made (NULL where it is too wide for any), how many bytes and seconds of building a row takes, as long as all fit in memory, and whether there is none on all rows.';

CREATE FUNCTION pgsim._advise_hnsw(t pgsim._target, embedding text, plans pgsim._search_plan[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, served int[], seconds float8[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._calibration := pgsim._calibrated(t);
    g record := pgsim._advise_graph(t);
    bytes CONSTANT float8 := g.row_bytes * t.rows;
BEGIN
    IF g.missing THEN
        RETURN QUERY
            SELECT 'hnsw', format('%s.%I', t.version_sql, t.column_name), s.statement, bytes, g.row_seconds * t.rows, concat('there is no vector index on all rows', CASE WHEN bytes > g.memory THEN pgsim._advise_memory(bytes) END), s.arguments, array_agg(u.place), array_agg(u.seconds)
            FROM (SELECT p AS place, pgsim._ann_seconds(c, plans[p], least(plans[p].expected, plans[p].reachable)) AS seconds FROM generate_series(1, cardinality(plans)) AS p
                  WHERE plans[p].recall < 1) AS u
            CROSS JOIN pgsim._advise_create_index(t, embedding, g.element, 'hnsw', NULL) AS s
            WHERE u.seconds < 'Infinity'
            GROUP BY s.statement, s.arguments;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._advise_hnsw IS 'What pgsim.advise may say of an HNSW index on all rows, where there is none.';

CREATE FUNCTION pgsim._advise_json(type text, item text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN type IN ('smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision')
                THEN CASE WHEN item ~ '^-?\d+(\.\d+)?(e[-+]?\d+)?$' THEN pg_catalog.to_jsonb(item::numeric) END
            WHEN type = 'boolean' THEN pg_catalog.to_jsonb(item::boolean)
            ELSE pg_catalog.to_jsonb(item) END;
COMMENT ON FUNCTION pgsim._advise_json IS 'A value from the planner''s statistics as a filter writes it; NULL where no filter can, as of infinity.';

CREATE FUNCTION pgsim._advise_memory(bytes float8) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.format('; it builds several times faster where maintenance_work_mem is %s or more', pg_catalog.pg_size_pretty(ceil(1.1 * bytes)::bigint));
COMMENT ON FUNCTION pgsim._advise_memory IS 'What is said of an HNSW index that is too large for maintenance_work_mem.';

CREATE FUNCTION pgsim._advise_partial_indexes(t pgsim._target, embedding text, plans pgsim._search_plan[], searches float8[], known boolean[], stand_in boolean[], before float8[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, served int[], seconds float8[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Fewer rows are ranked as fast as any index finds the nearest of them.
    least_rows CONSTANT int := 2000;
    most CONSTANT int := 100;
    c pgsim._calibration := pgsim._calibrated(t);
    g record := pgsim._advise_graph(t);
    paths jsonb := '{}';
    wide record;
    p pgsim._search_plan;
    rows float8;
    places int[];
    costs float8[];
BEGIN
    IF NOT t.adopted OR t.partitioned OR g.element IS NULL THEN
        RETURN;
    END IF;
    FOR i IN 1 .. cardinality(plans) LOOP
        paths := paths || jsonb_build_object(i::text, (SELECT coalesce(jsonb_agg(DISTINCT coalesce(a.path, '')), '[]') FROM pgsim._filter_atoms((plans[i].request).filter, 1) AS a));
    END LOOP;
    FOR wide IN
        WITH atoms AS MATERIALIZED (
            SELECT i, a.path, a.operator, a.value FROM generate_series(1, cardinality(plans)) AS i CROSS JOIN LATERAL pgsim._filter_atoms((plans[i].request).filter, 1) AS a
            WHERE NOT stand_in[i] AND plans[i].recall < 1
        ),
        candidate AS (
            SELECT a.i, jsonb_build_object(a.path, CASE WHEN count(*) = 1 AND min(a.operator) = '$eq' AND bool_and(jsonb_typeof(a.value) <> 'object') THEN (jsonb_agg(a.value)) -> 0
                                                        ELSE jsonb_object_agg(a.operator, a.value) END) AS filter
            FROM atoms AS a WHERE a.path IS NOT NULL GROUP BY a.i, a.path
            UNION
            SELECT a.i, (plans[a.i].request).filter FROM atoms AS a GROUP BY a.i HAVING count(DISTINCT a.path) > 1 OR bool_or(a.path IS NULL)
        )
        SELECT k.filter, sum(searches[k.i] * before[k.i]) AS spent, bool_and(known[k.i]) AS known,
               ARRAY(SELECT DISTINCT coalesce(a.path, '') FROM pgsim._filter_atoms(k.filter, 1) AS a) AS paths
        FROM candidate AS k
        WHERE pg_column_size(k.filter) <= 1000 AND pgsim._filter_covers(k.filter, k.filter)
          AND NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND pgsim._filter_covers(k.filter, i.where_filter) AND pgsim._filter_covers(i.where_filter, k.filter)
                          AND i.where_filter IS NOT NULL)
        GROUP BY k.filter ORDER BY spent DESC LIMIT most
    LOOP
        BEGIN
            -- A predicate that an index cannot have: one on another table, or one that the column refuses.
            PERFORM pgsim._compile_filter(t.base, wide.filter, '{}', true);
            p := pgsim._plan_search(ROW(t.collection, 10, wide.filter, t.model, embedding, 1, 'auto', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request);
        EXCEPTION WHEN OTHERS THEN
            CONTINUE;
        END;
        rows := p.expected;
        CONTINUE WHEN rows < least_rows;
        places := '{}';
        costs := '{}';
        FOR i IN 1 .. cardinality(plans) LOOP
            IF plans[i].recall < 1 AND NOT stand_in[i] AND (paths -> i::text) ?& wide.paths AND pgsim._filter_covers((plans[i].request).filter, wide.filter) THEN
                p := plans[i];
                p.reachable := rows;
                places := places || i;
                costs := costs || pgsim._ann_seconds(c, p, least(p.expected, rows));
            END IF;
        END LOOP;
        RETURN QUERY
            SELECT 'partial_index', wide.filter::text, s.statement, g.row_bytes * rows, g.row_seconds * rows,
                   format('about %s of %s rows match%s%s', rows::bigint, t.rows::bigint, CASE WHEN g.row_bytes * rows > g.memory THEN pgsim._advise_memory(g.row_bytes * rows) END,
                          CASE WHEN NOT wide.known THEN '; values were not recorded, so each common one is taken to be asked for as often as it occurs' END),
                   s.arguments, places, costs
            FROM pgsim._advise_create_index(t, embedding, g.element, 'hnsw', wide.filter) AS s;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise_partial_indexes IS
    'What pgsim.advise may say of partial HNSW indexes: one for each condition, and each whole filter, that enough rows match. seconds are those of the searches that it covers.';

CREATE FUNCTION pgsim._advise_partition(t pgsim._target, plans pgsim._search_plan[], searches float8[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, served int[], seconds float8[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._calibration := pgsim._calibrated(t);
    total float8 := (SELECT sum(s) FROM unnest(searches) AS s);
    col record;
    p pgsim._search_plan;
    places int[];
    costs float8[];
BEGIN
    IF t.partitioned THEN
        RETURN;
    END IF;
    FOR col IN
        SELECT s.attname::text AS name, s.n_distinct::int AS distinct_values, count(*) AS kinds, sum(searches[a.i]) AS asked, array_agg(a.i) AS places, array_agg(a.value) AS items
        FROM (SELECT i, a.path, a.value FROM generate_series(1, cardinality(plans)) AS i CROSS JOIN LATERAL pgsim._filter_atoms((plans[i].request).filter, 1) AS a
              WHERE a.operator = '$eq' AND a.value <> 'null') AS a
        JOIN pg_class AS r ON r.oid = t.base
        JOIN pg_namespace AS n ON n.oid = r.relnamespace
        JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = r.relname AND s.attname = a.path
        WHERE s.n_distinct BETWEEN 2 AND 100 AND t.rows / s.n_distinct >= 2000 AND NOT s.inherited
        GROUP BY s.attname, s.n_distinct HAVING sum(searches[a.i]) > total / 2
    LOOP
        places := '{}';
        costs := '{}';
        FOR i IN 1 .. cardinality(col.places) LOOP
            p := pgsim._plan_search(ROW(t.collection, 10, jsonb_build_object(col.name, jsonb_build_object('$eq', col.items[i])), t.model, (plans[1].request).embedding, 1, 'auto',
                                        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request);
            plans[col.places[i]].reachable := greatest(1, p.estimated);
            p := plans[col.places[i]];
            places := places || col.places[i];
            costs := costs || least(least(p.scanned, p.reachable) * c.scan_row + p.expected * c.exact_row,
                                    CASE WHEN p.recall < 1 THEN pgsim._ann_seconds(c, p, least(p.expected, p.reachable)) END);
        END LOOP;
        RETURN QUERY SELECT
            'partition', col.name, NULL, 0.0::float8, NULL::float8,
            format('%1$s%% of the searches ask for one value of %2$s, of which there are %3$s. Make a table PARTITION BY LIST (%2$I), whose primary key has %2$I too, copy the rows, register it and build its index: each '
                   'search then reads one partition. Instead of the partial indexes and codes above, not beside them: codes are for ordinary tables',
                   round(100 * col.asked / total), col.name, col.distinct_values),
            NULL::jsonb, places, costs;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise_partition IS 'What pgsim.advise may say of partitioning: by a column of few values, one of which most searches ask for.';

CREATE FUNCTION pgsim._advise_plans(
    t pgsim._target, embedding text, OUT plans pgsim._search_plan[], OUT searches float8[], OUT known boolean[], OUT stand_in boolean[], OUT seconds float8[], OUT recorded boolean
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w record;
    p pgsim._search_plan;
BEGIN
    plans := '{}';
    searches := '{}';
    known := '{}';
    stand_in := '{}';
    seconds := '{}';
    recorded := false;
    FOR w IN SELECT * FROM pgsim._advise_workload(t) LOOP
        -- Whoever may search can write a line of the log, and columns come and go: what cannot be planned is passed over.
        BEGIN
            p := pgsim._plan_search(ROW(t.collection, w.k, w.filter, t.model, embedding, w.recall, 'auto', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request);
        EXCEPTION WHEN OTHERS THEN
            CONTINUE;
        END;
        recorded := w.recorded;
        plans := plans || p;
        searches := searches || w.searches;
        known := known || (w.known OR NOT w.recorded);
        stand_in := stand_in || w.stand_in;
        seconds := seconds || (p.costs ->> CASE WHEN p.strategy IN ('exact', 'codes') THEN p.strategy ELSE 'ann' END)::float8;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise_plans IS
    'The plans of the searches that advice is given for, how often each came, whether its values are known or are guesses, whether it stands for many, and the seconds that it is expected to take. recorded: they come from the log.';

CREATE FUNCTION pgsim._advise_statistics(t pgsim._target, plans pgsim._search_plan[], searches float8[])
RETURNS TABLE (kind text, target text, statement text, bytes float8, build_seconds float8, reason text, arguments jsonb, asked float8, before float8, after float8)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT int := 10;
    c pgsim._calibration := pgsim._calibrated(t);
    met record;
    p pgsim._search_plan;
    place int;
    off float8;
    counted float8;
    matches float8;
    expected float8;
    share float8;
    taken text;
BEGIN
    FOR met IN
        WITH used AS (
            SELECT i, array_agg(DISTINCT f.attname::text ORDER BY f.attname::text) AS columns, array_agg(DISTINCT f.attnum) AS numbers
            FROM generate_series(1, cardinality(plans)) AS i
            CROSS JOIN LATERAL pgsim._filter_atoms((plans[i].request).filter, 1) AS a
            JOIN pg_attribute AS f ON f.attrelid = t.base AND f.attname = a.path AND f.attnum > 0 AND f.attgenerated <> 'v' AND pgsim._is_ordered(f.atttypid)
            WHERE a.operator IN ('$eq', '$in', '$gt', '$gte', '$lt', '$lte', '$between')
            GROUP BY i HAVING count(DISTINCT f.attnum) BETWEEN 2 AND 8
        ),
        grouped AS (
            -- Of all searches on the same columns, those that came most often are counted.
            SELECT u.columns, u.numbers, sum(searches[u.i]) AS asked, (array_agg(u.i ORDER BY searches[u.i] DESC, u.i))[:3] AS places
            FROM used AS u GROUP BY u.columns, u.numbers
        )
        SELECT g.columns, g.asked, g.places, e.name IS NULL AS missing
        FROM grouped AS g
        LEFT JOIN LATERAL (SELECT e.stxname AS name, e.stxnamespace::regnamespace::text AS schema FROM pg_statistic_ext AS e
                           WHERE e.stxrelid = t.base AND g.numbers <@ e.stxkeys::int2[] AND e.stxkind && '{f,m}'::"char"[] LIMIT 1) AS e ON true
        -- Those that were made and not gathered yet take an ANALYZE alone.
        WHERE NOT EXISTS (SELECT FROM pg_stats_ext AS x WHERE quote_ident(x.statistics_schemaname) = e.schema AND x.statistics_name = e.name
                          AND (x.dependencies IS NOT NULL OR x.most_common_freqs IS NOT NULL))
        ORDER BY g.asked DESC LIMIT most
    LOOP
        share := CASE WHEN t.partitioned THEN 1 ELSE least(1, 1e5 / greatest(1, (SELECT r.relpages FROM pg_class AS r WHERE r.oid = t.base))) END;
        off := 1;
        FOREACH place IN ARRAY met.places LOOP
            counted := pgsim._count(concat(t.base_sql, CASE WHEN share < 1 THEN format(' TABLESAMPLE SYSTEM (%s) REPEATABLE (0)', 100 * share) END), plans[place].predicate, plans[place].given) / share;
            IF greatest(counted, plans[place].estimated) >= 100
               AND off < greatest(greatest(counted, 1) / greatest(plans[place].estimated, 1), greatest(plans[place].estimated, 1) / greatest(counted, 1)) THEN
                off := greatest(greatest(counted, 1) / greatest(plans[place].estimated, 1), greatest(plans[place].estimated, 1) / greatest(counted, 1));
                matches := counted;
                p := plans[place];
            END IF;
        END LOOP;
        CONTINUE WHEN off < 3;
        expected := p.estimated;
        taken := CASE WHEN p.strategy IN ('exact', 'codes') THEN p.strategy ELSE 'ann' END;
        p.scanned := CASE WHEN p.scanned > p.expected THEN p.scanned ELSE matches END;
        p.expected := matches;
        p := pgsim._choose_strategy(p, true);
        RETURN QUERY SELECT
            'statistics', array_to_string(met.columns, ', '),
            format('%sANALYZE %s', CASE WHEN met.missing THEN
                format('CREATE STATISTICS %s.%I (dependencies, mcv) ON %s FROM %s; ', (SELECT r.relnamespace::regnamespace FROM pg_class AS r WHERE r.oid = t.base),
                       pgsim._free_name(t.base, concat_ws('_', left((SELECT r.relname FROM pg_class AS r WHERE r.oid = t.base), 25), left(array_to_string(met.columns, '_'), 25), 'stat')),
                       (SELECT string_agg(quote_ident(n), ', ') FROM unnest(met.columns) AS n), t.base_sql) END, t.base_sql),
            16384.0::float8, 2e-5 * least(t.rows, 30000),
            format('PostgreSQL takes these columns for independent: it expects %s rows where %s match%s', expected::bigint, matches::bigint, CASE WHEN share < 1 THEN ' (in a sample of pages)' END),
            NULL::jsonb, met.asked, CASE taken WHEN 'ann' THEN pgsim._ann_seconds(c, p, least(matches, p.reachable)) WHEN 'exact' THEN p.scanned * c.scan_row + matches * c.exact_row ELSE (p.costs ->> taken)::float8 END,
            (p.costs ->> CASE WHEN p.strategy IN ('exact', 'codes') THEN p.strategy ELSE 'ann' END)::float8;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._advise_statistics IS
    'What pgsim.advise may say of extended statistics: for columns that meet in filters, where the matches counted are three times as many or as few as expected. before is what the plan chosen now costs for the matches that there are.';

CREATE FUNCTION pgsim._advise_values(base regclass, path text, operator text, paired boolean) RETURNS TABLE (value jsonb, share float8, stand_in boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Most columns keep a hundred common values.
    most CONSTANT int := 100;
    col record := pgsim._filter_column_type(base, path);
    s record;
    common text[];
    bounds text[];
    of_array CONSTANT boolean := operator IN ('$contains', '$overlap');
BEGIN
    SELECT t.null_frac, t.most_common_vals::text::text[] AS common, t.most_common_freqs::float8[] AS shares, t.histogram_bounds::text::text[] AS bounds,
           t.most_common_elems::text::text[] AS elements, t.most_common_elem_freqs::float8[] AS element_shares
    INTO s
    FROM pg_class AS r
    JOIN pg_namespace AS n ON n.oid = r.relnamespace
    JOIN pg_stats AS t ON t.schemaname = n.nspname AND t.tablename = r.relname AND t.attname = _advise_values.path
    WHERE r.oid = base
    ORDER BY t.inherited DESC LIMIT 1;
    IF NOT FOUND OR col.kind IS DISTINCT FROM (CASE WHEN of_array THEN 'array' ELSE 'scalar' END) THEN
        RETURN;
    END IF;
    common := coalesce(s.common, '{}');
    bounds := coalesce(s.bounds, ARRAY(SELECT c FROM unnest(common) AS c ORDER BY pgsim._advise_json(col.element, c)));
    RETURN QUERY
        WITH known AS (
            SELECT c.item, c.part, false AS rest FROM unnest(common, s.shares) WITH ORDINALITY AS c (item, part, place) WHERE operator = '$eq' AND c.place <= most
            UNION ALL
            -- The values that are not common are much alike: one stands for them all.
            SELECT coalesce(s.bounds[1 + cardinality(s.bounds) / 2], common[most + 1]),
                   greatest(0, 1 - s.null_frac - coalesce((SELECT sum(f) FROM unnest(s.shares[:most]) AS f), 0)), true
            WHERE operator = '$eq'
            UNION ALL
            -- The last three are the least, the largest and the mean of these shares, or of those of NULL.
            SELECT e.item, e.part / (SELECT sum(f) FROM unnest(s.element_shares[:least(most, cardinality(s.elements))]) AS f), false
            FROM unnest(s.elements, s.element_shares) WITH ORDINALITY AS e (item, part, place)
            WHERE of_array AND e.place <= least(most, cardinality(s.elements))
        ),
        one AS (
            SELECT pgsim._advise_json(col.element, k.item) AS item, k.part, k.rest FROM known AS k
        ),
        quarter AS (
            SELECT pgsim._advise_json(col.element, bounds[1 + (cardinality(bounds) - 1) / 4]) AS lower, pgsim._advise_json(col.element, bounds[1 + (cardinality(bounds) - 1) / 2]) AS middle,
                   pgsim._advise_json(col.element, bounds[1 + (cardinality(bounds) - 1) * 3 / 4]) AS upper
        )
        SELECT CASE WHEN of_array THEN jsonb_build_array(o.item) ELSE o.item END, o.part, o.rest FROM one AS o WHERE o.item IS NOT NULL AND o.part > 0
        UNION ALL
        SELECT v.value, 1.0, true
        FROM (
            SELECT CASE
                WHEN operator IN ('$gt', '$gte') THEN CASE WHEN paired THEN q.lower ELSE q.middle END
                WHEN operator IN ('$lt', '$lte') THEN CASE WHEN paired THEN q.upper ELSE q.middle END
                WHEN operator = '$between' AND q.lower IS NOT NULL THEN jsonb_build_array(q.lower, q.upper)
                WHEN operator = '$ne' THEN pgsim._advise_json(col.element, common[1])
                WHEN operator IN ('$in', '$nin') AND common <> '{}' THEN (SELECT jsonb_agg(pgsim._advise_json(col.element, c)) FROM unnest(common[:2]) AS c)
                WHEN operator = '$exists' THEN 'true' END AS value
            FROM quarter AS q
        ) AS v
        WHERE v.value IS NOT NULL;
END
$$;
COMMENT ON FUNCTION pgsim._advise_values IS
    'The values that a condition of unknown value is taken to have, by the planner''s statistics of the column: common ones by how common they are; stand_in where one value stands for many. paired: the column has a second bound.';

CREATE FUNCTION pgsim._advise_workload(t pgsim._target) RETURNS TABLE (filter jsonb, k int, recall float8, searches float8, recorded boolean, known boolean, stand_in boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT int := 1000;
BEGIN
    RETURN QUERY
        WITH log AS MATERIALIZED (
            SELECT l.shape, l.filter, l.k, l.recall_asked, count(*) AS searches
            FROM pgsim._search_log AS l
            -- What was asked under an earlier model will be asked again; another embedding has askers of its own.
            WHERE l.collection_id = t.collection_id AND l.shape !~ '(^|, )where_sql$'
              AND NOT EXISTS (SELECT FROM pgsim._version AS v JOIN pgsim._version AS own ON own.id = t.version_id WHERE v.id = l.version_id AND v.embedding_id <> own.embedding_id)
            GROUP BY l.shape, l.filter, l.k, l.recall_asked
            ORDER BY count(*) * percentile_cont(0.5) WITHIN GROUP (ORDER BY l.seconds) DESC LIMIT most
        ),
        shaped AS (
            SELECT l.shape, l.k, l.recall_asked, l.searches, true AS recorded FROM log AS l WHERE l.filter IS NULL
            UNION ALL
            SELECT concat(quote_ident(f.name), CASE (pgsim._filter_column_type(t.base, f.name)).kind WHEN 'array' THEN ' $contains' ELSE ' $eq' END), 10, 0.95, 1, false
            FROM pgsim._collection AS c CROSS JOIN unnest(c.filter_columns) AS f (name)
            WHERE c.id = t.collection_id AND NOT EXISTS (SELECT FROM log)
            UNION ALL
            SELECT '', 10, 0.95, 1, false WHERE NOT EXISTS (SELECT FROM log)
        )
        SELECT w.filter, w.k, w.recall, w.searches, w.recorded, w.known, w.stand_in
        FROM (
            SELECT l.filter, l.k, l.recall_asked AS recall, l.searches::float8 AS searches, true AS recorded, true AS known, false AS stand_in FROM log AS l WHERE l.filter IS NOT NULL
            UNION ALL
            SELECT f.filter, s.k, s.recall_asked, s.searches * f.share, s.recorded, false, f.stand_in
            FROM (SELECT s.shape, s.k, s.recall_asked, s.recorded, sum(s.searches)::float8 AS searches FROM shaped AS s GROUP BY 1, 2, 3, 4) AS s
            CROSS JOIN LATERAL pgsim._advise_filters(t.base, s.shape) AS f
        ) AS w
        ORDER BY w.searches DESC LIMIT most;
END
$$;
COMMENT ON FUNCTION pgsim._advise_workload IS
    'The searches that advice is given for, at most a thousand kinds: those recorded; a shape without values as filters on the column''s common values; where nothing was recorded, each declared filter column once.';

CREATE FUNCTION pgsim._bootstrap_interval(samples float8[], seed int, resamples int = 1000) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT percentile_cont(ARRAY[0.025, 0.975]::float8[]) WITHIN GROUP (ORDER BY r.mean)
    FROM (
        -- A hash of its number is each draw: random() would move the caller's own sequence on.
        SELECT avg(samples[1 + (pg_catalog.hashint8extended(d.draw::bigint, seed::bigint) & 9223372036854775807) % cardinality(samples)]) AS mean
        FROM generate_series(0, resamples * cardinality(samples) - 1) AS d (draw)
        GROUP BY d.draw / cardinality(samples)
    ) AS r
);
COMMENT ON FUNCTION pgsim._bootstrap_interval IS
    'The 95% interval of the mean of samples, which hold no NULL: the percentiles of the means of as many draws with replacement, again and again (the bootstrap; Efron 1979). The same seed gives the same interval. NULL of no samples.';

CREATE FUNCTION pgsim._build_estimate(seconds float8, rows float8, total float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN seconds * total / rows * ln(greatest(total, 3)) / ln(greatest(rows, 3));
COMMENT ON FUNCTION pgsim._build_estimate IS
    'How long an HNSW index of all rows takes, where one of some of them took so long: each row searches the graph so far, whose paths grow as its logarithm. (Measured: 63,350 and 1,000,000 rows, 10.7 and 206 s; this says 210.)';

CREATE FUNCTION pgsim._compare_search(
    collection text, query vector, sparse_query sparsevec, k int, filter jsonb, model text, embedding text, recall float8, mode text,
    where_sql text, where_values jsonb, where_columns text[], exact_first boolean,
    OUT tie_recall float8, OUT short boolean, OUT strategy text, OUT seconds float8, OUT exact_seconds float8
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    answer record;
    exact record;
    -- What a measurement searches is no user's search.
    previous jsonb := pgsim._set('{"pgsim.recording": "off"}');
BEGIN
    IF NOT exact_first THEN
        SELECT * INTO answer FROM pgsim._timed_search(collection, query, sparse_query, k, filter, model, embedding, recall, mode, where_sql, where_values, where_columns);
    END IF;
    SELECT * INTO exact FROM pgsim._timed_search(collection, query, sparse_query, k, filter, model, embedding, NULL, 'exact', where_sql, where_values, where_columns);
    IF exact_first THEN
        SELECT * INTO answer FROM pgsim._timed_search(collection, query, sparse_query, k, filter, model, embedding, recall, mode, where_sql, where_values, where_columns);
    END IF;
    tie_recall := pgsim._tie_recall(answer.distances, exact.distances);
    short := pg_catalog.cardinality(answer.distances) OPERATOR(pg_catalog.<) pg_catalog.cardinality(exact.distances);
    strategy := answer.strategy;
    seconds := answer.seconds;
    exact_seconds := exact.seconds;
    PERFORM pgsim._set(previous);
END
$$;
COMMENT ON FUNCTION pgsim._compare_search IS
    'A search beside the exact one. Whichever runs second finds in memory what the first has read, so the caller changes the order from query to query. It has the caller''s search_path, which where_sql is read by.';

CREATE FUNCTION pgsim._directed(vectors vector[], metric text) RETURNS vector[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT coalesce(pg_catalog.array_agg(g.v ORDER BY g.ordinal), '{}')
    FROM unnest(vectors) WITH ORDINALITY AS g (v, ordinal)
    WHERE vector_norm(g.v) > 0 OR metric <> 'cosine' AND g.v IS NOT NULL
);
COMMENT ON FUNCTION pgsim._directed IS 'Those vectors that have a distance to others: not NULL, and under cosine not zero.';

CREATE FUNCTION pgsim._filter_index(base regclass, path text, operator text, rows float8, OUT method text, OUT item text, OUT row_bytes float8, OUT correlation float8)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    col record := pgsim._filter_column_type(base, path);
    a record;
    compiled record;
    suffix CONSTANT text := ' = ''"x"''::jsonb)';
    present boolean;
BEGIN
    IF path IS NULL THEN
        RETURN;
    END IF;
    IF col.name IS NULL THEN
        BEGIN
            compiled := pgsim._compile_filter(base, jsonb_build_object(path, 'x'), '{}', true);
        EXCEPTION WHEN OTHERS THEN
            RETURN;
        END;
        -- A path into a jsonb column: the operand is what stands before the value.
        IF operator IN ('$eq', '$in') AND right(compiled.predicate, length(suffix)) = suffix AND (pgsim._filter_column_type(base, compiled.columns[1])).type = 'jsonb' THEN
            method := 'btree';
            item := format('(%s)', substr(compiled.predicate, 2, length(compiled.predicate) - 1 - length(suffix)));
            row_bytes := 32;
            present := EXISTS (SELECT FROM pg_index AS x WHERE x.indrelid = base AND x.indexprs IS NOT NULL AND format('((%s))', pg_get_indexdef(x.indexrelid, 1, true)) IN (item, format('((%s))', item), format('(%s)', item)));
        END IF;
    ELSE
        SELECT f.attnum, f.atttypid, f.attgenerated, coalesce(s.avg_width, 16) AS width, coalesce(s.correlation, 0) AS correlation,
               CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * rows ELSE nullif(s.n_distinct, 0) END AS distinct_values, s.elem_count_histogram[cardinality(s.elem_count_histogram)] AS elements
        INTO a
        FROM pg_attribute AS f
        JOIN pg_class AS r ON r.oid = f.attrelid
        JOIN pg_namespace AS n ON n.oid = r.relnamespace
        LEFT JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = r.relname AND s.attname = f.attname
        WHERE f.attrelid = base AND f.attname = col.name
        ORDER BY s.inherited DESC LIMIT 1;
        item := quote_ident(col.name);
        -- A long text is more than a btree takes, and its writer would be refused.
        IF col.kind = 'scalar' AND col.operand = item AND a.width <= 200 AND pgsim._is_ordered(a.atttypid) AND operator IN ('$eq', '$in', '$gt', '$gte', '$lt', '$lte', '$between') THEN
            method := 'btree';
            row_bytes := CASE WHEN rows > 5 * a.distinct_values THEN 7 ELSE (12 + 8 * ceil(a.width / 8.0)) / 0.9 END;
            correlation := a.correlation;
        ELSIF col.kind = 'array' AND operator IN ('$contains', '$overlap') THEN
            method := 'gin';
            row_bytes := 4 + 4 * coalesce(a.elements, 4);
        ELSIF col.type = 'jsonb' AND operator = '$contains' THEN
            method := 'gin';
            row_bytes := 4 + a.width / 3.0;
            item := item || ' jsonb_path_ops';
        END IF;
        present := a.attgenerated = 'v' OR EXISTS (SELECT FROM pg_index AS x JOIN pg_class AS k ON k.oid = x.indexrelid JOIN pg_am AS m ON m.oid = k.relam
                           WHERE x.indrelid = base AND x.indpred IS NULL AND CASE WHEN method = 'gin' THEN m.amname IN ('gin', 'gist') AND a.attnum = ANY (x.indkey)
                                                                                 ELSE m.amname NOT IN ('hnsw', 'ivfflat') AND a.attnum = x.indkey[0] END);
    END IF;
    correlation := coalesce(correlation, 0);
    IF present THEN
        method := NULL;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._filter_index IS 'The index that would serve a condition of a filter, as CREATE INDEX names its column, and its bytes a row; method is NULL where there is one already, or none serves.';

CREATE FUNCTION pgsim._free_name(relation regclass, stem text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    schema oid := (SELECT r.relnamespace FROM pg_class AS r WHERE r.oid = relation);
    attempt int := 1;
    name text;
BEGIN
    -- A name is cut by bytes; characters of several bytes leave room for fewer of them.
    WHILE octet_length(stem) > 58 LOOP
        stem := left(stem, -1);
    END LOOP;
    name := stem;
    WHILE EXISTS (SELECT FROM pg_class AS k WHERE k.relnamespace = schema AND k.relname = name)
          OR EXISTS (SELECT FROM pg_statistic_ext AS s WHERE s.stxnamespace = schema AND s.stxname = name) LOOP
        attempt := attempt + 1;
        name := stem || '_' || attempt;
    END LOOP;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim._free_name IS 'A name that no index and no statistics have in the schema of a table.';

CREATE FUNCTION pgsim._neighbours(vectors vector[], metric text, k int) RETURNS TABLE (item bigint, neighbour bigint, distance float8, rank bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 10000
BEGIN ATOMIC
    WITH v AS MATERIALIZED (
        SELECT g.ordinal, CASE _neighbours.metric WHEN 'cosine' THEN l2_normalize(g.v) ELSE g.v END AS v
        FROM unnest(_neighbours.vectors) WITH ORDINALITY AS g (v, ordinal)
    )
    SELECT a.ordinal, n.ordinal, n.distance, row_number() OVER (PARTITION BY a.ordinal ORDER BY n.distance, n.ordinal)
    FROM v AS a
    CROSS JOIN LATERAL (
        SELECT b.ordinal, CASE _neighbours.metric WHEN 'ip' THEN a.v <#> b.v WHEN 'l1' THEN a.v <+> b.v ELSE a.v <-> b.v END AS distance
        FROM v AS b WHERE b.ordinal <> a.ordinal
        ORDER BY 2, 1 LIMIT _neighbours.k
    ) AS n;
END;
COMMENT ON FUNCTION pgsim._neighbours IS
    'The k nearest of each vector among the others, exactly, by their places in the array. Under cosine the distance is that of the directions, sqrt(2 - 2 cos): the order is the same, and it is a distance.';

CREATE FUNCTION pgsim._geometry(
    vectors vector[], metric text, OUT intrinsic_dimension float8, OUT hubness float8, OUT duplicates float8
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH n AS MATERIALIZED (
        SELECT s.item, s.neighbour, s.distance, s.rank FROM pgsim._neighbours(_geometry.vectors, _geometry.metric, 20) AS s
    ),
    -- The inner product is no distance: what measures distances takes those of l2.
    r AS MATERIALIZED (
        SELECT n.item, n.distance, n.rank, n.distance <= CASE _geometry.metric WHEN 'cosine' THEN 1e-6 ELSE 0 END AS copy FROM n WHERE _geometry.metric <> 'ip'
        UNION ALL
        SELECT s.item, s.distance, s.rank, s.distance = 0 FROM pgsim._neighbours(CASE _geometry.metric WHEN 'ip' THEN _geometry.vectors END, 'l2', 20) AS s
    ),
    -- Copies of one vector say nothing of dimension: only distances above zero count.
    b AS (
        SELECT count(*) - 1 AS terms, count(*) * ln(max(r.distance)) - sum(ln(r.distance)) AS logs FROM r WHERE NOT r.copy GROUP BY r.item
    ),
    o AS (
        SELECT count(n.neighbour)::float8 AS times
        FROM generate_series(1, cardinality(_geometry.vectors)) AS v (ordinal)
        LEFT JOIN n ON n.neighbour = v.ordinal AND n.rank <= 10
        GROUP BY v.ordinal
    ),
    m AS (
        SELECT avg(o.times) AS mean, stddev_pop(o.times) AS deviation FROM o
    )
    SELECT (SELECT sum(b.terms) / nullif(sum(b.logs), 0) FROM b),
           (SELECT avg(power((o.times - m.mean) / nullif(m.deviation, 0), 3)) FROM o CROSS JOIN m),
           (SELECT avg(r.copy::int)::float8 FROM r WHERE r.rank = 1);
END;
COMMENT ON FUNCTION pgsim._geometry IS
    'How vectors lie among each other. intrinsic_dimension: the maximum likelihood estimate over the 20 nearest of each (Levina and Bickel 2005; Amsaleg et al. 2015), inverses averaged as MacKay and Ghahramani 2005 correct it. hubness: the skewness of how often each is among the 10 nearest of another (Radovanovic et al. 2010). duplicates: the share that another one equals.';

CREATE FUNCTION pgsim._graph_recall(
    t pgsim._target, dims int, element text, queries vector[], OUT index_names text, OUT measured int, OUT narrow float8, OUT wide float8
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Exact answers over a large table take long: once these are spent ten queries must do.
    patience CONSTANT interval := '3 seconds';
    enough CONSTANT int := 10;
    started CONSTANT timestamptz := clock_timestamp();
    distance CONSTANT text := format('%s OPERATOR(%s.%s) %s',
        pgsim._vector_expression(format('v.%I', t.column_name), t.vector_schema, t.prefix_metric, t.dim, t.element, dims, element),
        t.vector_schema, pgsim._distance_operator(t.metric, element),
        pgsim._vector_expression('$2', t.vector_schema, t.prefix_metric, t.dim, 'vector', dims, element));
    index_statement CONSTANT text := format('SELECT array_agg(n.d) FROM (SELECT %1$s AS d FROM %2$s AS v ORDER BY %1$s LIMIT 10) AS n', distance, t.version_sql);
    exact_statement CONSTANT text := format('SELECT array_agg(n.d) FROM (SELECT %1$s AS d FROM %2$s AS v ORDER BY (%1$s) OPERATOR(pg_catalog.+) 0 LIMIT 10) AS n', distance, t.version_sql);
    settings CONSTANT jsonb := '{"enable_seqscan": "off", "enable_sort": "off", "hnsw.iterative_scan": "off"}';
    given CONSTANT jsonb := '{}';
    previous jsonb;
    plan_indexes jsonb;
    truth float8[];
    found_distances float8[];
    narrow_sum float8 := 0;
    wide_sum float8 := 0;
BEGIN
    measured := 0;
    FOR i IN 1 .. coalesce(cardinality(queries), 0) LOOP
        EXIT WHEN measured >= enough AND clock_timestamp() > started + patience;
        CONTINUE WHEN element = 'halfvec' AND pgsim._vector_problem(queries[i], t.dim, t.metric, element) IS NOT NULL;
        EXECUTE exact_statement INTO truth USING given, queries[i];
        -- A row without a vector, and a prefix without a direction, have no distance.
        truth := array_remove(array_remove(truth, NULL), 'NaN');
        CONTINUE WHEN coalesce(cardinality(truth), 0) = 0;

        previous := pgsim._set(settings || '{"hnsw.ef_search": "40"}');
        IF index_names IS NULL THEN
            plan_indexes := pgsim._plan_indexes(pgsim._plan(index_statement, given, queries[i]));
            SELECT string_agg(quote_ident(p.name), ', ') INTO index_names
            FROM jsonb_array_elements_text(plan_indexes) AS p (name)
            WHERE EXISTS (SELECT FROM pg_class AS k JOIN pg_am AS m ON m.oid = k.relam WHERE k.relname = p.name AND m.amname = 'hnsw');
            IF index_names IS NULL THEN
                PERFORM pgsim._set(previous);
                RETURN;
            END IF;
        END IF;
        EXECUTE index_statement INTO found_distances USING given, queries[i];
        narrow_sum := narrow_sum + pgsim._tie_recall(found_distances, truth);
        PERFORM pgsim._set('{"hnsw.ef_search": "200"}');
        EXECUTE index_statement INTO found_distances USING given, queries[i];
        wide_sum := wide_sum + pgsim._tie_recall(found_distances, truth);
        PERFORM pgsim._set(previous);
        measured := measured + 1;
    END LOOP;
    narrow := narrow_sum / nullif(measured, 0);
    wide := wide_sum / nullif(measured, 0);
END
$$;
COMMENT ON FUNCTION pgsim._graph_recall IS
    'Recall at 10 of the HNSW index on a prefix and element type, at ef_search 40 (narrow) and 200 (wide), against exact search by the very same expression, so that it measures the graph alone. index_names are those that the plan reads; NULL when it reads no HNSW index.';

CREATE FUNCTION pgsim._halfvec_recall(t pgsim._target, k int) RETURNS float8
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q record;
    found float8[];
    recalls float8[] := '{}';
BEGIN
    FOR q IN EXECUTE 'SELECT query, truth FROM pg_temp._pgsim_trial_query ORDER BY number' LOOP
        EXECUTE format('SELECT array_agg(n.d) FROM (SELECT %s AS d FROM pg_temp._pgsim_trial AS s ORDER BY (s.v::%s.halfvec(%s) OPERATOR(%2$s.%4$s) $1::%2$s.halfvec(%3$s)) + 0, s.key COLLATE "C" LIMIT %5$s) AS n',
                       pgsim._trial_distance(t), t.vector_schema, t.dim, pgsim._distance_operator(t.metric), k)
        INTO found USING q.query;
        recalls := recalls || pgsim._tie_recall(found, q.truth);
    END LOOP;
    RETURN (SELECT avg(u) FROM unnest(recalls) AS u);
END
$$;
COMMENT ON FUNCTION pgsim._halfvec_recall IS 'The recall of exact searches of the copied rows, were they stored as halfvec.';

CREATE FUNCTION pgsim._health_of_graphs(t pgsim._target, queries vector[], intrinsic_dimension float8) RETURNS TABLE (
    measure text, value float8, verdict text, explanation text, hint text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hidden CONSTANT boolean := row_security_active(t.base) OR row_security_active(t.version);
    x record;
    r record;
    why text;
BEGIN
    FOR x IN SELECT i.dims, i.element, min(i.index::text) AS first_index FROM pgsim._vector_indexes(t) AS i
             WHERE i.method = 'hnsw' AND i.valid AND NOT i.partial AND i.dims IS NOT NULL GROUP BY 1, 2 ORDER BY 1 DESC, 2 DESC LOOP
        SELECT * INTO r FROM pgsim._graph_recall(t, x.dims, x.element, CASE WHEN NOT hidden THEN queries END) AS g;
        why := CASE WHEN hidden THEN format('not measured for %s: row-level security hides rows from this role', x.first_index)
                    WHEN coalesce(cardinality(queries), 0) = 0 THEN format('not measured for %s: there are no vectors', x.first_index)
                    WHEN r.index_names IS NULL THEN format('not measured for %s: PostgreSQL does not choose it', x.first_index) END;
        RETURN QUERY
            SELECT format('recall_ef_%s', e.ef), e.recall, CASE WHEN e.ef = 200 THEN pgsim._verdict(1 - e.recall, 0.05, 0.1) ELSE pgsim._verdict(1 - e.recall, 0.1, 'inf') END,
                   coalesce(why, format('recall at 10 of %s alone with ef_search %s, over %s sampled rows as queries', r.index_names, e.ef, r.measured)),
                   CASE WHEN e.ef = 40 THEN 'A search that asks for a recall takes a larger ef by itself. By hand: SET hnsw.ef_search.'
                        WHEN intrinsic_dimension > 20 THEN 'The vectors are hard to index: build with more links (options => ''{"m": 32, "ef_construction": 128}'').'
                        ELSE format('The vectors are not hard to index, so the graph has suffered from the order of insertion or from changes: REINDEX INDEX CONCURRENTLY %s.', x.first_index) END
            FROM (VALUES (40, r.narrow), (200, r.wide)) AS e (ef, recall);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._health_of_graphs IS 'The measures of pgsim.health that try the HNSW indexes.';

CREATE FUNCTION pgsim._health_of_storage(t pgsim._target) RETURNS TABLE (measure text, value float8, verdict text, explanation text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    row_estimate CONSTANT float8 := pgsim._rows_estimate(t.version);
    shared_buffers CONSTANT bigint := pg_size_bytes(current_setting('shared_buffers'));
    cache_size CONSTANT bigint := pg_size_bytes(current_setting('effective_cache_size'));
    counted record;
    made record;
    x record;
    fraction float8;
    codes CONSTANT bigint := (
        SELECT sum(i.bytes) FROM pgsim.indexes AS i JOIN pgsim.versions AS v ON v.collection = i.collection AND v.embedding = i.embedding AND v.model = i.model
        WHERE v.id = t.version_id AND i.method = 'codes');
    bytes bigint;
    calibrated float8;
BEGIN
    SELECT sum(pg_stat_get_live_tuples(p.relid)) AS live, sum(pg_stat_get_dead_tuples(p.relid)) AS dead, sum(pg_stat_get_mod_since_analyze(p.relid)) AS changed,
           min(coalesce(greatest(pg_stat_get_last_analyze_time(p.relid), pg_stat_get_last_autoanalyze_time(p.relid)), '-infinity')) AS analyzed,
           CASE WHEN min(r.reltuples) >= 0 THEN sum(r.reltuples::float8) END AS "rows"
    INTO counted
    FROM (SELECT q.relid FROM pg_partition_tree(t.version) AS q WHERE q.isleaf UNION SELECT t.version) AS p
    JOIN pg_class AS r ON r.oid = p.relid AND r.relkind = 'r';
    fraction := counted.dead::float8 / nullif(counted.live + counted.dead, 0);
    RETURN QUERY VALUES ('dead_rows', fraction, pgsim._verdict(fraction, 0.1, 0.3),
        CASE WHEN fraction IS NULL THEN format('PostgreSQL has counted no rows in %s', t.version_sql)
             ELSE format('share of dead rows in %s, as PostgreSQL counts them: %s of %s; a vector index visits their entries until they are vacuumed', t.version_sql, counted.dead, counted.live + counted.dead) END,
        format('REINDEX the vector indexes CONCURRENTLY, which makes vacuuming them fast, then VACUUM %s.', t.version_sql));

    SELECT count(*) FILTER (WHERE i.valid) AS count, coalesce(sum(i.bytes), 0)::bigint AS bytes,
           string_agg(format('%s (%s, %s%s)', i.index, i.method, pg_size_pretty(i.bytes), CASE WHEN NOT i.valid THEN ', invalid' WHEN i.partial THEN ', partial' ELSE '' END), ', ') AS names
    INTO made
    FROM pgsim._vector_indexes(t) AS i;
    RETURN QUERY VALUES ('vector_indexes', made.count::float8, CASE WHEN made.count = 0 AND row_estimate > 20000 THEN 'note' ELSE 'ok' END,
        concat_ws(', ', coalesce(made.names, format('no vector index over about %s rows', row_estimate)), 'codes (' || pg_size_pretty(codes) || ')'),
        format('SELECT pgsim.create_index(%L, %L), or "pgsim index create", which does not block writers.', t.collection, t.model));

    FOR x IN SELECT * FROM pgsim._vector_indexes(t) AS i WHERE i.valid LOOP
        fraction := CASE WHEN NOT x.partial THEN x.tuples / nullif(counted.rows, 0) END;
        RETURN QUERY VALUES ('index_rows', fraction, pgsim._verdict(abs(fraction - 1), 0.1, 'inf'),
            CASE WHEN x.partial THEN format('%s is partial: it has about %s entries', x.index, x.tuples)
                 WHEN fraction IS NULL THEN format('PostgreSQL has not counted the entries of %s and the rows of %s, or found none', x.index, t.version_sql)
                 ELSE format('entries of %s to a row of %s, by the last count of each', x.index, t.version_sql) END,
            format('VACUUM ANALYZE %s counts anew. Rows without a vector have no entry; dead ones have one until they are vacuumed.', t.version_sql));

        fraction := NULL;
        IF NOT t.adopted THEN
            EXECUTE format('SELECT avg((v.embedded_at > $1)::int)::float8 FROM %s AS v %s', t.version_sql,
                           CASE WHEN row_estimate > 50000 THEN format('TABLESAMPLE SYSTEM (%s) REPEATABLE (0)', 2000000 / row_estimate) END)
            INTO fraction USING x.created_at;
        ELSIF counted.analyzed >= x.created_at THEN
            fraction := counted.changed / nullif(counted.rows, 0);
        END IF;
        RETURN QUERY VALUES ('changed_since_build', fraction, pgsim._verdict(fraction, 0.5, 'inf'),
            CASE WHEN x.created_at IS NULL THEN format('%s was not made by pgsim, and PostgreSQL does not date it', x.index)
                 WHEN fraction IS NULL THEN format('not known: PostgreSQL does not date the rows of %s, and it was not analyzed after %s was made', t.version_sql, x.index)
                 WHEN t.adopted THEN format('at least this share of the rows changed since %s was made at %s: those since the last ANALYZE; a REINDEX by hand is not seen', x.index, x.created_at::timestamptz(0))
                 ELSE format('share of the vectors that were stored after %s was made at %s; a REINDEX by hand is not seen', x.index, x.created_at::timestamptz(0)) END,
            format('Where recall has suffered (recall_ef_200), REINDEX INDEX CONCURRENTLY %s.', x.index));
    END LOOP;

    bytes := made.bytes + coalesce(codes, 0);
    RETURN QUERY VALUES ('memory', bytes::float8, pgsim._verdict(bytes, shared_buffers, cache_size),
        format('bytes of the vector indexes and codes, %s; shared_buffers is %s, effective_cache_size %s', pg_size_pretty(bytes), pg_size_pretty(shared_buffers), pg_size_pretty(cache_size)),
        CASE WHEN bytes > cache_size THEN 'A search will wait for the disk. Index halfvec elements (half the bytes) or a prefix, or take a machine with more memory.'
             ELSE 'Raise shared_buffers where the machine has the memory; until then the operating system''s cache serves what does not fit.' END);

    calibrated := (SELECT k.rows FROM pgsim._calibration AS k WHERE k.version_id = t.version_id AND k.scan_row IS NOT NULL);
    RETURN QUERY VALUES ('calibration', row_estimate / nullif(calibrated, 0),
        CASE WHEN row_estimate < 2000 AND calibrated IS NULL OR pgsim._calibration_state(t) LIKE 'of %' THEN 'ok' ELSE 'note' END,
        CASE WHEN calibrated IS NULL THEN 'not calibrated: the planner goes by defaults'
             ELSE format('rows now to a row at the calibration: %s', pgsim._calibration_state(t)) END,
        format('Run pgsim.calibrate(%L, model => %L): it blocks nobody.', t.collection, t.model));
END
$$;
COMMENT ON FUNCTION pgsim._health_of_storage IS 'The measures of pgsim.health that the catalogue and PostgreSQL''s counters give, and the dates of vectors in a version table.';

CREATE FUNCTION pgsim._health_of_vectors(
    t pgsim._target, embedding text, vectors vector[], directed vector[], intrinsic_dimension float8, hubness float8, duplicates float8
) RETURNS TABLE (measure text, value float8, verdict text, explanation text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sampled CONSTANT int := cardinality(vectors);
    present CONSTANT int := cardinality(array_remove(vectors, NULL));
    others CONSTANT text := format('the sample has %s vectors%s', cardinality(directed), CASE t.metric WHEN 'cosine' THEN ' with a direction' ELSE '' END);
    missing float8 := (sampled - present)::float8 / nullif(sampled, 0);
    zero float8;
    norm float8;
    spread float8;
BEGIN
    SELECT n.zeros::float8 / nullif(present, 0), n.mean, n.deviation / nullif(n.mean, 0) INTO zero, norm, spread FROM pgsim._norms(vectors) AS n;
    RETURN QUERY VALUES
    ('sampled_rows', sampled::float8, pgsim._verdict(50 - present, 0, 50),
     format('rows looked at, of about %s; %s of them have a vector', greatest(sampled, pgsim._rows_estimate(t.base)), present),
     'So few vectors say little: measure again when there are more.'),
    ('missing_vectors', missing, pgsim._verdict(missing, 0, 0.05),
     CASE WHEN sampled = 0 THEN 'there are no rows' ELSE 'share of rows without a vector, which no search finds' END,
     CASE WHEN t.source_columns = '{}' THEN 'Store them with pgsim.upsert.'
          ELSE format('SELECT pgsim.enqueue_missing(%L, %L, %L), and run a worker.', t.collection, t.model, embedding) END),
    ('zero_vectors', zero, pgsim._verdict(zero, 0, CASE t.metric WHEN 'cosine' THEN 0 ELSE 1 END),
     CASE WHEN present = 0 THEN 'there are no vectors'
          ELSE 'share of vectors that are all zeros' || CASE t.metric WHEN 'cosine' THEN ': they have no direction, and no search finds them' ELSE '' END END,
     'Look at what they were made from, often an empty text; embed it again, or set the vector to NULL.'),
    ('duplicate_vectors', duplicates, pgsim._verdict(duplicates, 0.05, 0.3),
     CASE WHEN duplicates IS NULL THEN others
          ELSE format('share of vectors that another of the sample equals%s; copies outside the sample are not seen', CASE t.metric WHEN 'cosine' THEN ' in direction' ELSE '' END) END,
     'Copies tie, and crowd others out of the first k: store each text once.'),
    ('norm_spread', spread, pgsim._verdict(spread, CASE t.metric WHEN 'ip' THEN 0.05 ELSE 'inf' END, CASE t.metric WHEN 'ip' THEN 0.3 ELSE 'inf' END),
     CASE WHEN spread IS NULL THEN 'no vector has a length'
          ELSE format('standard deviation of the vectors'' lengths over their mean, %s: %s', round(norm::numeric, 4),
                      CASE WHEN abs(norm - 1) < 0.001 AND spread < 0.001 THEN 'they are normalized, so that cosine, ip and l2 rank alike'
                           ELSE CASE t.metric WHEN 'ip' THEN 'the inner product prefers the long ones' WHEN 'cosine' THEN 'cosine does not look at it' ELSE 'it is part of the distance' END END) END,
     'Where length means nothing to the model, register the model with metric cosine.'),
    ('intrinsic_dimension', intrinsic_dimension, pgsim._verdict(intrinsic_dimension, 20, 'inf'),
     CASE WHEN cardinality(directed) <= 20 THEN 'it takes the 20 nearest of each vector, and ' || others
          WHEN intrinsic_dimension IS NULL THEN 'the nearest are all equally far'
          ELSE format('in how many directions the neighbours of a vector lie, within the sample; the model has %s dimensions', t.dim) END,
     'The higher it is, the more an index must visit: expect a larger ef, or build with more links (options => ''{"m": 32, "ef_construction": 128}'').'),
    ('hubness', hubness, pgsim._verdict(hubness, 2, 5),
     CASE WHEN cardinality(directed) <= 20 THEN 'it takes the 10 nearest of each vector, and ' || others
          WHEN hubness IS NULL THEN 'each is among the nearest equally often'
          ELSE 'skewness of how often a vector is among the 10 nearest of another: 0 where all are alike; far above, a few rows answer very many queries' END,
     'Look at the rows that come back most, often boilerplate or very short texts.');
END
$$;
COMMENT ON FUNCTION pgsim._health_of_vectors IS 'The measures of pgsim.health that a sample of vectors gives. directed: those of them that have a distance to others.';

CREATE FUNCTION pgsim._hnsw_bytes(dim int, element text, m int, rows float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    -- hnsw.h of pgvector: an element has 72 bytes beside its vector, and on the lowest level 2 m neighbours of 6 bytes. The two lie on one page.
    SELECT CASE WHEN s.pair > 8160 THEN 16384.0 ELSE 8192.0 / floor(8160.0 / s.pair) END * _hnsw_bytes.rows
    FROM (SELECT 8 * ceil((80 + _hnsw_bytes.dim * CASE _hnsw_bytes.element WHEN 'bit' THEN 0.125 WHEN 'halfvec' THEN 2 ELSE 4 END) / 8.0) + 8 * ceil((4 + 12 * _hnsw_bytes.m) / 8.0) + 8 AS pair) AS s
);
COMMENT ON FUNCTION pgsim._hnsw_bytes IS 'How large an HNSW index of so many rows is, where no vector is stored twice.';

CREATE FUNCTION pgsim._index_pays(relation regclass, rows float8, matches float8, correlation float8) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pages float8 := (SELECT greatest(1, sum(r.relpages)) FROM pg_partition_tree(relation) AS l JOIN pg_class AS r ON r.oid = l.relid);
    random_page CONSTANT float8 := current_setting('random_page_cost')::float8;
    seq_page CONSTANT float8 := current_setting('seq_page_cost')::float8;
    tuple CONSTANT float8 := current_setting('cpu_tuple_cost')::float8;
    operator CONSTANT float8 := current_setting('cpu_operator_cost')::float8;
    index_tuple CONSTANT float8 := current_setting('cpu_index_tuple_cost')::float8;
    fetched float8;
BEGIN
    pages := greatest(pages, (SELECT sum(pg_relation_size(l.relid)) FROM pg_partition_tree(relation) AS l WHERE l.isleaf) / current_setting('block_size')::float8);
    -- costsize.c: pages fetched by Mackert and Lohman, each between a random and a sequential one by how many of all they are.
    fetched := CASE WHEN abs(correlation) > 0.9 THEN greatest(1, pages * matches / greatest(rows, 1)) ELSE least(pages, 2 * pages * matches / (2 * pages + matches)) END;
    RETURN fetched * (random_page - (random_page - seq_page) * sqrt(fetched / pages)) + matches * (tuple + 2 * operator + index_tuple) + 2 * random_page
           < pages * seq_page + rows * (tuple + operator);
END
$$;
COMMENT ON FUNCTION pgsim._index_pays IS 'Whether PostgreSQL would rather read so many matches of a table by an index that does not exist yet than read the table, by its own cost model of a bitmap scan.';

CREATE FUNCTION pgsim._norms(vectors vector[], OUT zeros int, OUT mean float8, OUT deviation float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT count(*) FILTER (WHERE vector_norm(v) = 0)::int, avg(vector_norm(v)), stddev_pop(vector_norm(v)) FROM unnest(_norms.vectors) AS v;
END;
COMMENT ON FUNCTION pgsim._norms IS 'The lengths of vectors: how many are zero, their mean and standard deviation.';

CREATE FUNCTION pgsim._recall_queries(collection text, queries vector[], model text, embedding text, sample int, seed int) RETURNS vector[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := pgsim._target(collection, model, embedding);
BEGIN
    PERFORM pgsim._require_dense(t, 'queries is', 'Give sparse_queries, or neither: rows of the collection are queries then.');
    PERFORM pgsim._require_select(t.base, t.version);
    IF seed IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'seed is NULL; it is a whole number', HINT = 'The same seed takes the same rows. Leave it out for 0.';
    END IF;
    IF queries IS NOT NULL THEN
        IF cardinality(queries) NOT BETWEEN 1 AND 10000 OR array_ndims(queries) > 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('queries holds %s vectors; it is a plain list of 1 to 10000', cardinality(queries)),
                HINT = 'Leave it out to take rows of the collection as queries.';
        END IF;
        IF t.map_id IS NOT NULL THEN
            PERFORM pgsim._mapped_queries(t, queries);
            RETURN queries;
        END IF;
        FOR i IN 1 .. cardinality(queries) LOOP
            PERFORM pgsim._check_vector(queries[i], format('query %s', i), t.model, t.dim, t.metric, t.element);
        END LOOP;
        RETURN queries;
    END IF;
    IF sample IS NULL OR sample NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sample is %s; it is a number of rows from 1 to 10000', coalesce(sample::text, 'NULL')),
            HINT = 'Each row of the sample is a query, searched exactly too.';
    END IF;
    IF t.map_id IS NOT NULL THEN
        RETURN pgsim._given_to_map(t, sample, seed);
    END IF;
    RETURN pgsim._directed((pgsim._sample(t, sample, seed)).vectors, t.metric);
END
$$;
COMMENT ON FUNCTION pgsim._recall_queries IS 'The queries that recall is measured with: those given, checked, or the vectors of sampled rows.';

CREATE FUNCTION pgsim._recall_searches(
    collection text, queries vector[], sparse_queries sparsevec[], model text, embedding text, sample int, seed int
) RETURNS TABLE (query vector, sparse_query sparsevec, ordinal bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := CASE WHEN sparse_queries IS NULL THEN pgsim._target(collection, model, embedding) ELSE pgsim._sparse_target(collection, model, embedding) END;
BEGIN
    IF t.element <> 'sparsevec' OR queries IS NOT NULL AND sparse_queries IS NULL THEN
        queries := pgsim._recall_queries(collection, queries, model, embedding, sample, seed);
        FOR i IN 1 .. cardinality(queries) LOOP
            query := queries[i];
            ordinal := i;
            RETURN NEXT;
        END LOOP;
        RETURN;
    ELSIF queries IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'queries and sparse_queries are both given', HINT = 'Recall is measured of one embedding at a time: leave one of them out.';
    ELSIF cardinality(sparse_queries) NOT BETWEEN 1 AND 10000 OR array_ndims(sparse_queries) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sparse_queries holds %s vectors; it is a plain list of 1 to 10000', cardinality(sparse_queries)),
            HINT = 'Leave it out to take rows of the collection as queries.';
    ELSIF sample IS NULL OR sample NOT BETWEEN 1 AND 10000 OR seed IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sample is %s and seed is %s; sample is a number of rows from 1 to 10000, and seed a whole number', coalesce(sample::text, 'NULL'), coalesce(seed::text, 'NULL')),
            HINT = 'Each row of the sample is a query, searched exactly too; the same seed takes the same rows.';
    END IF;
    PERFORM pgsim._require_select(t.base, t.version);
    IF sparse_queries IS NULL THEN
        -- Through the base table, whose row-level security holds. The order is a hash of the key: the same rows each time.
        EXECUTE format('SELECT array_agg(s.v ORDER BY s.place, s.key) FROM (SELECT %1$s AS v, %2$s AS key, hashtextextended(%2$s, $1) AS place FROM %3$s AS b%4$s WHERE %5$s.l2_norm(%1$s) > 0 ORDER BY place, key LIMIT $2) AS s',
            format(CASE WHEN t.adopted THEN 'b.%I' ELSE 'v.%I' END, t.column_name), pgsim._key_text(t.base, 'b.', t.key_columns), t.base_sql,
            CASE WHEN NOT t.adopted THEN format(' JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END, t.vector_schema)
        INTO sparse_queries USING seed::bigint, sample;
    END IF;
    FOR i IN 1 .. coalesce(cardinality(sparse_queries), 0) LOOP
        PERFORM pgsim._check_sparse(sparse_queries[i], format('sparse query %s', i), t.model, t.dim, t.metric);
        sparse_query := sparse_queries[i];
        ordinal := i;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._recall_searches IS 'The queries that recall is measured with, dense or sparse: those given, checked, or the vectors of sampled rows.';

CREATE FUNCTION pgsim._reciprocal_rank(keys text[], relevant text[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(1.0 / min(u.place), 0)::float8 FROM unnest(keys) WITH ORDINALITY AS u (key, place) WHERE u.key = ANY (relevant));
COMMENT ON FUNCTION pgsim._reciprocal_rank IS 'One over the rank of the first relevant key, 0 where there is none.';

CREATE FUNCTION pgsim._record_search(
    collection_id int, version_id int, shape text, filter jsonb, k int, recall_asked float8, strategy text, estimated float8, matches float8,
    returned int, seconds float8, exact_seconds float8, recall float8, keys text[] = NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean OR current_setting('pgsim.recording', true) = 'off' THEN
        RETURN;
    END IF;
    -- Whoever may search may call this. So it keeps what the registrar asked for and no more, and bounds what a line can hold.
    INSERT INTO pgsim._search_log (collection_id, version_id, at, shape, filter, k, recall_asked, strategy, estimated, matches, returned, seconds, exact_seconds, recall, keys)
    SELECT c.id, v.id, clock_timestamp(), left(coalesce(_record_search.shape, ''), 2000),
           CASE WHEN c.record_values AND pg_column_size(_record_search.filter) <= 8192 THEN _record_search.filter END,
           _record_search.k, coalesce(_record_search.recall_asked, 0.95), left(_record_search.strategy, 40), _record_search.estimated, _record_search.matches,
           _record_search.returned, _record_search.seconds, _record_search.exact_seconds, _record_search.recall,
           CASE WHEN pg_column_size(_record_search.keys[1 : 100]) <= 8192 THEN _record_search.keys[1 : 100] END
    FROM pgsim._collection AS c
    JOIN pgsim._embedding AS e ON e.collection_id = c.id
    JOIN pgsim._version AS v ON v.embedding_id = e.id
    WHERE c.id = _record_search.collection_id AND v.id = _record_search.version_id AND greatest(c.record_share, c.audit_share) > 0;
END
$$;
COMMENT ON FUNCTION pgsim._record_search IS
    'Notes a search down, where the collection''s searches are recorded; nothing in a read-only transaction or on a standby, or under the setting pgsim.recording = off, as pgsim.recall has it. The log is nobody''s to read but the registrar''s, so it runs with the registrar''s rights.';

CREATE FUNCTION pgsim._rows_estimate(relation regclass) RETURNS float8
LANGUAGE sql STABLE
RETURN (
    -- A table that was never analyzed says -1; rows are then taken for 200 bytes each.
    SELECT coalesce(sum(CASE WHEN r.reltuples < 0 THEN pg_catalog.pg_relation_size(r.oid) / 200 ELSE r.reltuples END), 0)::float8
    FROM (SELECT p.relid FROM pg_catalog.pg_partition_tree(relation) AS p WHERE p.isleaf UNION SELECT relation) AS p
    JOIN pg_catalog.pg_class AS r ON r.oid = p.relid AND r.relkind = 'r'
);
COMMENT ON FUNCTION pgsim._rows_estimate IS 'About how many rows a table has, its partitions together, as PostgreSQL last counted.';

CREATE FUNCTION pgsim._sample(t pgsim._target, wanted int, seed int, OUT keys text[], OUT vectors vector[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key_count int := cardinality(t.key_columns);
    key_text text := pgsim._key_text(t.base, 'b.', t.key_columns);
    stored text := format('b.%I AS stored', t.column_name);
    vector_join text := '';
    estimate float8 := pgsim._rows_estimate(t.base);
    -- Rows of one block often came together: ten times as many are read as are kept.
    part text := CASE WHEN estimate > 50.0 * wanted THEN format('TABLESAMPLE SYSTEM (%s) REPEATABLE (%s)', 1000.0 * wanted / estimate, seed) END;
BEGIN
    IF seed IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'seed is NULL; it is a whole number', HINT = 'The same seed takes the same rows. Leave it out for 0.';
    END IF;
    IF NOT t.adopted THEN
        SELECT string_agg(format('b.%I AS k_%s', k.name, k.ordinal), ', '),
               format('LEFT JOIN %s AS v ON ', t.version_sql)
               || string_agg(format('v.%I OPERATOR(pg_catalog.=) s.k_%s', pgsim._key_column(k.ordinal, key_count), k.ordinal), ' AND ')
        INTO stored, vector_join
        FROM unnest(t.key_columns) WITH ORDINALITY AS k (name, ordinal);
    END IF;
    LOOP
        -- Through the base table, whose row-level security holds. The order is a hash of the key: the same rows each time.
        EXECUTE format(
            'SELECT array_agg(s.key ORDER BY s.place, s.key), array_agg(%s::%s.vector ORDER BY s.place, s.key) '
            'FROM (SELECT %s, %s AS key, hashtextextended(%4$s, %s) AS place FROM %s AS b %s ORDER BY place, key LIMIT %s) AS s %s',
            CASE WHEN t.adopted THEN 's.stored' ELSE format('v.%I', t.column_name) END, t.vector_schema,
            stored, key_text, seed, t.base_sql, part, wanted, vector_join)
        INTO keys, vectors;
        -- An estimate may be far off, and row-level security may hide most rows.
        EXIT WHEN part IS NULL OR cardinality(keys) >= wanted / 2;
        part := NULL;
    END LOOP;
    keys := coalesce(keys, '{}');
    vectors := coalesce(vectors, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._sample IS
    'Rows of a collection that the caller may see: keys, and vectors, NULL where a row has none. The same seed takes the same rows while the table does not change. A large table is sampled by blocks.';

CREATE FUNCTION pgsim._tie_recall(found float8[], truth float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN coalesce(cardinality(truth), 0) = 0 THEN 1 ELSE (
    SELECT least(count(*) FILTER (WHERE f.distance <= t.farthest + 1e-6 * greatest(1, abs(t.farthest)))::float8 / cardinality(truth), 1)
    FROM (SELECT max(d) AS farthest FROM unnest(truth) AS d) AS t
    LEFT JOIN unnest(found) AS f (distance) ON true
) END;
COMMENT ON FUNCTION pgsim._tie_recall IS
    'The share of an exact answer that an answer found, by distances: a row as near as the farthest of the exact ones, within 1e-6, is as good as they are, for rows may tie. 1 where nothing is to be found.';

CREATE FUNCTION pgsim._timed_search(
    collection text, query vector, sparse_query sparsevec, k int, filter jsonb, model text, embedding text, recall float8, mode text,
    where_sql text, where_values jsonb, where_columns text[], OUT distances float8[], OUT strategy text, OUT seconds float8
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    started CONSTANT timestamptz := pg_catalog.clock_timestamp();
BEGIN
    SELECT coalesce(pg_catalog.array_agg(s.distance), '{}'), coalesce(pg_catalog.min(coalesce(s.details OPERATOR(pg_catalog.#>>) '{legs,sparse,strategy}', s.details OPERATOR(pg_catalog.->>) 'strategy')), 'nothing found')
    INTO distances, strategy
    FROM pgsim.search(
        collection => _timed_search.collection, query => _timed_search.query, sparse_query => _timed_search.sparse_query, k => _timed_search.k, filter => _timed_search.filter,
        model => _timed_search.model, embedding => _timed_search.embedding, recall => _timed_search.recall, mode => _timed_search.mode,
        where_sql => _timed_search.where_sql, where_values => _timed_search.where_values, where_columns => _timed_search.where_columns) AS s;
    seconds := extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) started);
END
$$;
COMMENT ON FUNCTION pgsim._timed_search IS
    'A search: its distances in the order of rank, its strategy, and how long it took. It has the caller''s search_path, which where_sql is read by.';

CREATE FUNCTION pgsim._trial_add(t pgsim._target, keys text[]) RETURNS int
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    added int;
BEGIN
    EXECUTE format(
        'INSERT INTO pg_temp._pgsim_trial (key, v) SELECT DISTINCT ON (s_key) s_key, stored FROM (SELECT %s AS s_key, s.%I AS stored FROM (SELECT %s FROM unnest($1) AS g (given)) AS i %s) AS f WHERE stored IS NOT NULL',
        pgsim._key_text(t.base, 'b.', t.key_columns), t.column_name, pgsim._key_parse(t.base, 'g.given', t.key_columns, true),
        CASE WHEN t.adopted THEN format('JOIN %s AS b ON %s CROSS JOIN LATERAL (SELECT b.%I) AS s', t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true), t.column_name)
             ELSE format('JOIN %s AS b ON %s JOIN %s AS s ON %s', t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true), t.version_sql, pgsim._key_join('b.', 's.', t.key_columns, true)) END)
    USING keys;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('a relevant key cannot be read as %s: %s', pgsim._key_types(t.base, t.key_columns), SQLERRM), HINT = 'Give keys as pgsim.search returns them.';
END
$$;
COMMENT ON FUNCTION pgsim._trial_add IS 'Adds rows of those keys to the rows that indexes are tried on; how many there were.';

CREATE FUNCTION pgsim._trial_begin(
    t pgsim._target, queries vector[], relevant jsonb, k int, sample int, searches int, seed int,
    OUT rows int, OUT total float8, OUT asked int, OUT missing int, OUT exact_seconds float8, OUT exact_quality float8
)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Arrays of vectors of up to a quarter of a gigabyte pass through here.
    most CONSTANT int := greatest(100, least(sample, 2.5e8 / (4 * t.dim)));
    row_bytes CONSTANT float8 := 60 + t.dim * CASE t.element WHEN 'halfvec' THEN 2 ELSE 4 END;
    held_out int := 0;
    given CONSTANT boolean := queries IS NOT NULL;
    drawn record;
    wanted text[];
    every boolean;
    q record;
    started timestamptz;
    found record;
    taken float8[] := '{}';
    ranks float8[] := '{}';
BEGIN
    PERFORM pgsim._require_dense(t, 'indexes are tried');
    PERFORM pgsim._require_select(t.base, t.version);
    IF k IS NULL OR k NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k is %s; an index is tried for the best 1 to 1000 rows', coalesce(k::text, 'NULL')), HINT = 'hnsw.ef_search is at most 1000.';
    END IF;
    IF sample IS NULL OR sample NOT BETWEEN 100 AND 1000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sample is %s; it is a number of rows from 100 to 1000000', coalesce(sample::text, 'NULL')),
            HINT = 'Indexes are tried on a copy of so many rows. Leave it out for the default.';
    END IF;
    IF searches IS NULL OR searches NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('searches is %s; it is a number of queries from 1 to 10000', coalesce(searches::text, 'NULL')),
            HINT = 'So many rows are taken for queries when none are given, and are not among the rows searched.';
    END IF;
    IF given THEN
        queries := pgsim._recall_queries(t.collection, queries, t.model, (SELECT e.name FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id WHERE v.id = t.version_id), 1, seed);
        IF t.map_id IS NOT NULL THEN
            queries := pgsim._mapped_queries(t, queries);
        END IF;
    END IF;

    SELECT s.keys, s.vectors, cardinality(s.keys) AS read INTO drawn FROM pgsim._sample(t, most + CASE WHEN given THEN 0 ELSE searches END, seed) AS s;
    every := drawn.read < most + CASE WHEN given THEN 0 ELSE searches END;
    SELECT coalesce(array_agg(u.key ORDER BY u.place), '{}') AS keys, coalesce(array_agg(u.v ORDER BY u.place), '{}') AS vectors INTO drawn
    FROM unnest(drawn.keys, drawn.vectors) WITH ORDINALITY AS u (key, v, place)
    WHERE u.v IS NOT NULL AND (t.metric <> 'cosine' OR pgsim._prefix_is_zero(u.v, t.dim) IS FALSE);
    IF NOT given THEN
        -- A row that is its own answer would be found too easily.
        held_out := least(searches, cardinality(drawn.keys) / 5);
        queries := pgsim._rows_as_queries(t, drawn.vectors[: held_out]);
    END IF;
    rows := cardinality(drawn.keys) - held_out;
    IF rows < 2 * k OR cardinality(queries) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('collection %L has %s rows with vectors that role %I may read; to try indexes for the best %s there must be more', t.collection, cardinality(drawn.keys), current_user, k),
            HINT = 'Store vectors first, or ask for fewer rows (k). So small a table needs no index.';
    END IF;

    -- Of no effect once the session has had a temporary table.
    BEGIN
        PERFORM pgsim._set(jsonb_build_object('temp_buffers', least(131072, 4096 + 3 * rows * row_bytes / 8192)::int::text));
    EXCEPTION WHEN invalid_parameter_value THEN
        NULL;
    END;
    PERFORM pgsim._trial_end();
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.relnamespace = pg_my_temp_schema() AND r.relname IN ('_pgsim_trial', '_pgsim_trial_query', '_pgsim_trial_turned', '_pgsim_trial_index')) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = 'something of this session has a name that begins with _pgsim_trial, as the temporary copy of rows does on which indexes are tried', HINT = 'Drop it, or ask in another session.';
    END IF;
    BEGIN
        EXECUTE format('CREATE TEMPORARY TABLE _pgsim_trial (key text, v %s.%I(%s), r %1$s.vector)', t.vector_schema, t.element, t.dim);
        EXECUTE format('CREATE TEMPORARY TABLE _pgsim_trial_query (number int, query %s.vector, turned %1$s.vector, truth float8[], relevant text[])', t.vector_schema);
    EXCEPTION
        WHEN insufficient_privilege THEN
            RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not make temporary tables, and indexes are tried on a temporary copy of rows', current_user),
                HINT = format('GRANT TEMPORARY ON DATABASE %I TO %I;', current_database(), current_user);
        WHEN read_only_sql_transaction THEN
            RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = 'the transaction is read only, and indexes are tried on a temporary copy of rows', HINT = 'Ask the primary server, in a transaction that may write.';
    END;
    EXECUTE format('INSERT INTO pg_temp._pgsim_trial (key, v) SELECT u.key, u.v::%s.%I FROM unnest($1, $2) AS u (key, v)', t.vector_schema, t.element)
    USING drawn.keys[held_out + 1 :], drawn.vectors[held_out + 1 :];
    EXECUTE 'INSERT INTO pg_temp._pgsim_trial_query (number, query, relevant) SELECT u.number, u.query, ARRAY(SELECT jsonb_array_elements_text(nullif($2 -> (u.number::int - 1), ''null''))) FROM unnest($1) WITH ORDINALITY AS u (query, number)'
    USING queries, relevant;
    IF relevant IS NOT NULL THEN
        EXECUTE 'SELECT ARRAY(SELECT DISTINCT r FROM pg_temp._pgsim_trial_query AS q CROSS JOIN unnest(q.relevant) AS r EXCEPT SELECT s.key FROM pg_temp._pgsim_trial AS s)' INTO wanted;
        missing := cardinality(wanted) - pgsim._trial_add(t, wanted);
        EXECUTE 'SELECT count(*) FROM pg_temp._pgsim_trial' INTO rows;
    END IF;
    EXECUTE 'ANALYZE pg_temp._pgsim_trial';
    total := CASE WHEN every THEN rows + held_out ELSE greatest(rows, pgsim._rows_estimate(t.version)) END;
    asked := cardinality(queries);

    FOR q IN EXECUTE 'SELECT number, query, relevant FROM pg_temp._pgsim_trial_query ORDER BY number' LOOP
        started := clock_timestamp();
        EXECUTE format('SELECT array_agg(n.d) AS distances, array_agg(n.key) AS keys FROM (SELECT (%s) + 0 AS d, s.key FROM pg_temp._pgsim_trial AS s ORDER BY 1, s.key COLLATE "C" LIMIT %s) AS n', pgsim._trial_distance(t), k)
        INTO found USING q.query;
        taken := taken || extract(epoch FROM clock_timestamp() - started)::float8;
        ranks := ranks || pgsim._reciprocal_rank(found.keys, q.relevant);
        EXECUTE 'UPDATE pg_temp._pgsim_trial_query SET truth = $1 WHERE number = $2' USING found.distances, q.number;
    END LOOP;
    exact_seconds := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY u) FROM unnest(taken) AS u);
    exact_quality := CASE WHEN relevant IS NOT NULL THEN (SELECT avg(u) FROM unnest(ranks) AS u) END;
END
$$;
COMMENT ON FUNCTION pgsim._trial_begin IS
    'Copies sampled rows that the caller may read into a temporary table, with every relevant row, and ranks them exactly for each query. relevant: for each query a list of keys. total is how many rows the collection has, missing how many relevant keys it has not. exact_quality: the mean reciprocal rank of the first relevant row among k.';

CREATE FUNCTION pgsim._trial_coarse(t pgsim._target, operand text, turned boolean, dims int, element text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF element = 'bit' THEN
        RETURN format('(%s.binary_quantize(%s))::bit(%s)', t.vector_schema, pgsim._trial_coarse(t, operand, turned, dims, 'vector'), dims);
    END IF;
    -- What is turned holds a prefix alone, of the greatest length that is tried.
    RETURN pgsim._vector_expression(operand, t.vector_schema, t.metric, t.dim, CASE WHEN turned THEN 'vector' ELSE t.element END, dims, element);
END
$$;
COMMENT ON FUNCTION pgsim._trial_coarse IS 'A vector, or its prefix, as the elements of an index that is tried.';

CREATE FUNCTION pgsim._distance_operator(metric text, element text = 'vector') RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN element = 'bit' THEN '<~>' ELSE CASE metric WHEN 'cosine' THEN '<=>' WHEN 'l2' THEN '<->' WHEN 'ip' THEN '<#>' WHEN 'l1' THEN '<+>' END END;
COMMENT ON FUNCTION pgsim._distance_operator IS 'pgvector''s operator of a metric, and of bits, which differ in so many places. <#> is the negative inner product, so that less is nearer for all of them.';

CREATE FUNCTION pgsim._trial_distance(t pgsim._target) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.format('s.v OPERATOR(%s.%s) $1%s', t.vector_schema, pgsim._distance_operator(t.metric), CASE t.element WHEN 'vector' THEN '' ELSE pg_catalog.format('::%s.%I(%s)', t.vector_schema, t.element, t.dim) END);
COMMENT ON FUNCTION pgsim._trial_distance IS 'The distance of a row that indexes are tried on from the query, $1.';

CREATE FUNCTION pgsim._trial_end() RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made text;
BEGIN
    FOR made IN SELECT r.relname FROM pg_class AS r WHERE r.relnamespace = pg_my_temp_schema() AND r.relname IN ('_pgsim_trial', '_pgsim_trial_query', '_pgsim_trial_turned') AND r.relkind = 'r' LOOP
        EXECUTE format('DROP TABLE pg_temp.%I', made);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._trial_end IS 'Drops what _trial_begin made. So does the end of the session.';

CREATE FUNCTION pgsim._trial_index(t pgsim._target, turned boolean, dims int, element text, k int, recall float8)
RETURNS TABLE (ef int, keep int, recalls float8[], quality float8, seconds float8, bytes bigint, build_seconds float8)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    levels CONSTANT int[] := '{10,16,25,40,64,100,160,250,400,640,1000}';
    operator CONSTANT text := CASE element WHEN 'bit' THEN '<~>' ELSE pgsim._distance_operator(t.metric) END;
    -- The order of the index is that of the stored vectors, so nothing is ranked again.
    final CONSTANT boolean := NOT turned AND dims = t.dim AND element = t.element;
    nearest CONSTANT text := format('SELECT s.key, %s AS d FROM pg_temp._pgsim_trial AS s ORDER BY %s OPERATOR(%s.%s) %s', pgsim._trial_distance(t), pgsim._trial_coarse(t, CASE WHEN turned THEN 's.r' ELSE 's.v' END, turned, dims, element), t.vector_schema, operator,
                                    pgsim._trial_coarse(t, CASE WHEN turned THEN '$2' ELSE format('$1::%s.%I(%s)', t.vector_schema, t.element, t.dim) END, turned, dims, element));
    previous jsonb;
    wanted bigint;
    started timestamptz;
    q record;
    found record;
    list float8[];
    hits int[];
    taken float8[];
    ranks float8[];
    labelled boolean;
    reached int := 0;
    far boolean := false;
    rows CONSTANT float8 := (SELECT r.reltuples FROM pg_class AS r WHERE r.oid = to_regclass('pg_temp._pgsim_trial'));
BEGIN
    previous := pgsim._set(jsonb_build_object('maintenance_work_mem', greatest(
        (SELECT s.setting::float8 FROM pg_settings AS s WHERE s.name = 'maintenance_work_mem'),
        least(1048576, 65536 + 1.3 / 1024 * pgsim._hnsw_bytes(dims, element, 16, rows)))::bigint::text || 'kB'));
    started := clock_timestamp();
    EXECUTE format('CREATE INDEX _pgsim_trial_index ON pg_temp._pgsim_trial USING hnsw ((%s) %s.%I)', pgsim._trial_coarse(t, CASE WHEN turned THEN 'r' ELSE 'v' END, turned, dims, element), t.vector_schema, CASE element WHEN 'bit' THEN 'bit_hamming_ops' ELSE format('%s_%s_ops', element, t.metric) END);
    build_seconds := extract(epoch FROM clock_timestamp() - started);
    bytes := pg_relation_size('pg_temp._pgsim_trial_index');
    PERFORM pgsim._set(previous);

    previous := pgsim._set('{"enable_seqscan": "off", "enable_sort": "on", "jit": "off", "hnsw.iterative_scan": "off", "hnsw.ef_search": "40"}');
    EXECUTE 'SELECT sum(cardinality(truth)), bool_or(relevant <> ''{}'') FROM pg_temp._pgsim_trial_query' INTO wanted, labelled;
    FOREACH ef IN ARRAY levels LOOP
        CONTINUE WHEN ef < k;
        IF far AND ef < 1000 THEN
            far := false;
            CONTINUE;
        END IF;
        PERFORM set_config('hnsw.ef_search', ef::text, true);
        keep := k;
        IF NOT final THEN
            -- Where in the order of the index the true rows stand tells how many must be kept.
            hits := '{}';
            FOR q IN EXECUTE 'SELECT query, turned, truth FROM pg_temp._pgsim_trial_query ORDER BY number' LOOP
                EXECUTE format('SELECT array_agg(n.d) FROM (%s LIMIT %s) AS n', nearest, ef) INTO list USING q.query, q.turned;
                hits := hits || ARRAY(SELECT f.place::int FROM unnest(list) WITH ORDINALITY AS f (d, place)
                                      WHERE f.d <= q.truth[cardinality(q.truth)] + 1e-6 * greatest(1, abs(q.truth[cardinality(q.truth)])) ORDER BY f.place LIMIT cardinality(q.truth));
            END LOOP;
            -- Where much is missed, and larger ef are left, nothing is timed.
            far := cardinality(hits) < wanted - 3 * (1 - recall) * wanted - 1;
            CONTINUE WHEN cardinality(hits) < ceil(recall * wanted) AND ef < least(1000, rows);
            hits := ARRAY(SELECT h FROM unnest(hits) AS h ORDER BY h);
            keep := greatest(k, coalesce(hits[least(ceil(recall * wanted), ceil(0.998 * cardinality(hits)))::int], ef));
        END IF;
        recalls := '{}';
        taken := '{}';
        ranks := '{}';
        FOR q IN EXECUTE 'SELECT query, turned, truth, relevant FROM pg_temp._pgsim_trial_query ORDER BY number' LOOP
            started := clock_timestamp();
            EXECUTE format('SELECT array_agg(n.d) AS distances, array_agg(n.key) AS keys FROM (SELECT * FROM (%s LIMIT %s) AS c ORDER BY c.d, c.key COLLATE "C" LIMIT %s) AS n', nearest, keep, k)
            INTO found USING q.query, q.turned;
            taken := taken || extract(epoch FROM clock_timestamp() - started)::float8;
            recalls := recalls || pgsim._tie_recall(found.distances, q.truth);
            ranks := ranks || pgsim._reciprocal_rank(found.keys, q.relevant);
        END LOOP;
        seconds := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY u) FROM unnest(taken) AS u);
        quality := CASE WHEN labelled THEN (SELECT avg(u) FROM unnest(ranks) AS u) END;
        RETURN NEXT;
        -- The next larger ef may need to keep fewer.
        reached := reached + ((SELECT avg(u) FROM unnest(recalls) AS u) >= recall - 1e-9)::int;
        EXIT WHEN reached = CASE WHEN final THEN 1 ELSE 2 END OR ef >= rows;
    END LOOP;
    PERFORM pgsim._set(previous);
    EXECUTE 'DROP INDEX pg_temp._pgsim_trial_index';
END
$$;
COMMENT ON FUNCTION pgsim._trial_index IS
    'Builds an HNSW index of the copied rows, searches it with greater and greater ef, and drops it: for each ef that reaches the recall, or the greatest, how many rows must be kept for the recall (or for nearly all that are found there), the recall of each query then, the mean reciprocal rank of the first relevant row, the median time, and the size and time of the index. It stops where the recall is reached. turned: of a rotated prefix that stands in column r.';

CREATE FUNCTION pgsim._trial_kinds(t pgsim._target, embedding text, dims int[], elements text[])
RETURNS TABLE (prefix int, element text, existing text, refusal text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Without a ladder: a sixth, a third and a half, in whole eights.
    lengths int[] := coalesce(_trial_kinds.dims, CASE WHEN t.dim > ANY (t.matryoshka) THEN t.matryoshka END, ARRAY(SELECT greatest(8, (t.dim * part / 8)::int * 8) FROM unnest('{0.1667,0.3333,0.5}'::float8[]) AS part)) || CASE WHEN _trial_kinds.dims IS NULL THEN ARRAY[t.dim] END;
    wanted text[] := coalesce(_trial_kinds.elements, '{vector,halfvec,bit}');
    wrong text := (SELECT min(d)::text FROM unnest(lengths) AS d WHERE d NOT BETWEEN 1 AND t.dim);
BEGIN
    IF cardinality(lengths) = 0 OR _trial_kinds.dims IS NOT NULL AND (wrong IS NOT NULL OR array_ndims(lengths) > 1 OR EXISTS (SELECT FROM unnest(lengths) AS d WHERE d IS NULL) OR cardinality(lengths) > 50) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dims is %s; each is a length from 1 to %s, the width of model %L', left(_trial_kinds.dims::text, 80), t.dim, t.model), HINT = 'Leave it out for the ladder of the model, or a sixth, a third, a half and the whole.';
    END IF;
    IF NOT wanted <@ '{vector,halfvec,bit}' OR cardinality(wanted) = 0 OR array_ndims(wanted) > 1 OR EXISTS (SELECT FROM unnest(wanted) AS e WHERE e IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('elements is %s; known are vector, halfvec and bit', left(wanted::text, 80)), HINT = 'Leave it out for all three.';
    END IF;
    FOR prefix, element IN
        SELECT DISTINCT d, e FROM unnest(lengths) AS d CROSS JOIN unnest(wanted) AS e
        WHERE d <= CASE e WHEN 'vector' THEN 2000 WHEN 'halfvec' THEN 4000 ELSE 64000 END AND d BETWEEN 1 AND t.dim
          -- A prefix is followed by the whole vector anyway, so half the bytes will do; and nothing has more elements than are stored.
          AND (e <> 'vector' OR (d = t.dim OR _trial_kinds.elements IS NOT NULL) AND t.element = 'vector')
        ORDER BY 1, 2
    LOOP
        existing := (SELECT i.name FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'hnsw' AND NOT i.options ? 'slice' AND i.dims = prefix AND i.element = element AND i.where_filter IS NULL LIMIT 1);
        refusal := NULL;
        BEGIN
            PERFORM pgsim._index_statement(t.collection, t.model, _trial_kinds.embedding, prefix, element, 'hnsw', NULL, '{}');
        EXCEPTION
            WHEN SQLSTATE 'PS010' THEN
                refusal := SQLERRM;
            -- That is said of the role, and not of the index.
            WHEN SQLSTATE 'PS032' THEN
                NULL;
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._trial_kinds IS 'The indexes that are tried: prefix length and element; the name of one that is there already; and what create_index says against it.';

CREATE FUNCTION pgsim._trial_turn(t pgsim._target, keys text[], vectors vector[], queries vector[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('pg_temp._pgsim_trial_turned') IS NULL THEN
        EXECUTE format('CREATE TEMPORARY TABLE _pgsim_trial_turned (key text, v %s.%I(%s), r %1$s.vector)', t.vector_schema, t.element, t.dim);
    END IF;
    EXECUTE 'INSERT INTO pg_temp._pgsim_trial_turned SELECT s.key, s.v, u.r FROM unnest($1, $2) AS u (key, r) JOIN pg_temp._pgsim_trial AS s ON s.key = u.key' USING keys, vectors;
    IF queries IS NOT NULL THEN
        EXECUTE 'UPDATE pg_temp._pgsim_trial_query SET turned = $1[number]' USING queries;
        DROP TABLE pg_temp._pgsim_trial;
        ALTER TABLE pg_temp._pgsim_trial_turned RENAME TO _pgsim_trial;
        EXECUTE 'ANALYZE pg_temp._pgsim_trial';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._trial_turn IS 'Gives copied rows their rotated prefixes, some rows at a time; with the last of them the queries theirs. New rows, since an update would leave the old ones behind.';

CREATE FUNCTION pgsim._vector_indexes(t pgsim._target) RETURNS TABLE (
    index regclass, method text, dims int, element text, partial boolean, valid boolean, bytes bigint, tuples float8, created_at timestamptz
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT x.indexrelid::pg_catalog.regclass, m.amname::text,
           CASE WHEN NOT coalesce(i.options ? 'slice', false) THEN coalesce(i.dims, CASE WHEN x.indkey[0] <> 0 THEN _vector_indexes.t.dim END) END, coalesce(i.element, CASE WHEN x.indkey[0] <> 0 THEN _vector_indexes.t.element END),
           x.indpred IS NOT NULL, x.indisvalid, s.bytes, s.tuples, i.created_at
    FROM pg_catalog.pg_index AS x
    JOIN pg_catalog.pg_class AS k ON k.oid = x.indexrelid
    JOIN pg_catalog.pg_am AS m ON m.oid = k.relam AND m.amname IN ('hnsw', 'ivfflat')
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.indrelid AND a.attname = _vector_indexes.t.column_name
    LEFT JOIN pgsim._index AS i ON i.version_id = _vector_indexes.t.version_id AND i.name = k.relname
    CROSS JOIN LATERAL (
        SELECT sum(pg_catalog.pg_relation_size(l.oid))::bigint AS bytes, CASE WHEN min(l.reltuples) >= 0 THEN sum(l.reltuples::float8) END AS tuples
        FROM pg_catalog.pg_class AS l
        WHERE l.relkind = 'i' AND (l.oid = k.oid OR l.oid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(k.oid) AS p))
    ) AS s
    WHERE x.indrelid = _vector_indexes.t.version
      AND (a.attnum = ANY (x.indkey) OR EXISTS (
          SELECT FROM pg_catalog.pg_depend AS d
          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = k.oid AND d.refobjid = x.indrelid AND d.refobjsubid = a.attnum))
    ORDER BY k.relname;
END;
COMMENT ON FUNCTION pgsim._vector_indexes IS
    'The vector indexes of a version, those made by hand included. dims and element are NULL of an expression made by hand, dims of a slice, created_at of every index made by hand, tuples where PostgreSQL has not counted yet.';

CREATE FUNCTION pgsim._verdict(value float8, note_above float8, warning_above float8) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value > warning_above THEN 'warning' WHEN value <= note_above THEN 'ok' ELSE 'note' END;
COMMENT ON FUNCTION pgsim._verdict IS 'What pgsim.health makes of a value that is better the lower it is: ok, note or warning. What could not be measured is a note.';

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

CREATE FUNCTION pgsim.compress_advice(
    collection text, budget_bytes bigint = NULL, recall float8 = 0.99, model text = NULL, embedding text = 'default', k int = 10, queries vector[] = NULL,
    sample int = 10000, searches int = 100, seed int = 0
) RETURNS TABLE (
    rank int, kind text, dims int, element text, fits boolean, reaches boolean, mean_recall float8, bytes bigint, build_seconds float8, seconds float8, keep int, ef int, among int, statement text, reason text
)
LANGUAGE plpgsql VOLATILE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    t pgsim._target := pgsim._target(collection, compress_advice.model, compress_advice.embedding);
    begun record;
    tried record;
    best record;
    found jsonb[] := '{}';
BEGIN
    IF compress_advice.budget_bytes <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('budget_bytes is %s; it is a number of bytes from 1', compress_advice.budget_bytes), HINT = 'For instance pg_size_bytes(''200MB''). Leave it out to see all sizes.';
    END IF;
    IF compress_advice.recall IS NULL OR compress_advice.recall NOT BETWEEN 0.5 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('recall is %s; it is a share from 0.5 to 1', coalesce(compress_advice.recall::text, 'NULL')), HINT = 'Leave it out for .99.';
    END IF;
    SELECT * INTO begun FROM pgsim._trial_begin(t, compress_advice.queries, NULL, compress_advice.k, compress_advice.sample, compress_advice.searches, compress_advice.seed);
    FOR tried IN SELECT * FROM pgsim._trial_kinds(t, compress_advice.embedding, NULL, NULL) LOOP
        SELECT i.*, r.mean, r.mean >= compress_advice.recall - 1e-9 AS enough INTO best
        FROM pgsim._trial_index(t, false, tried.prefix, tried.element, compress_advice.k, compress_advice.recall) AS i
        CROSS JOIN LATERAL (SELECT avg(u) AS mean FROM unnest(i.recalls) AS u) AS r
        ORDER BY 9 DESC, CASE WHEN r.mean >= compress_advice.recall - 1e-9 THEN i.seconds ELSE -r.mean END LIMIT 1;
        found := found || jsonb_build_object(
            'kind', CASE WHEN tried.prefix = t.dim THEN tried.element WHEN tried.element = 'bit' THEN 'prefix + bit' ELSE 'prefix' END, 'dims', tried.prefix, 'element', tried.element,
            'reaches', best.enough, 'mean_recall', best.mean, 'bytes', ceil(best.bytes * begun.total / begun.rows), 'build_seconds', pgsim._build_estimate(best.build_seconds, begun.rows, begun.total),
            'seconds', best.seconds, 'keep', best.keep, 'ef', best.ef, 'existing', tried.existing, 'refusal', tried.refusal);
    END LOOP;
    among := begun.rows;
    FOR tried IN
        SELECT o.*, coalesce(o.bytes <= compress_advice.budget_bytes, true) AS fits
        FROM unnest(found) AS f
        CROSS JOIN LATERAL jsonb_to_record(f) AS o (kind text, dims int, element text, reaches boolean, mean_recall float8, bytes bigint, build_seconds float8, seconds float8, keep int, ef int, existing text, refusal text)
        ORDER BY coalesce(o.bytes <= compress_advice.budget_bytes, true) DESC, o.reaches DESC, CASE WHEN o.reaches THEN o.seconds ELSE -o.mean_recall END, o.bytes
    LOOP
        rank := coalesce(rank, 0) + 1;
        kind := tried.kind; dims := tried.dims; element := tried.element; fits := tried.fits; reaches := tried.reaches; mean_recall := tried.mean_recall; bytes := tried.bytes;
        build_seconds := tried.build_seconds; seconds := tried.seconds; keep := tried.keep; ef := tried.ef;
        statement := CASE WHEN tried.refusal IS NULL AND tried.existing IS NULL THEN format('SELECT pgsim.create_index(%L, %L%s%s%s)', t.collection, t.model, CASE WHEN compress_advice.embedding <> 'default' THEN format(', embedding => %L', compress_advice.embedding) END,
            CASE WHEN dims < t.dim THEN format(', dims => %s', dims) END, CASE WHEN element <> t.element THEN format(', element => %L', element) END) END;
        reason := concat_ws('; ',
            CASE WHEN NOT fits THEN format('larger than the budget by %s', pg_size_pretty(bytes - compress_advice.budget_bytes)) END,
            CASE WHEN NOT reaches THEN format('its recall does not reach %s', compress_advice.recall) END,
            CASE WHEN keep > compress_advice.k THEN format('%s rows are kept and ranked by the whole vector', keep) END,
            CASE WHEN among < begun.total THEN format('measured on %s of about %s rows, among which less must be kept; size and build are scaled', among, begun.total::bigint) ELSE format('measured on all %s rows', among) END,
            'it is there: ' || tried.existing, tried.refusal);
        RETURN NEXT;
    END LOOP;
    IF t.element = 'vector' THEN
        rank := NULL; kind := 'storage'; dims := t.dim; element := 'halfvec'; statement := NULL; build_seconds := NULL; seconds := NULL; keep := NULL; ef := NULL;
        mean_recall := pgsim._halfvec_recall(t, compress_advice.k);
        reaches := mean_recall >= compress_advice.recall;
        bytes := begun.total * (8 + 2 * t.dim);
        fits := coalesce(bytes <= compress_advice.budget_bytes, true);
        reason := format('the whole vectors themselves, stored as halfvec, take %s in place of %s and lose what is said here in exact search. It needs a model with element => ''halfvec'' and a version under it', pg_size_pretty(bytes), pg_size_pretty((begun.total * (8 + 4 * t.dim))::bigint));
        RETURN NEXT;
    END IF;
    PERFORM pgsim._trial_end();
END
$$;
COMMENT ON FUNCTION pgsim.compress_advice IS
$$Says which vector index finds most in a budget of bytes: whole vectors, halfvec, bits, prefixes, and bits of prefixes, each built and searched on a sample of rows.

Best first: what fits budget_bytes and reaches recall, the fastest before the others; then what fits and finds most. kind; dims; element; fits; reaches; mean_recall,
measured; bytes and build_seconds (of one process), those of the sample scaled to all rows; seconds, the median of a search; keep: how many rows are ranked by the whole vector, and hnsw.ef_search; statement, if create_index
takes it and it is not there. Last, without a rank, storage: whole vectors stored as halfvec, and the recall of an exact search of them. The sample is copied into a temporary table, and holds rows
that you may read (sample, 100 to 1000000); queries as those of pgsim.recall_by_dims. Nothing is made but that table, which is dropped.
Errors: PS001 to PS006, PS010, PS012, PS013, PS020, PS032, PS035.$$;

CREATE FUNCTION pgsim.forget_searches(collection text, before timestamptz = NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    forgotten bigint;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    DELETE FROM pgsim._search_log AS l WHERE l.collection_id = c.id AND (before IS NULL OR l.at < before);
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION pgsim.forget_searches IS
$$Deletes what was recorded of a collection's searches, all of it or what is older than a time, and returns how many there were.

before: keep what was recorded then or later. What is set by pgsim.record_searches stays as it is. Errors: PS001, PS006, PS032.$$;

CREATE FUNCTION pgsim.health(collection text, model text = NULL, embedding text = 'default', sample int = 1000) RETURNS TABLE (
    measure text, value float8, verdict text, explanation text, hint text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := pgsim._target(collection, model, embedding);
    s record;
    g record;
BEGIN
    PERFORM pgsim._require_dense(t, 'health is measured');
    PERFORM pgsim._require_select(t.base, t.version);
    IF sample IS NULL OR sample NOT BETWEEN 1 AND 5000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sample is %s; it is a number of rows from 1 to 5000', coalesce(sample::text, 'NULL')),
            HINT = 'The default of 1000 suits every table: each vector of the sample is compared with each other.';
    END IF;
    SELECT d.vectors, pgsim._directed(d.vectors, t.metric) AS directed INTO s FROM pgsim._sample(t, sample, 0) AS d;
    SELECT * INTO g FROM pgsim._geometry(s.directed, t.metric) AS n;
    IF cardinality(s.directed) <= 20 THEN
        g.intrinsic_dimension := NULL;
        g.hubness := NULL;
    END IF;
    RETURN QUERY
        SELECT h.measure, h.value, h.verdict, h.explanation, CASE WHEN h.verdict <> 'ok' AND h.value IS NOT NULL THEN h.hint END
        FROM (
            SELECT 1 AS part, v.* FROM pgsim._health_of_vectors(t, embedding, s.vectors, s.directed, g.intrinsic_dimension, g.hubness, g.duplicates) AS v
            UNION ALL
            SELECT 2, d.* FROM pgsim._health_of_storage(t) AS d
            UNION ALL
            SELECT 3, i.* FROM pgsim._health_of_graphs(t, s.directed[:50], g.intrinsic_dimension) AS i
        ) AS h;
END
$$;
COMMENT ON FUNCTION pgsim.health IS
$$Measures what decides how well a collection can be searched, and says what to do about it.

Each row has measure, value, verdict (ok, note, warning), explanation and hint. A value that cannot be measured is NULL and says why.
Of a sample of rows: sampled_rows, missing_vectors, zero_vectors, duplicate_vectors, norm_spread, intrinsic_dimension and hubness. Of
tables and indexes: dead_rows, vector_indexes, index_rows, changed_since_build, memory and calibration. Of each HNSW index on all rows: recall_ef_40
and recall_ef_200, its recall at 10 against exact search. sample: rows to look at, 1 to 5000. Grants and row-level security hold.
Errors: PS001 to PS006, PS010, PS032.$$;

CREATE FUNCTION pgsim.recall(
    collection text, queries vector[] = NULL, k int = 10, filter jsonb = NULL, model text = NULL, embedding text = 'default', recall float8 = NULL,
    mode text = 'auto', sample int = 100, seed int = 0, where_sql text = NULL, where_values jsonb = NULL, where_columns text[] = NULL,
    sparse_queries sparsevec[] = NULL
) RETURNS TABLE (
    searches int, mean_recall float8, low float8, high float8, worst float8, short int, seconds float8, exact_seconds float8, strategies jsonb
)
LANGUAGE sql VOLATILE ROWS 1
BEGIN ATOMIC
    WITH c AS MATERIALIZED (
        SELECT m.tie_recall, m.short, m.strategy, m.seconds, m.exact_seconds, q.ordinal
        FROM pgsim._recall_searches(recall.collection, recall.queries, recall.sparse_queries, recall.model, recall.embedding, recall.sample, recall.seed) AS q
        CROSS JOIN LATERAL pgsim._compare_search(
            recall.collection, q.query, q.sparse_query, recall.k, recall.filter, recall.model, recall.embedding, recall.recall, recall.mode,
            recall.where_sql, recall.where_values, recall.where_columns, q.ordinal % 2 = 0) AS m
    ),
    a AS MATERIALIZED (
        SELECT count(*)::int AS searches, avg(c.tie_recall) AS mean_recall, min(c.tie_recall) AS worst, count(*) FILTER (WHERE c.short)::int AS short,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY c.seconds) AS seconds, percentile_cont(0.5) WITHIN GROUP (ORDER BY c.exact_seconds) AS exact_seconds,
               pgsim._bootstrap_interval(array_agg(c.tie_recall ORDER BY c.ordinal), recall.seed) AS bounds
        FROM c
    )
    SELECT a.searches, a.mean_recall, a.bounds[1], a.bounds[2], a.worst, a.short, a.seconds, a.exact_seconds,
           (SELECT coalesce(jsonb_object_agg(s.strategy, s.times), '{}') FROM (SELECT c.strategy, count(*) AS times FROM c GROUP BY c.strategy) AS s)
    FROM a;
END;
COMMENT ON FUNCTION pgsim.recall IS
$$Measures the recall that searches get: runs each query, and the exact search beside it, and compares.

queries: vectors as your users send; without them, the vectors of sampled rows (sample, 1 to 10000; the same seed takes the same
rows), which are easier to find than real queries. Of an embedding of
sparse vectors these are sparse_queries. The other arguments are those of pgsim.search. A row counts as found when it is
as near as the k-th true one, within 1e-6: rows may tie. Returns searches; mean_recall with low and high, its 95% bootstrap interval
over the queries; worst; short, the answers with fewer rows than the exact one; seconds and exact_seconds, the median of each search;
strategies, and how often each answered. Errors: PS001 to PS006, PS010, PS012 to PS015, PS032, PS035.$$;

CREATE FUNCTION pgsim.recall_by_dims(
    collection text, model text = NULL, embedding text = 'default', dims int[] = NULL, k int = 10, keep int[] = '{10,50,200}', queries vector[] = NULL,
    tolerance float8 = 0.01, sample int = 10000, searches int = 100, seed int = 0
) RETURNS TABLE (prefix int, kept int, mean_recall float8, whole int, asked int, among int, smallest boolean, warning text)
LANGUAGE plpgsql VOLATILE ROWS 20
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    t pgsim._target := pgsim._target(collection, recall_by_dims.model, recall_by_dims.embedding);
    begun record;
    previous jsonb;
    wide int;
    depth int;
    q record;
    list float8[];
    places int[];
    farthest float8;
    hits int[];
    lasts int[];
    enough int[] := '{}';
BEGIN
    IF recall_by_dims.keep IS NULL OR cardinality(recall_by_dims.keep) NOT BETWEEN 1 AND 20 OR EXISTS (SELECT FROM unnest(recall_by_dims.keep) AS n WHERE n IS NULL OR n NOT BETWEEN 1 AND 100000) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('keep is %s; it is a list of 1 to 20 numbers of rows', coalesce(left(recall_by_dims.keep::text, 80), 'NULL')), HINT = 'So many rows are kept by the prefix, and ranked by the whole vector: {10,50,200}.';
    END IF;
    IF recall_by_dims.tolerance IS NULL OR recall_by_dims.tolerance NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('tolerance is %s; it is the recall that may be lost, 0 to 1', coalesce(recall_by_dims.tolerance::text, 'NULL')), HINT = 'Leave it out for .01.';
    END IF;
    -- Checks the lengths, before anything is copied.
    PERFORM FROM pgsim._trial_kinds(t, recall_by_dims.embedding, recall_by_dims.dims, '{bit}');
    SELECT * INTO begun FROM pgsim._trial_begin(t, recall_by_dims.queries, NULL, recall_by_dims.k, recall_by_dims.sample, recall_by_dims.searches, recall_by_dims.seed);
    depth := least((SELECT max(n) FROM unnest(recall_by_dims.keep) AS n), begun.rows);
    previous := pgsim._set('{"jit": "off"}');
    FOR wide IN SELECT x.prefix FROM pgsim._trial_kinds(t, recall_by_dims.embedding, recall_by_dims.dims, '{bit}') AS x ORDER BY x.prefix LOOP
        hits := '{}';
        lasts := '{}';
        FOR q IN EXECUTE 'SELECT query, truth FROM pg_temp._pgsim_trial_query ORDER BY number' LOOP
            EXECUTE format('SELECT array_agg(n.d) FROM (SELECT %s AS d FROM pg_temp._pgsim_trial AS s ORDER BY %s OPERATOR(%s.%s) %s, s.key COLLATE "C" LIMIT %s) AS n', pgsim._trial_distance(t),
                           pgsim._trial_coarse(t, 's.v', false, wide, t.element), t.vector_schema, pgsim._distance_operator(t.metric),
                           pgsim._trial_coarse(t, format('$1::%s.%I(%s)', t.vector_schema, t.element, t.dim), false, wide, t.element), depth)
            INTO list USING q.query;
            farthest := q.truth[cardinality(q.truth)];
            places := ARRAY(SELECT f.place::int FROM unnest(list) WITH ORDINALITY AS f (d, place) WHERE f.d <= farthest + 1e-6 * greatest(1, abs(farthest)) ORDER BY f.place LIMIT cardinality(q.truth));
            hits := hits || places;
            lasts := lasts || CASE WHEN cardinality(places) = cardinality(q.truth) THEN places[cardinality(places)] ELSE 2147483647 END;
        END LOOP;
        FOREACH kept IN ARRAY ARRAY(SELECT DISTINCT n FROM unnest(recall_by_dims.keep) AS n ORDER BY n) LOOP
            prefix := wide;
            asked := begun.asked;
            among := begun.rows;
            mean_recall := (SELECT count(*) FROM unnest(hits) AS h WHERE h <= kept)::float8 / (asked * least(recall_by_dims.k, among));
            whole := (SELECT count(*) FROM unnest(lasts) AS l WHERE l <= kept);
            smallest := mean_recall >= 1 - recall_by_dims.tolerance - 1e-9 AND kept <> ALL (enough);
            enough := enough || CASE WHEN smallest THEN ARRAY[kept] END;
            warning := CASE WHEN whole < asked THEN format('of %s of %s queries this prefix does not keep the whole true top %s among its best %s, however long an index searches', asked - whole, asked, recall_by_dims.k, kept) END;
            RETURN NEXT;
        END LOOP;
    END LOOP;
    PERFORM pgsim._set(previous);
    PERFORM pgsim._trial_end();
END
$$;
COMMENT ON FUNCTION pgsim.recall_by_dims IS
$$Measures how much of the true top k the first dims dimensions find, and how many rows must be kept for it.

For each length in dims (by default those of the model, or a sixth, a third, a half and the whole) rows are ranked exactly by that prefix; the best keep of
them are the candidates that a funnel would rank by the whole vector. prefix, kept; mean_recall, tie-aware; whole: of how many of the queries asked the
complete top k is among those kept; smallest: whether it is the shortest prefix whose recall with so many kept is at least 1 - tolerance;
warning: at how many queries no index on that prefix can give the true top k. among: the rows compared, a sample of those you may read (sample, 100 to 1000000), copied
into a temporary table: among more rows more must be kept. queries: vectors as your users send; without them, searches of the sampled rows, which are left out of the others.
Errors: PS001 to PS006, PS010, PS012, PS013, PS020, PS032, PS035.$$;

CREATE FUNCTION pgsim.record_searches(collection text, share float8 = NULL, audit_share float8 = NULL, "values" boolean = NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    given record;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    FOR given IN SELECT * FROM (VALUES ('share', share), ('audit_share', audit_share)) AS g (name, part) WHERE g.part NOT BETWEEN 0 AND 1 LOOP
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is %s; it is a part of all searches, from 0 to 1', given.name, given.part),
            HINT = '0.01 takes every hundredth search, 0 none.';
    END LOOP;
    UPDATE pgsim._collection AS s
    SET record_share = coalesce(record_searches.share, s.record_share), audit_share = coalesce(record_searches.audit_share, s.audit_share),
        record_values = coalesce(record_searches."values", s.record_values)
    WHERE s.id = c.id;
END
$$;
COMMENT ON FUNCTION pgsim.record_searches IS
$$Sets which part of a collection's searches is noted down, and which part is audited; both 0 to begin with.

share: of all searches, the part whose filter shape, strategy, counts, time and first 100 keys are kept for pgsim.advise and pgsim.enqueue_missing(order_by => 'hot'). audit_share: the part that
is also answered exactly, to know its recall (pgsim.recall_audit); each costs an exact search more. values: keep the filter with its
values too, which may be personal data; otherwise only its shape. What is not given stays as it is. Nothing is written in a
read-only transaction or on a standby. Errors: PS001, PS006, PS010, PS032.$$;

CREATE FUNCTION pgsim._compile_filter(
    relation regclass, filter jsonb, given jsonb, inline boolean, OUT predicate text, OUT "values" jsonb, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    clause record;
    names text[];
    types oid[];
BEGIN
    IF filter IS NULL OR filter = 'null' OR filter = '{}' THEN
        predicate := NULL;
        "values" := given;
        columns := '{}';
        RETURN;
    END IF;
    IF NOT inline THEN
        SELECT array_agg(a.attname::text), array_agg(a.atttypid) INTO names, types FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
    END IF;
    clause := pgsim._filter_clause(relation, filter, 1, '{}', inline, false, names, types);
    predicate := clause.predicate;
    columns := clause.columns;
    -- Two lists joined that have some columns in common make at least three.
    IF cardinality(columns) > 2 THEN
        columns := ARRAY(SELECT DISTINCT c FROM unnest(columns) AS c);
    END IF;
    -- A query of its own costs as much as several such steps do.
    IF cardinality(clause.collected) <= 8 THEN
        "values" := given || jsonb_strip_nulls(jsonb_object((ARRAY['$1', '$2', '$3', '$4', '$5', '$6', '$7', '$8'])[:cardinality(clause.collected)], clause.collected));
    ELSE
        "values" := given || coalesce((SELECT jsonb_object_agg('$' || v.ordinal, v.value)
                                       FROM unnest(clause.collected) WITH ORDINALITY AS v (value, ordinal) WHERE v.value IS NOT NULL), '{}');
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._compile_filter IS
    'A JSON filter as a predicate over the table and one jsonb of values: ($1 ->> ''$3'')::integer reads the third. The values join those given; columns are those of the table that it reads. inline writes them as literals, for an index predicate.';

CREATE FUNCTION pgsim._filter_array(path text, element text, operator text, value jsonb, OUT type text, OUT items text[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := pgsim._filter_wanted(element);
    odd jsonb;
    given text[];
    fitting text[];
    unfit numeric;
BEGIN
    type := element;
    IF jsonb_typeof(value) <> 'array' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: %s takes a list of values, not %s', left(path, 200), operator, left(value::text, 80)),
            HINT = format('For instance: {"%s": ["a", "b"]}.', operator);
    END IF;
    SELECT e INTO odd FROM jsonb_array_elements(value) AS e WHERE jsonb_typeof(e) <> wanted LIMIT 1;
    IF FOUND THEN
        PERFORM pgsim._filter_value_type(path, element, operator, odd);
    END IF;
    IF wanted = 'number' THEN
        SELECT array_agg(trim_scale(n)::text), array_agg(trim_scale(n)::text) FILTER (WHERE f), min(n) FILTER (WHERE NOT f) INTO given, fitting, unfit
        FROM (SELECT e::numeric, pgsim._filter_fits(element, e::numeric) FROM jsonb_array_elements(value) AS e) AS l (n, f);
        IF unfit IS NOT NULL AND operator NOT IN ('$in', '$nin') THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: %s takes values of type %s, which %s is not', left(path, 200), operator, element, left(unfit::text, 80)),
                HINT = 'Leave it out: no row can have it.';
        ELSIF unfit IS NOT NULL AND fitting IS NULL THEN
            type := 'numeric';
        ELSE
            given := fitting;
        END IF;
    ELSE
        given := (SELECT array_agg(e) FROM jsonb_array_elements_text(value) AS e);
    END IF;
    given := coalesce(given, '{}');
    IF wanted = 'string' AND element NOT IN ('text', 'character varying', 'bpchar') THEN
        PERFORM pgsim._filter_cast(path, element, given);
    END IF;
    items := given;
END
$$;
COMMENT ON FUNCTION pgsim._filter_array IS
    'A list of values as texts, checked, and the type of its elements. Of $in and $nin numbers that the column cannot hold are left out, since no row has them; a list of nothing else is compared as numeric.';

CREATE FUNCTION pgsim._filter_atoms(filter jsonb, depth int, OUT path text, OUT operator text, OUT value jsonb) RETURNS SETOF record
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry record;
BEGIN
    IF filter IS NULL OR filter = 'null' THEN
        RETURN;
    ELSIF jsonb_typeof(filter) <> 'object' OR depth > 32 THEN
        operator := '?';
        RETURN NEXT;
        RETURN;
    END IF;
    FOR entry IN SELECT e.key, e.value FROM jsonb_each(filter) AS e LOOP
        IF entry.key = '$and' AND jsonb_typeof(entry.value) = 'array' THEN
            RETURN QUERY SELECT a.* FROM jsonb_array_elements(entry.value) AS b, pgsim._filter_atoms(b, depth + 1) AS a;
        ELSIF left(entry.key, 1) = '$' THEN
            path := NULL;
            operator := entry.key;
            value := entry.value;
            RETURN NEXT;
        ELSIF jsonb_typeof(entry.value) = 'object' AND jsonb_path_exists(entry.value, '$.keyvalue() ? (@.key starts with "$")') THEN
            RETURN QUERY SELECT entry.key, e.key, e.value FROM jsonb_each(entry.value) AS e;
        ELSE
            path := entry.key;
            operator := '$eq';
            value := entry.value;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._filter_atoms IS
    'The conditions of a filter that must all hold: of one path, one operator and its value each, and with no path $or and $not as they stand. What is no filter is an operator ?.';

CREATE FUNCTION pgsim._filter_beyond(upper jsonb, lower jsonb, strictly boolean) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    u numeric;
    l numeric;
BEGIN
    IF jsonb_typeof(upper) = 'string' AND jsonb_typeof(lower) = 'string' THEN
        -- Of strings the order is the column's; equal they are in any.
        RETURN NOT strictly AND upper = lower;
    ELSIF jsonb_typeof(upper) <> 'number' OR jsonb_typeof(lower) <> 'number' THEN
        RETURN false;
    END IF;
    u := upper::numeric;
    l := lower::numeric;
    IF NOT strictly THEN
        RETURN u >= l;
    END IF;
    -- Two numbers may be one in a column of floating point.
    RETURN CASE WHEN pgsim._filter_fits('real', u) AND pgsim._filter_fits('real', l) THEN u::float8 > l::float8 AND u::real > l::real ELSE false END;
END
$$;
COMMENT ON FUNCTION pgsim._filter_beyond IS 'Whether one value of a filter is at least another (strictly: more), in a column of any type; false when unsure.';

CREATE FUNCTION pgsim._filter_bind(type text, value text, collected text[], inline boolean) RETURNS pgsim._clause
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF inline THEN
        RETURN (format('%L::%s', value, type), collected);
    END IF;
    RETURN (format('($1 ->> ''$%s'')::%s', cardinality(collected) + 1, type), collected || value);
END
$$;
COMMENT ON FUNCTION pgsim._filter_bind IS 'What stands in the predicate for a value: its place in the one jsonb of values, or a literal.';

CREATE FUNCTION pgsim._filter_bind_list(type text, items text[], collected text[], inline boolean) RETURNS pgsim._clause
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF inline OR array_position(items, NULL) IS NOT NULL OR items = '{""}' OR strpos(array_to_string(items, ''), E'\x1f') > 0 THEN
        RETURN pgsim._filter_bind(type || '[]', items::text, collected, inline);
    END IF;
    -- The text of an array would be read anew for every row; texts between separators PostgreSQL reads once, when it plans.
    RETURN (format('pg_catalog.string_to_array($1 ->> ''$%s'', E''\x1f'')%s', cardinality(collected) + 1, CASE WHEN type <> 'text' THEN '::' || type || '[]' END),
            collected || array_to_string(items, E'\x1f'));
END
$$;
COMMENT ON FUNCTION pgsim._filter_bind_list IS 'What stands in the predicate for a list: its place in the one jsonb of values, or a literal.';

CREATE FUNCTION pgsim._filter_cast(path text, type text, given text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    compared regtype := type;
    btree oid := (SELECT a.oid FROM pg_am AS a WHERE a.amname = 'btree');
    item text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_opclass AS o WHERE o.opcmethod = btree AND o.opcintype = compared AND o.opcdefault)
       AND NOT EXISTS (SELECT FROM pg_type AS t WHERE t.oid = compared AND t.typtype IN ('e', 'r', 'm'))
       -- Some types have the operators of another: cidr those of inet, regclass those of oid.
       AND NOT EXISTS (SELECT FROM pg_cast AS c JOIN pg_opclass AS o ON o.opcmethod = btree AND o.opcintype = c.casttarget AND o.opcdefault
                       WHERE c.castsource = compared AND c.castmethod = 'b' AND c.castcontext = 'i') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: values of type %s cannot be compared', left(path, 200), type),
            HINT = 'Such a column takes $exists, {"$eq": null} and {"$ne": null}.';
    END IF;
    BEGIN
        EXECUTE format('SELECT $1::%s[]', type) USING given;
        RETURN;
    EXCEPTION WHEN OTHERS THEN
        -- A type's input function raises what it likes. Of several values the one that it refuses is named.
        IF cardinality(given) > 1 THEN
            FOREACH item IN ARRAY given LOOP
                PERFORM pgsim._filter_cast(path, type, ARRAY[item]);
            END LOOP;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: %L is not of type %s', left(path, 200), left(given[1], 80), type),
            DETAIL = left(SQLERRM, 200),
            HINT = coalesce('Allowed are ' || (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = compared),
                            CASE WHEN type LIKE '%range' THEN 'A range is written as PostgreSQL writes it: "[10,20)"; of one value "[10,10]".'
                                 ELSE format('Give what PostgreSQL reads as a %s.', type) END);
    END;
END
$$;
COMMENT ON FUNCTION pgsim._filter_cast IS 'Tries whether values can be read as a type: PS015 when not, PS014 when values of the type have no order.';

CREATE FUNCTION pgsim._filter_clause(
    relation regclass, node jsonb, depth int, INOUT collected text[], inline boolean, negated boolean, names text[], types oid[],
    OUT predicate text, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entries jsonb;
    name text;
    value jsonb;
    plain pgsim._clause;
    parts text[] := '{}';
    branches text[];
    part_columns text[];
    part record;
BEGIN
    IF depth > 32 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = 'the filter is nested more than 32 deep', HINT = 'Write the conditions flatter.';
    END IF;
    IF jsonb_typeof(node) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('a filter is a JSON object, not %s', left(node::text, 80)),
            HINT = 'For instance: {"section": "games", "size": {"$lt": 100}}.';
    END IF;
    columns := '{}';
    IF node = '{}' THEN
        predicate := 'true';
        collected := array_append(collected, NULL);
        RETURN;
    END IF;
    -- Steps like these cost a tenth of what a query does.
    entries := jsonb_path_query_array(node, '$.keyvalue()');
    FOR i IN 0 .. jsonb_array_length(entries) - 1 LOOP
        name := entries -> i ->> 'key';
        value := entries -> i -> 'value';
        IF name IN ('$and', '$or') THEN
            IF jsonb_typeof(value) <> 'array' OR jsonb_array_length(value) NOT BETWEEN 1 AND 1000 THEN
                RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%s takes a list of 1 to 1000 filters, not %s', name, left(value::text, 80)),
                    HINT = 'For instance: {"$or": [{"section": "games"}, {"size": {"$lt": 100}}]}. Use $in for many values of one column.';
            END IF;
            branches := '{}';
            FOR j IN 0 .. jsonb_array_length(value) - 1 LOOP
                part := pgsim._filter_clause(relation, value -> j, depth + 1, collected, inline, negated, names, types);
                collected := part.collected;
                IF NOT columns @> part.columns THEN
                    columns := columns || part.columns;
                END IF;
                branches := branches || part.predicate;
            END LOOP;
            part_columns := '{}';
            parts := parts || format('(%s)', array_to_string(branches, CASE name WHEN '$and' THEN ' AND ' ELSE ' OR ' END));
        ELSIF name = '$not' THEN
            part := pgsim._filter_clause(relation, value, depth + 1, collected, inline, NOT negated, names, types);
            IF strpos(part.predicate, 'EXISTS (SELECT') > 0 AND (SELECT count(*) = 1 AND bool_and(left(k, 1) <> '$') FROM jsonb_object_keys(value) AS k) THEN
                -- The same as $not under the path, and a join that PostgreSQL can plan: it does so for EXISTS, but not for its double negation.
                SELECT f.* INTO part FROM jsonb_each(value) AS e,
                    pgsim._filter_column(relation, e.key, jsonb_build_object('$not', e.value), depth, collected, inline, negated, '{}', NULL) AS f;
                parts := parts || part.predicate;
            ELSE
                parts := parts || format('(NOT (%s))', part.predicate);
            END IF;
            collected := part.collected;
            part_columns := part.columns;
        ELSE
            IF names IS NOT NULL THEN
                plain := pgsim._filter_plain(name, types[array_position(names, name)], value, collected);
            END IF;
            IF plain.predicate IS NOT NULL THEN
                collected := plain.collected;
                parts := parts || plain.predicate;
                part_columns := ARRAY[name];
            ELSE
                part := pgsim._filter_column(relation, name, value, depth, collected, inline, negated, '{}', NULL);
                collected := part.collected;
                parts := parts || part.predicate;
                part_columns := part.columns;
            END IF;
        END IF;
        IF NOT columns @> part_columns THEN
            columns := columns || part_columns;
        END IF;
        IF cardinality(collected) > 1000 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = 'the filter has more than 1000 conditions', HINT = 'Use $in for many values of one column.';
        END IF;
    END LOOP;
    predicate := array_to_string(parts, ' AND ');
END
$$;
COMMENT ON FUNCTION pgsim._filter_clause IS
    'One JSON object of a filter: conditions that all hold. Each appends its value to collected, or NULL when it has none, so that collected counts them. names and types are the table''s columns; without them every condition is compiled as an uncommon one is.';

CREATE FUNCTION pgsim._filter_column(
    relation regclass, path text, condition jsonb, depth int, INOUT collected text[], inline boolean, negated boolean, led text[], leaf text,
    OUT predicate text, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    col record;
    label text := CASE led WHEN '{}' THEN path ELSE array_to_string(led || path, '.') END;
    prefix text;
    steps text[];
    operator record;
    parts text[] := '{}';
    part record;
    related text;
BEGIN
    col := pgsim._filter_column_type(relation, path);
    IF col.name IS NULL THEN
        -- A column's name may hold dots itself, and no name is longer than 63 characters: the longest that fits is meant.
        prefix := left(path, 64);
        WHILE col.name IS NULL AND strpos(prefix, '.') > 0 LOOP
            prefix := left(prefix, -strpos(reverse(prefix), '.'));
            col := pgsim._filter_column_type(relation, prefix);
        END LOOP;
        IF col.name IS NULL AND left(path, 1) = '$' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%s is not known here', quote_literal(left(path, 80))),
                HINT = 'Between conditions stand $and, $or and $not; other operators stand under a column: {"size": {"$lt": 100}}.';
        END IF;
        IF col.kind IS DISTINCT FROM 'json' THEN
            part := pgsim._filter_related(relation, path, condition, depth, collected, inline, negated, led, leaf, col.name);
            IF part.predicate IS NOT NULL THEN
                collected := part.collected;
                predicate := part.predicate;
                columns := part.columns;
                RETURN;
            END IF;
            related := (SELECT left(string_agg(DISTINCT quote_ident(k.step), ', '), 300) FROM pgsim._filter_keys(relation) AS k);
        END IF;
        IF col.name IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PS005', MESSAGE = format('%s: table %s has no column %s', CASE led WHEN '{}' THEN 'filter' ELSE quote_literal(left(label, 200)) END,
                                                                      relation, quote_literal(left(path, 200))),
                DETAIL = 'It has: ' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute AS a
                                        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped),
                HINT = CASE WHEN EXISTS (SELECT FROM pgsim._filter_keys(relation) AS k WHERE k.step = path)
                            THEN format('%1$I leads into a related table: name a column of that, {"%1$s.column": ...}.', path)
                            ELSE concat('Column names are compared exactly, upper and lower case included.', ' Paths lead into related tables by ' || related || '.') END;
        ELSIF col.kind <> 'json' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: column %I is %s, which has no paths', left(label, 200), col.name, col.type),
                HINT = concat('A path leads into a column of type jsonb: {"meta.author.name": "Ada"}',
                              coalesce(', or along a foreign key into a related table, here by ' || related, ''), '.');
        END IF;
        steps := coalesce(nullif(string_to_array(substr(path, length(col.name) + 2), '.'), '{}'), '{""}');
    END IF;
    IF led <> '{}' THEN
        IF NOT has_column_privilege(relation, col.name, 'SELECT') THEN
            PERFORM pgsim._filter_unreadable(relation, ARRAY[col.name], label);
        END IF;
        col.operand := format('r%s.%s', cardinality(led), col.operand);
    END IF;
    IF steps IS NOT NULL THEN
        col.operand := format('(%s #> %L::text[])', col.operand, steps);
    END IF;

    -- Without an operator the value is what the column is to equal; an object is one only where the column is JSON.
    IF jsonb_typeof(condition) <> 'object'
       OR col.kind = 'json' AND condition <> '{}' AND NOT EXISTS (SELECT FROM jsonb_object_keys(condition) AS k WHERE left(k, 1) = '$') THEN
        condition := jsonb_build_object('$eq', condition);
    ELSIF condition = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L has an empty condition', left(label, 200)), HINT = 'Give a value or an operator: {"$lt": 100}.';
    END IF;
    FOR operator IN SELECT e.key, e.value FROM jsonb_each(condition) AS e LOOP
        IF operator.key = '$not' THEN
            IF depth >= 32 THEN
                RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = 'the filter is nested more than 32 deep', HINT = 'Write the conditions flatter.';
            END IF;
            part := pgsim._filter_column(relation, path, operator.value, depth + 1, collected, inline, negated, led, NULL);
            parts := parts || format('(NOT (%s))', part.predicate);
            collected := part.collected;
            CONTINUE;
        ELSIF operator.key NOT IN ('$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$between', '$like', '$ilike', '$exists',
                                   '$contains', '$contained', '$overlap') THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: operator %s is not known', left(label, 200), quote_literal(left(operator.key, 80))),
                HINT = 'Known are $eq $ne $gt $gte $lt $lte $in $nin $between $like $ilike $exists $contains $contained $overlap $not.';
        ELSIF col.kind = 'json' THEN
            part := pgsim._filter_json(label, col.operand, operator.key, operator.value, collected, inline);
        ELSE
            part := pgsim._filter_operator(label, col.operand, col.type, col.element, col.kind, operator.key, operator.value, collected, inline);
        END IF;
        collected := part.collected;
        parts := parts || part.predicate;
    END LOOP;
    predicate := array_to_string(parts, ' AND ');
    IF leaf IS NOT NULL THEN
        predicate := format(leaf, predicate);
    END IF;
    columns := ARRAY[col.name];
END
$$;
COMMENT ON FUNCTION pgsim._filter_column IS 'The conditions on one column, or on one path into a jsonb column or along foreign keys. led are the steps that led into this table; negated and leaf are as in _filter_related.';

CREATE FUNCTION pgsim._filter_column_type(
    relation regclass, path text, OUT name text, OUT operand text, OUT type text, OUT element text, OUT kind text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pg_type;
    element_suffix text := '';
BEGIN
    SELECT p.* INTO t FROM pg_attribute AS a JOIN pg_type AS p ON p.oid = a.atttypid
    WHERE a.attrelid = relation AND a.attname = path AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    name := path;
    WHILE t.typtype = 'd' LOOP
        SELECT p.* INTO t FROM pg_type AS p WHERE p.oid = t.typbasetype;
    END LOOP;
    type := format_type(t.oid, -1);
    IF t.typcategory = 'A' AND t.typelem <> 0 THEN
        kind := 'array';
        element_suffix := '[]';
        SELECT p.* INTO t FROM pg_type AS p WHERE p.oid = t.typelem;
        WHILE t.typtype = 'd' LOOP
            SELECT p.* INTO t FROM pg_type AS p WHERE p.oid = t.typbasetype;
        END LOOP;
    ELSE
        kind := CASE WHEN t.oid IN ('json'::regtype, 'jsonb'::regtype) THEN 'json' WHEN t.typtype IN ('r', 'm') THEN 'range'
                     WHEN t.typtype = 'c' THEN 'row' ELSE 'scalar' END;
    END IF;
    -- Compared as what holds all that may be asked for: a cast to name would cut a value at 63 bytes, one to "char" at one.
    element := CASE t.oid WHEN 'name'::regtype THEN 'text' WHEN '"char"'::regtype THEN 'text' WHEN 'oid'::regtype THEN 'bigint'
                          WHEN 'json'::regtype THEN 'jsonb' ELSE format_type(t.oid, -1) END;
    operand := quote_ident(path);
    IF element || element_suffix <> type THEN
        operand := format('%s::%s%s', operand, element, element_suffix);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._filter_column_type IS
    'A column as a filter sees it, domains looked through: how SQL names it, its type, the type of one value (of an array''s element), and its kind: scalar, array, range, row or json. name is NULL where there is no such column.';

CREATE FUNCTION pgsim._filter_covers(narrow jsonb, wide jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF wide IS NULL OR wide IN ('null', '{}') THEN
        RETURN true;
    ELSIF narrow IS NULL OR narrow IN ('null', '{}') OR wide::text ~* '\m(now|today|tomorrow|yesterday)\M' THEN
        -- What today is differs between the day that an index was made and that of the search.
        RETURN false;
    END IF;
    RETURN (
        WITH given AS (
            SELECT a.path, a.operator, a.value FROM pgsim._filter_atoms(narrow, 1) AS a WHERE a.operator <> '$between'
            UNION ALL
            SELECT a.path, b.operator, a.value -> b.n FROM pgsim._filter_atoms(narrow, 1) AS a CROSS JOIN (VALUES ('$gte', 0), ('$lte', 1)) AS b (operator, n)
            WHERE a.operator = '$between'
        )
        SELECT coalesce(bool_and(EXISTS (
            SELECT FROM given AS n WHERE n.path IS NOT DISTINCT FROM w.path AND pgsim._filter_implies(n.operator, n.value, w.operator, w.value))), true)
        FROM (
            SELECT a.path, a.operator, a.value FROM pgsim._filter_atoms(wide, 1) AS a WHERE a.operator <> '$between'
            UNION ALL
            SELECT a.path, b.operator, a.value -> b.n FROM pgsim._filter_atoms(wide, 1) AS a CROSS JOIN (VALUES ('$gte', 0), ('$lte', 1)) AS b (operator, n)
            WHERE a.operator = '$between'
        ) AS w
    );
END
$$;
COMMENT ON FUNCTION pgsim._filter_covers IS
    'Whether every row that one filter admits is admitted by a second one, an index''s; by their structure alone, and false when unsure. Both are taken as of one moment and one set of settings.';

CREATE FUNCTION pgsim._filter_fits(type text, number numeric) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE type
    WHEN 'smallint' THEN number BETWEEN -32768 AND 32767 AND number % 1 = 0
    WHEN 'integer' THEN number BETWEEN -2147483648 AND 2147483647 AND number % 1 = 0
    WHEN 'bigint' THEN number BETWEEN -9223372036854775808 AND 9223372036854775807 AND number % 1 = 0
    WHEN 'real' THEN number = 0 OR abs(number) BETWEEN 1e-37 AND 3e38
    WHEN 'double precision' THEN number = 0 OR abs(number) BETWEEN 1e-307 AND 1e308
    ELSE true END;
COMMENT ON FUNCTION pgsim._filter_fits IS
    'Whether a number can be read as a type of numbers. One that cannot is compared as numeric: no row equals it, and less and more stay true.';

CREATE FUNCTION pgsim._filter_implies(operator text, value jsonb, wide_operator text, wide_value jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given text := jsonb_typeof(value);
    wide text := jsonb_typeof(wide_value);
    listed jsonb := CASE operator WHEN '$eq' THEN jsonb_build_array(value) WHEN '$in' THEN CASE given WHEN 'array' THEN value END END;
BEGIN
    IF operator = wide_operator AND value = wide_value THEN
        RETURN true;
    ELSIF wide_operator = '$exists' AND wide_value = 'true' THEN
        RETURN pgsim._filter_on_null(jsonb_build_object(operator, value)) IS NOT TRUE;
    ELSIF wide_operator = '$ne' AND wide_value = 'null' THEN
        RETURN operator IN ('$gt', '$gte', '$lt', '$lte', '$like', '$ilike', '$contains') OR NOT listed @> '[null]';
    ELSIF wide_operator = '$eq' AND wide_value = 'null' THEN
        RETURN operator = '$exists' AND value = 'false';
    ELSIF wide_operator IN ('$contains', '$overlap') AND operator = wide_operator THEN
        value := CASE WHEN given IN ('array', 'object') THEN value ELSE jsonb_build_array(value) END;
        wide_value := CASE WHEN wide IN ('array', 'object') THEN wide_value ELSE jsonb_build_array(wide_value) END;
        IF operator = '$contains' THEN
            RETURN value @> wide_value;
        END IF;
        RETURN jsonb_typeof(value) = 'array' AND jsonb_typeof(wide_value) = 'array'
               AND NOT EXISTS (SELECT FROM jsonb_array_elements(value) AS e WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(wide_value) AS w WHERE w = e));
    ELSIF wide_operator = '$contained' AND operator = wide_operator THEN
        RETURN value <@ wide_value;
    ELSIF listed IS NOT NULL THEN
        -- A number that a column's type cannot hold is left out of $in, and compared elsewhere.
        RETURN NOT EXISTS (
            SELECT FROM jsonb_array_elements(listed) AS e
            WHERE CASE jsonb_typeof(e) WHEN 'number' THEN NOT pgsim._filter_fits('real', e::numeric) END
               OR CASE wide_operator
                      WHEN '$eq' THEN e <> wide_value
                      WHEN '$in' THEN wide <> 'array' OR NOT EXISTS (SELECT FROM jsonb_array_elements(CASE wide WHEN 'array' THEN wide_value END) AS w WHERE w = e)
                      WHEN '$gt' THEN NOT pgsim._filter_beyond(e, wide_value, true)
                      WHEN '$gte' THEN NOT pgsim._filter_beyond(e, wide_value, false)
                      WHEN '$lt' THEN NOT pgsim._filter_beyond(wide_value, e, true)
                      WHEN '$lte' THEN NOT pgsim._filter_beyond(wide_value, e, false)
                      ELSE true END);
    ELSIF operator IN ('$gt', '$gte') AND wide_operator IN ('$gt', '$gte') THEN
        RETURN pgsim._filter_beyond(value, wide_value, operator = '$gte' AND wide_operator = '$gt');
    ELSIF operator IN ('$lt', '$lte') AND wide_operator IN ('$lt', '$lte') THEN
        RETURN pgsim._filter_beyond(wide_value, value, operator = '$lte' AND wide_operator = '$lt');
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION pgsim._filter_implies IS 'Whether what meets one condition on a path meets a second one, whatever type the column has; false when unsure.';

CREATE FUNCTION pgsim._filter_json(
    path text, operand text, operator text, value jsonb, collected text[], inline boolean
) RETURNS pgsim._clause
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    symbol text := CASE operator WHEN '$eq' THEN '=' WHEN '$ne' THEN '<>' WHEN '$gt' THEN '>' WHEN '$gte' THEN '>=' WHEN '$lt' THEN '<' WHEN '$lte' THEN '<='
                                 WHEN '$contains' THEN '@>' WHEN '$contained' THEN '<@' END;
    item jsonb;
    parts text[] := '{}';
    bound pgsim._clause;
    lower pgsim._clause;
BEGIN
    -- The value is parsed again where the predicate runs, deeper in the stack than it was parsed at first.
    IF pg_column_size(value) > 4000 AND jsonb_path_exists(value, '$.**{1000}') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: the value of %s is nested 1000 deep or more', left(path, 200), operator), HINT = 'Ask for a part of it: {"meta.author.name": "Ada"}.';
    END IF;
    CASE
    WHEN operator = '$exists' THEN
        RETURN pgsim._filter_operator(path, operand, 'jsonb', 'jsonb', 'scalar', operator, value, collected, inline);
    WHEN operator IN ('$eq', '$ne') AND value = 'null' THEN
        -- A path that is absent and one that holds JSON's null are both without a value.
        RETURN (format('(coalesce(%s, ''null'') %s ''null'')', operand, symbol), array_append(collected, NULL));
    WHEN operator IN ('$eq', '$ne', '$contains', '$contained') THEN
        IF operator = '$contains' AND jsonb_typeof(value) NOT IN ('array', 'object') THEN
            value := jsonb_build_array(value);
        END IF;
        bound := pgsim._filter_bind('jsonb', value::text, collected, inline);
        RETURN (format('(%s %s %s)', operand, symbol, bound.predicate), bound.collected);
    WHEN operator IN ('$gt', '$gte', '$lt', '$lte') THEN
        IF jsonb_typeof(value) NOT IN ('number', 'string') THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: %s takes a number or a string, not %s', left(path, 200), operator, left(value::text, 80)), HINT = 'Numbers are compared with numbers and strings with strings.';
        END IF;
        bound := pgsim._filter_bind('jsonb', value::text, collected, inline);
        RETURN (format('(jsonb_typeof(%1$s) = %2$L AND %1$s %3$s %4$s)', operand, jsonb_typeof(value), symbol, bound.predicate), bound.collected);
    WHEN operator = '$between' THEN
        IF jsonb_typeof(value) <> 'array' OR jsonb_array_length(value) <> 2 OR jsonb_typeof(value -> 0) <> jsonb_typeof(value -> 1)
           OR jsonb_typeof(value -> 0) NOT IN ('number', 'string') THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: $between takes a list of two numbers or of two strings, not %s', left(path, 200), left(value::text, 80)), HINT = 'For instance: {"$between": [10, 20]}; both ends belong to it.';
        END IF;
        lower := pgsim._filter_json(path, operand, '$gte', value -> 0, collected, inline);
        bound := pgsim._filter_json(path, operand, '$lte', value -> 1, lower.collected, inline);
        RETURN (format('(%s AND %s)', lower.predicate, bound.predicate), bound.collected);
    WHEN operator IN ('$like', '$ilike') THEN
        bound := pgsim._filter_operator(path, format('(%s #>> ''{}''::text[])', operand), 'text', 'text', 'scalar', operator, value, collected, inline);
        RETURN (format('(jsonb_typeof(%s) = ''string'' AND %s)', operand, bound.predicate), bound.collected);
    ELSE
        IF jsonb_typeof(value) <> 'array' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: %s takes a list of values, not %s', left(path, 200), operator, left(value::text, 80)),
                HINT = format('For instance: {"%s": ["a", "b"]}.', operator);
        END IF;
        IF operator = '$overlap' THEN
            -- One condition for each value: a GIN index answers an OR of them, but no ANY.
            IF jsonb_array_length(value) > 1000 THEN
                RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: $overlap lists %s values; it takes up to 1000', left(path, 200), jsonb_array_length(value)), HINT = 'Ask in several calls.';
            END IF;
            FOR item IN SELECT e FROM jsonb_array_elements(value) AS e LOOP
                bound := pgsim._filter_bind('jsonb', jsonb_build_array(item)::text, collected, inline);
                collected := bound.collected;
                parts := parts || format('%s @> %s', operand, bound.predicate);
            END LOOP;
            RETURN (format('(%s)', coalesce(nullif(array_to_string(parts, ' OR '), ''), format('%1$s <> %1$s', operand))), collected);
        END IF;
        bound := pgsim._filter_bind('jsonb[]', (SELECT coalesce(array_agg(e), '{}') FROM jsonb_array_elements(value) AS e WHERE e <> 'null')::text, collected, inline);
        RETURN (format(CASE operator WHEN '$in' THEN '(%1$s = ANY (%2$s)%3$s)' ELSE '(%1$s <> ALL (%2$s)%3$s)' END, operand, bound.predicate,
            CASE WHEN NOT value @> '[null]' THEN ''
                 WHEN operator = '$in' THEN format(' OR coalesce(%s, ''null'') = ''null''', operand)
                 ELSE format(' AND coalesce(%s, ''null'') <> ''null''', operand) END), bound.collected);
    END CASE;
END
$$;
COMMENT ON FUNCTION pgsim._filter_json IS
    'One operator on a jsonb column or a path into one. Comparisons are jsonb''s own, so that a stored value of another type never fails: it does not match.';

CREATE FUNCTION pgsim._filter_key(relation regclass, path text, label text, column_name text, OUT step text, OUT key oid, OUT target regclass)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first record;
BEGIN
    SELECT k.*, count(*) OVER (PARTITION BY k.level, k.step) AS candidates INTO first
    FROM pgsim._filter_keys(relation) AS k
    WHERE starts_with(path, k.step || '.') AND length(k.step) >= length(coalesce(column_name, ''))
    ORDER BY k.level, length(k.step) DESC LIMIT 1;
    IF first.candidates > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: %I leads from table %s along %s foreign keys', left(label, 200), first.step, relation, first.candidates),
            DETAIL = (SELECT string_agg(format('(%s) references %s', (SELECT string_agg(quote_ident(a.attname), ', ') FROM unnest(k.key_columns) AS c
                                                                      JOIN pg_attribute AS a ON a.attrelid = relation AND a.attnum = c), k.target), '; ' ORDER BY k.key_columns)
                      FROM pgsim._filter_keys(relation) AS k WHERE k.level = first.level AND k.step = first.step),
            HINT = coalesce((
                SELECT 'Name one of ' || left(string_agg(DISTINCT quote_ident(k.step), ', '), 300) || ' instead.'
                FROM pgsim._filter_keys(relation) AS k
                WHERE k.step <> first.step
                  AND k.key IN (SELECT o.key FROM pgsim._filter_keys(relation) AS o WHERE o.level = first.level AND o.step = first.step)
                  AND NOT EXISTS (SELECT FROM pgsim._filter_keys(relation) AS o WHERE o.step = k.step AND o.key <> k.key AND o.level <= k.level)),
                'Write it as SQL, in where_sql.');
    END IF;
    step := first.step;
    key := first.key;
    target := first.target;
END
$$;
COMMENT ON FUNCTION pgsim._filter_key IS
    'The foreign key along which a path leaves a table, its first step being no shorter than the column that the path begins with; PS014 when there are several. NULL where there is none.';

CREATE FUNCTION pgsim._filter_keys(relation regclass, OUT level int, OUT step text, OUT key oid, OUT key_columns smallint[], OUT target regclass) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT v.level, v.step, min(k.oid), k.conkey, k.confrelid::regclass
    FROM pg_constraint AS k
    JOIN pg_class AS t ON t.oid = k.confrelid
    JOIN pg_attribute AS f ON f.attrelid = k.conrelid AND f.attnum = k.conkey[1]
    JOIN pg_index AS i ON i.indexrelid = k.conindid
    CROSS JOIN LATERAL (
        VALUES (1, CASE WHEN cardinality(k.conkey) = 1 THEN f.attname::text END),
               (2, CASE WHEN cardinality(k.conkey) = 1 AND f.attname LIKE '_%\_id' THEN left(f.attname, -3) END),
               (3, t.relname::text)
    ) AS v (level, step)
    WHERE k.conrelid = relation AND k.contype = 'f' AND v.step IS NOT NULL
      -- A key with PERIOD leads to many rows. A key to a partitioned table has one entry more for each partition.
      AND NOT i.indisexclusion
      AND NOT EXISTS (SELECT FROM pg_constraint AS p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
    GROUP BY v.level, v.step, k.conkey, k.confrelid, k.confkey;
END
$$;
COMMENT ON FUNCTION pgsim._filter_keys IS
    'Where a filter''s path may lead from a table: its foreign keys, by each name that a step may have: 1 the key''s column, 2 that without _id, 3 the table it references. Level 1 goes before 2 and 3.';

CREATE FUNCTION pgsim._filter_on_null(condition jsonb, depth int = 1) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    operator record;
    truth boolean := true;
BEGIN
    IF jsonb_typeof(condition) <> 'object' THEN
        RETURN CASE WHEN condition = 'null' THEN true END;
    ELSIF depth > 32 THEN
        RETURN NULL;
    END IF;
    FOR operator IN SELECT e.key, e.value FROM jsonb_each(condition) AS e LOOP
        truth := truth AND CASE operator.key
            WHEN '$exists' THEN operator.value = 'false'
            WHEN '$eq' THEN CASE WHEN operator.value = 'null' THEN true END
            WHEN '$ne' THEN CASE WHEN operator.value = 'null' THEN false END
            WHEN '$in' THEN CASE WHEN operator.value @> '[null]' THEN true WHEN operator.value = '[]' THEN false END
            WHEN '$nin' THEN CASE WHEN operator.value @> '[null]' THEN false WHEN operator.value = '[]' THEN true END
            WHEN '$not' THEN NOT pgsim._filter_on_null(operator.value, depth + 1)
        END;
    END LOOP;
    RETURN truth;
END
$$;
COMMENT ON FUNCTION pgsim._filter_on_null IS 'Whether a column without a value meets a condition: true, false, or NULL when it is unknown.';

CREATE FUNCTION pgsim._filter_operator(
    path text, operand text, type text, element text, kind text, operator text, value jsonb,
    collected text[], inline boolean
) RETURNS pgsim._clause
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mark text := CASE operator WHEN '$eq' THEN '=' WHEN '$ne' THEN '<>' WHEN '$gt' THEN '>' WHEN '$gte' THEN '>=' WHEN '$lt' THEN '<' WHEN '$lte' THEN '<='
                                 WHEN '$in' THEN '=' WHEN '$nin' THEN '<>' WHEN '$contains' THEN '@>' WHEN '$contained' THEN '<@' WHEN '$overlap' THEN '&&' END;
    -- IS NULL asks of a row whether all its fields are.
    absent text := operand || CASE kind WHEN 'row' THEN ' IS NOT DISTINCT FROM NULL' ELSE ' IS NULL' END;
    present text := operand || CASE kind WHEN 'row' THEN ' IS DISTINCT FROM NULL' ELSE ' IS NOT NULL' END;
    symbol text;
    list record;
    fitting text;
    bound pgsim._clause;
    lower pgsim._clause;
BEGIN
    -- With where_sql the predicate runs on the caller's search_path, where an operator without its schema may be anybody's.
    symbol := CASE WHEN kind = 'scalar' AND strpos(type, '.') > 0 THEN pgsim._filter_symbol(type, mark) ELSE format('OPERATOR(pg_catalog.%s)', mark) END;
    CASE
    WHEN operator = '$exists' THEN
        IF jsonb_typeof(value) <> 'boolean' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: $exists takes true or false, not %s', left(path, 200), left(value::text, 80)), HINT = 'true finds rows with a value, false rows with NULL.';
        END IF;
        RETURN (format('(%s)', CASE WHEN value = 'true' THEN present ELSE absent END), array_append(collected, NULL));
    WHEN operator IN ('$eq', '$ne') AND value = 'null' THEN
        RETURN (format('(%s)', CASE operator WHEN '$eq' THEN absent ELSE present END), array_append(collected, NULL));
    WHEN kind = 'array' AND operator IN ('$eq', '$ne', '$contains', '$contained', '$overlap') THEN
        IF operator IN ('$contains', '$overlap') AND jsonb_typeof(value) NOT IN ('array', 'object', 'null') THEN
            value := jsonb_build_array(value);
        END IF;
        list := pgsim._filter_array(path, element, operator, value);
        bound := pgsim._filter_bind_list(list.type, list.items, collected, inline);
        RETURN (format('(%s %s %s)', operand, symbol, bound.predicate), bound.collected);
    WHEN kind = 'array' OR operator IN ('$contains', '$contained', '$overlap') AND kind <> 'range' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: %s does not go with a column of type %s', left(path, 200), operator, type),
            HINT = CASE WHEN kind = 'array' THEN 'An array column takes $contains, $contained, $overlap, $eq, $ne and $exists.'
                        ELSE '$contains, $contained and $overlap are for arrays, ranges and jsonb.' END;
    WHEN operator IN ('$in', '$nin') THEN
        -- SQL's NOT IN finds nothing once a NULL is listed; a listed null means the rows without a value here.
        IF value @> '[null]' THEN
            bound := pgsim._filter_operator(path, operand, type, element, kind, operator,
                                            (SELECT coalesce(jsonb_agg(e), '[]') FROM jsonb_array_elements(value) AS e WHERE e <> 'null'), collected, inline);
            RETURN (CASE operator WHEN '$in' THEN format('(%s OR %s)', bound.predicate, absent) ELSE format('(%s AND %s)', bound.predicate, present) END, bound.collected);
        END IF;
        list := pgsim._filter_array(path, element, operator, value);
        bound := pgsim._filter_bind_list(list.type, list.items, collected, inline);
        IF list.type <> element THEN
            operand := format('%s::%s', operand, list.type);
        END IF;
        RETURN (format('(%s %s %s (%s))', operand, symbol, CASE operator WHEN '$in' THEN 'ANY' ELSE 'ALL' END, bound.predicate), bound.collected);
    WHEN operator = '$between' THEN
        IF jsonb_typeof(value) <> 'array' OR jsonb_array_length(value) <> 2 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: $between takes a list of two values, not %s', left(path, 200), left(value::text, 80)), HINT = 'For instance: {"$between": [10, 20]}; both ends belong to it.';
        END IF;
        lower := pgsim._filter_operator(path, operand, type, element, kind, '$gte', value -> 0, collected, inline);
        bound := pgsim._filter_operator(path, operand, type, element, kind, '$lte', value -> 1, lower.collected, inline);
        RETURN (format('(%s AND %s)', lower.predicate, bound.predicate), bound.collected);
    WHEN operator IN ('$like', '$ilike') THEN
        IF element NOT IN ('text', 'character varying', 'bpchar') AND element !~ '(^|\.)citext$' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L: %s does not go with a column of type %s', left(path, 200), operator, type), HINT = 'It is for text.';
        END IF;
        fitting := pgsim._filter_value_type(path, 'text', operator, value);
        IF length(value #>> '{}') % 2 <> length(rtrim(value #>> '{}', '\')) % 2 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS015', MESSAGE = format('%L: the pattern of %s ends with a lone backslash: %s', left(path, 200), operator, right(value #>> '{}', 80)), HINT = 'A backslash takes the next character as it is; write two for one.';
        END IF;
        bound := pgsim._filter_bind(fitting, value #>> '{}', collected, inline);
        RETURN (format('(%s %s %s)', operand, CASE WHEN operator = '$ilike' OR element LIKE '%citext' THEN 'OPERATOR(pg_catalog.~~*)' ELSE 'OPERATOR(pg_catalog.~~)' END, bound.predicate), bound.collected);
    ELSE
        fitting := pgsim._filter_value_type(path, element, operator, value);
        -- 5.0 is an integer too, but the integer types do not read it.
        bound := pgsim._filter_bind(fitting, CASE jsonb_typeof(value) WHEN 'number' THEN trim_scale(value::numeric)::text ELSE value #>> '{}' END, collected, inline);
        IF fitting <> element THEN
            operand := format('%s::%s', operand, fitting);
        END IF;
        RETURN (format('(%s %s %s)', operand, symbol, bound.predicate), bound.collected);
    END CASE;
END
$$;
COMMENT ON FUNCTION pgsim._filter_operator IS 'One operator on a column that is not JSON.';

CREATE FUNCTION pgsim._filter_plain(name text, type oid, condition jsonb, collected text[]) RETURNS pgsim._clause
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    operators jsonb;
    operator text := '$eq';
    value jsonb := condition;
    -- Numbers of so few digits certainly fit.
    digits text := CASE type WHEN 'int4'::regtype THEN '^-?\d{1,9}$' WHEN 'int8'::regtype THEN '^-?\d{1,18}$' WHEN 'int2'::regtype THEN '^-?\d{1,4}$' END;
    mark text;
    predicate text := '';
BEGIN
    IF jsonb_typeof(condition) = 'object' THEN
        operators := jsonb_path_query_array(condition, '$.keyvalue()');
        IF operators = '[]' THEN
            RETURN NULL;
        END IF;
    END IF;
    FOR i IN 0 .. coalesce(jsonb_array_length(operators), 1) - 1 LOOP
        IF operators IS NOT NULL THEN
            operator := operators -> i ->> 'key';
            value := operators -> i -> 'value';
        END IF;
        IF type = 'text'::regtype AND operator = '$eq' AND jsonb_typeof(value) = 'string' THEN
            collected := collected || (value #>> '{}');
            predicate := predicate || format(' AND (%I OPERATOR(pg_catalog.=) ($1 ->> ''$%s'')::text)', name, cardinality(collected));
        ELSIF digits IS NOT NULL AND operator IN ('$eq', '$gt', '$gte', '$lt', '$lte') AND value::text ~ digits THEN
            mark := CASE operator WHEN '$eq' THEN '=' WHEN '$gt' THEN '>' WHEN '$gte' THEN '>=' WHEN '$lt' THEN '<' ELSE '<=' END;
            collected := collected || value::text;
            predicate := predicate || format(' AND (%I OPERATOR(pg_catalog.%s) ($1 ->> ''$%s'')::%s)', name, mark, cardinality(collected), format_type(type, NULL));
        ELSIF digits IS NOT NULL AND operator = '$between' AND jsonb_typeof(value) = 'array' AND jsonb_array_length(value) = 2 AND (value -> 0)::text ~ digits AND (value -> 1)::text ~ digits THEN
            collected := collected || ARRAY[value ->> 0, value ->> 1];
            predicate := predicate || format(' AND (%1$I OPERATOR(pg_catalog.>=) ($1 ->> ''$%2$s'')::%4$s AND %1$I OPERATOR(pg_catalog.<=) ($1 ->> ''$%3$s'')::%4$s)',
                                             name, cardinality(collected) - 1, cardinality(collected), format_type(type, NULL));
        ELSIF (type = 'text'::regtype AND operator = '$in' OR type = 'text[]'::regtype AND operator IN ('$contains', '$overlap')) AND jsonb_typeof(value) = 'array'
              AND NOT jsonb_path_exists(value, 'strict $[*] ? (@.type() != "string" || @ == "" || @ like_regex "\\x1f")') THEN
            -- Texts between separators: unlike the text of an array, PostgreSQL reads them once, and not once a row.
            collected := collected || coalesce((SELECT string_agg(e, E'\x1f') FROM jsonb_array_elements_text(value) AS e), '');
            predicate := predicate || format(CASE operator WHEN '$in' THEN ' AND (%I OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array($1 ->> ''$%s'', E''\x1f'')))'
                                                           WHEN '$contains' THEN ' AND (%I OPERATOR(pg_catalog.@>) pg_catalog.string_to_array($1 ->> ''$%s'', E''\x1f''))'
                                                           ELSE ' AND (%I OPERATOR(pg_catalog.&&) pg_catalog.string_to_array($1 ->> ''$%s'', E''\x1f''))' END, name, cardinality(collected));
        ELSE
            RETURN NULL;
        END IF;
    END LOOP;
    RETURN (substr(predicate, 6), collected);
END
$$;
COMMENT ON FUNCTION pgsim._filter_plain IS
    'The conditions on one column where all are of the plainest kinds: a text that it equals, whole numbers that certainly fit, lists of texts. NULL for any other, which _filter_column compiles or refuses.';

CREATE FUNCTION pgsim._filter_related(
    relation regclass, path text, condition jsonb, depth int, INOUT collected text[], inline boolean, negated boolean, led text[], leaf text, column_name text,
    OUT predicate text, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    label text := array_to_string(led || path, '.');
    met boolean;
    number int := cardinality(led) + 1;
    stem text := 'j' || number || '_';
    complement boolean := false;
    found_key record;
    related record;
    inner_part record;
BEGIN
    found_key := pgsim._filter_key(relation, path, label, column_name);
    IF found_key.key IS NULL THEN
        RETURN;
    ELSIF number > 4 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L leads through more than 4 tables', left(label, 200)),
            HINT = 'Write it as SQL, in where_sql.';
    END IF;

    -- A row without a related row is as one whose columns there are NULL. EXISTS knows true and false alone, so what must not be lost is asked at the
    -- end of the path: under no $not where the condition is true, under one where it is false.
    IF leaf IS NULL THEN
        met := pgsim._filter_on_null(condition);
        complement := CASE WHEN negated THEN met IS NOT FALSE ELSE met IS TRUE END;
        leaf := CASE WHEN negated AND complement THEN 'NOT (%s)' WHEN negated THEN '(%s) IS NOT FALSE' WHEN complement THEN '(%s) IS NOT TRUE' ELSE '%s' END;
        -- The table's columns stand in the subquery without a table's name: nothing there may be called like one.
        WHILE EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND starts_with(a.attname, stem)) LOOP
            stem := stem || '_';
        END LOOP;
    END IF;
    -- Columns match as the key itself has it: by its operators, under the collation of the referenced column.
    SELECT array_agg(m.own) AS key_columns, array_agg(m.other) AS target_columns,
           bool_and(has_column_privilege(relation, m.own, 'SELECT')) AS key_readable,
           bool_and(has_column_privilege(found_key.target, m.other, 'SELECT')) AS readable,
           string_agg(format('r%s.%I AS %s%s', number, m.other, stem, m.n), ', ') AS selected,
           string_agg(format('j%s.%s%s OPERATOR(%s) %s%I%s', number, stem, m.n, m.operator, CASE WHEN number > 1 THEN format('r%s.', number - 1) END, m.own, m.compared_by), ' AND ') AS matching
    INTO related
    FROM (
        SELECT u.n, u.operator::regoper, f.attname::text AS own, r.attname::text AS other,
               CASE WHEN f.attcollation <> r.attcollation THEN (SELECT format(' COLLATE %I.%I', c.nspname, l.collname)
                                                                FROM pg_collation AS l JOIN pg_namespace AS c ON c.oid = l.collnamespace
                                                                WHERE l.oid = r.attcollation) END AS compared_by
        FROM pg_constraint AS k
        CROSS JOIN unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY AS u (own, other, operator, n)
        JOIN pg_attribute AS f ON f.attrelid = relation AND f.attnum = u.own
        JOIN pg_attribute AS r ON r.attrelid = k.confrelid AND r.attnum = u.other
        WHERE k.oid = found_key.key
        ORDER BY u.n
    ) AS m;
    IF inline THEN
        RAISE EXCEPTION USING ERRCODE = 'PS014', MESSAGE = format('%L leads into table %s, but an index sees the columns of its own table alone', left(label, 200), found_key.target),
            HINT = 'Keep what the index is to depend on in a column of the table.';
    ELSIF NOT related.key_readable AND number > 1 THEN
        PERFORM pgsim._filter_unreadable(relation, related.key_columns, label);
    ELSIF NOT related.readable OR NOT has_schema_privilege((SELECT t.relnamespace FROM pg_class AS t WHERE t.oid = found_key.target), 'USAGE') THEN
        PERFORM pgsim._filter_unreadable(found_key.target, related.target_columns, label);
    END IF;
    inner_part := pgsim._filter_column(found_key.target, substr(path, length(found_key.step) + 2), condition, depth, collected, inline, negated, led || found_key.step, leaf);
    collected := inner_part.collected;
    columns := related.key_columns;
    predicate := format('(%sEXISTS (SELECT FROM (SELECT %s FROM %s AS r%s WHERE %s) AS j%s WHERE %s))', CASE WHEN complement THEN 'NOT ' END,
                        related.selected, found_key.target, number, inner_part.predicate, number, related.matching);
END
$$;
COMMENT ON FUNCTION pgsim._filter_related IS
    'A condition on a path that leads along a foreign key, as EXISTS over the related table; predicate is NULL where the path leads along none. negated: it stands under an odd number of $not. leaf is what to ask of the condition at the end of the path, NULL where the path begins.';

CREATE FUNCTION pgsim._filter_shape(filter jsonb, depth int = 1) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    atom record;
    path text;
    parts text[] := '{}';
BEGIN
    FOR atom IN SELECT a.path, a.operator, a.value FROM pgsim._filter_atoms(filter, depth) AS a LOOP
        path := CASE WHEN atom.path ~ '^[a-zA-Z_][a-zA-Z0-9_.]*$' THEN atom.path ELSE '"' || replace(atom.path, '"', '""') || '"' END;
        parts := parts || CASE
            WHEN atom.path IS NULL AND atom.operator = '$or' AND jsonb_typeof(atom.value) = 'array' THEN
                (SELECT format('$or(%s)', string_agg(s.shape, ' | ' ORDER BY s.shape COLLATE "C"))
                 FROM (SELECT DISTINCT coalesce(nullif(pgsim._filter_shape(b, depth + 1), ''), 'true') AS shape FROM jsonb_array_elements(atom.value) AS b) AS s)
            WHEN atom.operator = '$not' THEN
                format('$not(%s)', coalesce(nullif(pgsim._filter_shape(CASE WHEN atom.path IS NULL THEN atom.value ELSE jsonb_build_object(atom.path, atom.value) END, depth + 1), ''), 'true'))
            WHEN atom.path IS NULL THEN '?'
            WHEN atom.operator IN ('$eq', '$ne') AND atom.value = 'null' THEN path || ' $exists'
            WHEN atom.operator IN ('$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$between', '$like', '$ilike', '$exists', '$contains', '$contained', '$overlap') THEN
                path || ' ' || atom.operator
            ELSE path || ' ?' END;
    END LOOP;
    RETURN coalesce((SELECT string_agg(DISTINCT p COLLATE "C", ', ' ORDER BY p COLLATE "C") FROM unnest(parts) AS p), '');
END
$$;
COMMENT ON FUNCTION pgsim._filter_shape IS
    'A filter without its values, by which searches are grouped: ''section $eq, size $lt''. Conditions are sorted, those alike stand once, $and is a comma, and what asks for NULL is $exists.';

CREATE FUNCTION pgsim._filter_symbol(type text, symbol text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    strategy int := CASE symbol WHEN '<' THEN 1 WHEN '<=' THEN 2 WHEN '=' THEN 3 WHEN '<>' THEN 3 WHEN '>=' THEN 4 WHEN '>' THEN 5 END;
    family oid := (SELECT o.opcfamily FROM pg_opclass AS o JOIN pg_am AS a ON a.oid = o.opcmethod
                   WHERE a.amname = 'btree' AND o.opcintype = type::regtype AND o.opcdefault);
    found oid := (SELECT m.amopopr FROM pg_amop AS m
                  WHERE m.amopfamily = family AND m.amoplefttype = type::regtype AND m.amoprighttype = type::regtype AND m.amopstrategy = strategy);
BEGIN
    IF found IS NULL THEN
        RETURN format('OPERATOR(pg_catalog.%s)', symbol);
    END IF;
    RETURN (SELECT format('OPERATOR(%I.%s)', n.nspname, p.oprname)
            FROM pg_operator AS e
            JOIN pg_operator AS p ON p.oid = CASE symbol WHEN '<>' THEN e.oprnegate ELSE e.oid END
            JOIN pg_namespace AS n ON n.oid = p.oprnamespace
            WHERE e.oid = found);
END
$$;
COMMENT ON FUNCTION pgsim._filter_symbol IS
    'A comparison operator for SQL, with its schema. A type of an extension brings its own; by another its values would be compared as text.';

CREATE FUNCTION pgsim._filter_unreadable(relation regclass, columns text[], label text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('%L: role %I may not read %s, into which the path leads', left(label, 200), current_user, relation),
        HINT = (SELECT format('GRANT USAGE ON SCHEMA %1$s TO %2$I; GRANT SELECT (%3$s) ON %4$s TO %2$I;', r.relnamespace::regnamespace, current_user,
                              (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) AS c), relation)
                FROM pg_class AS r WHERE r.oid = relation);
END
$$;
COMMENT ON FUNCTION pgsim._filter_unreadable IS 'Raises PS032: the caller may not SELECT these columns of a related table.';

CREATE FUNCTION pgsim._filter_value_type(path text, type text, operator text, value jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := pgsim._filter_wanted(type);
    given text := jsonb_typeof(value);
BEGIN
    IF given <> wanted THEN
        RAISE EXCEPTION USING ERRCODE = 'PS015',
            MESSAGE = format('%L: %s takes a %s for a column of type %s, not %s', left(path, 200), operator, wanted, type,
                             CASE WHEN given = 'null' THEN 'null' ELSE format('the %s %s', given, left(value::text, 80)) END),
            HINT = CASE
                WHEN given = 'null' THEN 'Find rows without a value by {"$exists": false}, {"$eq": null}, or null in $in.'
                WHEN given = 'array' AND operator NOT IN ('$in', '$nin', '$contains', '$contained', '$overlap') THEN 'Use $in for a list of values.'
                WHEN given = 'object' THEN 'An operator stands directly under its column: {"size": {"$lt": 100}}.'
                ELSE format('Write it as a JSON %s.', wanted) END;
    ELSIF wanted = 'number' THEN
        RETURN CASE WHEN pgsim._filter_fits(type, value::numeric) THEN type ELSE 'numeric' END;
    ELSIF wanted = 'string' AND type NOT IN ('text', 'character varying', 'bpchar') THEN
        PERFORM pgsim._filter_cast(path, type, ARRAY[value #>> '{}']);
    END IF;
    RETURN type;
END
$$;
COMMENT ON FUNCTION pgsim._filter_value_type IS 'The type a value is compared as, or PS015 when it does not fit the column.';

CREATE FUNCTION pgsim._filter_wanted(type text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN type IN ('smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision') THEN 'number'
    WHEN type = 'boolean' THEN 'boolean'
    ELSE 'string' END;
COMMENT ON FUNCTION pgsim._filter_wanted IS 'The type of JSON value that a filter takes for a type of columns.';

CREATE FUNCTION pgsim._capped(c pgsim._collection, column_name text, keys text[], per_group int, k int) RETURNS int[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    places int[];
BEGIN
    EXECUTE format(
        'SELECT array_agg(o ORDER BY o) FROM (SELECT o::int FROM (SELECT i.ordinal AS o, row_number() OVER (PARTITION BY b.%I ORDER BY i.ordinal) AS nth '
        'FROM (SELECT %s, k.ordinal FROM unnest($1) WITH ORDINALITY AS k (given, ordinal)) AS i JOIN %s AS b ON %s) AS n WHERE nth <= $2 ORDER BY o LIMIT $3) AS p',
        column_name, pgsim._key_parse(c.relation, 'k.given', c.key_columns, true), c.relation, pgsim._key_join('b.', 'i.', c.key_columns, true))
    INTO places USING keys, per_group, k;
    RETURN coalesce(places, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._capped IS 'The places, in a ranked list of keys, of the first k rows of which no more than per_group have one value of a column. NULL is a value.';

CREATE FUNCTION pgsim._check_fused(
    r pgsim._search_request, h pgsim._fusion_request, legs pgsim._search_leg[], queried boolean, sparse_queried boolean, single boolean
) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- What is asked of vectors, in a search without any.
    IF num_nonnulls(r.dims, r.oversample, r.max_distance) > 0 AND NOT queried OR (r.model IS NOT NULL OR r.embedding IS DISTINCT FROM 'default') AND NOT queried AND NOT sparse_queried
       OR (r.recall IS NOT NULL OR r.mode IS DISTINCT FROM 'auto') AND NOT queried AND NOT EXISTS (SELECT FROM unnest(legs) AS g WHERE g.spec ?| '{query,sparse_query}') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'recall, mode, model, embedding, dims, oversample or max_distance is given, but no query vector that it is for', HINT = 'They say how vectors are searched: give query, or leave them out. A leg of its own has them among its properties.';
    END IF;
    IF r.after IS NOT NULL AND NOT (single AND legs[1].kind = 'dense') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'after is given, and more is ranked than distances', HINT = 'Ask for the rows up to the end of the page (k), and leave out those of the pages before.';
    END IF;
    IF h.per_group IS NULL OR h.per_group NOT BETWEEN 1 AND 10000 OR h.per_group > 1 AND r.distinct_on IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('per_group is %s%s; it is a number from 1 to 10000, of rows with one value of distinct_on', coalesce(h.per_group::text, 'NULL'), CASE WHEN r.distinct_on IS NULL THEN ', and distinct_on is not given' ELSE '' END),
            HINT = 'Name the column in distinct_on.';
    END IF;
    IF h.candidates NOT BETWEEN 1 AND 10000 OR h.candidates < r.k THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('candidates is %s, and k is %s; it is how many rows each leg gives, from k to 10000', h.candidates, r.k), HINT = 'Leave it out for 200, or twice k where that is more.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_fused IS 'Raises PS010 for arguments of a search that do not go together with the legs it has.';

CREATE FUNCTION pgsim._check_fusion(method text, rank_constant float8) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF method IS NULL OR NOT method = ANY (pgsim._fusion_methods()) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the method of fusion is %s; known are %s', coalesce(quote_literal(left(method, 80)), 'NULL'), array_to_string(pgsim._fusion_methods(), ', ')),
            HINT = 'minmax is the default.';
    END IF;
    IF rank_constant IS NOT NULL AND method <> 'rrf' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('rank_constant is %s, and the method of fusion is %s; only rrf has a constant', rank_constant, method),
            HINT = 'Leave it out, or fuse by rrf.';
    END IF;
    IF NOT rank_constant BETWEEN 0 AND 1e6 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('rank_constant is %s; it is a number from 0 to 1000000', rank_constant), HINT = 'The default is 60.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_fusion IS 'Raises PS010 for a method that there is not, or a constant that it has not.';

CREATE FUNCTION pgsim._check_legs(legs pgsim.leg[], method text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    l pgsim.leg;
    names text[] := '{}';
BEGIN
    IF legs IS NULL OR array_ndims(legs) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'legs is NULL or an array of arrays', HINT = 'Give a list: ARRAY[pgsim.leg(''dense'', keys, scores), pgsim.leg(''text'', keys, scores)].';
    END IF;
    FOREACH l IN ARRAY legs LOOP
        PERFORM pgsim._check_name('leg', l.name);
        IF l.name = ANY (names) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('two legs are called %L', l.name), HINT = 'Give each a name of its own.';
        END IF;
        names := names || l.name;
        IF array_ndims(l.keys) > 1 OR array_ndims(l.scores) > 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the keys or scores of leg %L are arrays of arrays', l.name), HINT = 'Give a list of keys and one of scores.';
        END IF;
        IF array_position(l.keys, NULL) IS NOT NULL OR (SELECT count(DISTINCT k) FROM unnest(l.keys) AS k) <> cardinality(l.keys) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('leg %L holds a key twice, or NULL', l.name), HINT = 'Give each key once, at its best rank.';
        END IF;
        IF cardinality(l.keys) > 0 AND (l.scores IS NOT NULL OR method <> 'rrf') AND cardinality(l.scores) IS DISTINCT FROM cardinality(l.keys) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L has %s keys and %s scores', l.name, cardinality(l.keys), coalesce(cardinality(l.scores), 0)),
                HINT = 'Give a score for each key, or fuse by rrf, which needs none.';
        END IF;
        IF EXISTS (SELECT FROM unnest(l.scores) AS s WHERE s IS NULL OR NOT s BETWEEN -1e100 AND 1e100) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('a score of leg %L is NULL, NaN or beyond 1e100', l.name), HINT = 'Leave such rows out.';
        END IF;
        IF l.maximum IS NOT NULL AND (l.minimum IS NULL OR NOT l.minimum BETWEEN -1e100 AND 1e100 OR NOT l.maximum BETWEEN -1e100 AND 1e100 OR l.maximum <= l.minimum OR EXISTS (SELECT FROM unnest(l.scores) AS s WHERE s NOT BETWEEN l.minimum AND l.maximum)) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L has the scale %s to %s, and scores %s to %s', l.name, coalesce(l.minimum::text, 'NULL'), l.maximum,
                                                                      (SELECT min(s) FROM unnest(l.scores) AS s), (SELECT max(s) FROM unnest(l.scores) AS s)),
                HINT = 'A scale has a minimum and a greater maximum, and all scores lie between; without a maximum the scale is what was found.';
        END IF;
        IF method = 'tmm' AND (l.minimum IS NULL OR l.minimum IN ('NaN', 'Infinity', '-Infinity') OR l.minimum > (SELECT min(s) FROM unnest(l.scores) AS s)) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the minimum of leg %L is %s, and its least score %s', l.name, coalesce(l.minimum::text, 'not known'), (SELECT min(s) FROM unnest(l.scores) AS s)),
                HINT = 'tmm needs the least score that is possible: 0 of BM25, -1 of a cosine similarity; minmax does not.';
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._check_legs IS 'Raises PS010, PS011 or PS016 for lists that cannot be fused by a method.';

CREATE FUNCTION pgsim._fuse(
    legs pgsim.leg[], method text, weights float8[], rank_constant float8, k int, whole boolean, OUT keys text[], OUT scores float8[], OUT details jsonb[]
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    low float8;
    high float8;
    lows float8[] := '{}';
    spans float8[] := '{}';
BEGIN
    -- A score s counts (s - low) / span; a list without any span counts the same for each of its rows.
    FOR i IN 1 .. cardinality(legs) LOOP
        IF legs[i].maximum IS NOT NULL THEN
            low := legs[i].minimum;
            high := legs[i].maximum - low;
        ELSIF method = 'dbsf' THEN
            SELECT avg(s) - 3 * stddev_samp(s), 6 * stddev_samp(s) INTO low, high FROM unnest(legs[i].scores) AS s;
        ELSIF method <> 'rrf' THEN
            SELECT min(s), max(s) INTO low, high FROM unnest(legs[i].scores) AS s;
            low := CASE method WHEN 'tmm' THEN legs[i].minimum ELSE low END;
            high := high - low;
        END IF;
        lows := lows || low;
        spans := spans || high;
    END LOOP;
    WITH entry AS MATERIALIZED (
        SELECT l.ordinal AS leg, e.key, e.rank, e.score,
               weights[l.ordinal] * CASE
                   WHEN method = 'rrf' THEN 1 / (rank_constant + e.rank)
                   WHEN spans[l.ordinal] > 0 THEN (e.score - lows[l.ordinal]) / spans[l.ordinal]
                   ELSE CASE method WHEN 'dbsf' THEN 0.5 WHEN 'tmm' THEN 0 ELSE 1 END END AS share
        FROM unnest(legs) WITH ORDINALITY AS l (name, keys, scores, minimum, maximum, ordinal)
        CROSS JOIN LATERAL unnest(l.keys, l.scores) WITH ORDINALITY AS e (key, score, rank)
        WHERE weights[l.ordinal] > 0
    ), best AS MATERIALIZED (
        SELECT u.key, u.score, row_number() OVER () AS rank
        FROM (SELECT e.key, sum(e.share) AS score FROM entry AS e GROUP BY e.key
              ORDER BY score DESC, CASE WHEN whole THEN e.key::numeric END, e.key COLLATE "C" LIMIT k) AS u
    )
    SELECT array_agg(d.key ORDER BY d.rank), array_agg(d.score ORDER BY d.rank), array_agg(d.told ORDER BY d.rank) INTO keys, scores, details
    FROM (SELECT b.key, b.score, b.rank, jsonb_object_agg(legs[e.leg].name, jsonb_build_object('rank', e.rank, 'score', e.score, 'share', e.share)) AS told
          FROM best AS b JOIN entry AS e ON e.key = b.key GROUP BY b.key, b.score, b.rank) AS d;
END
$$;
COMMENT ON FUNCTION pgsim._fuse IS
    'Fuses ranked lists that were checked: the k best keys, their scores, and of each what its legs said of it. A key that a leg lacks gets nothing from that leg. Ties go by key: as numbers where all are whole, else by their bytes.';

CREATE FUNCTION pgsim._fused_weights(
    c pgsim._collection, legs pgsim._search_leg[], h pgsim._fusion_request,
    OUT fusion pgsim._fusion, OUT method text, OUT weights float8[], OUT rank_constant float8
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    names text[] := ARRAY(SELECT g.name FROM unnest(legs) AS g);
BEGIN
    IF h.fusion IS NULL OR h.fusion = ANY (pgsim._fusion_methods()) THEN
        method := coalesce(h.fusion, 'minmax');
        weights := pgsim._fusion_weights(names, h.weights, method, '{dense,text,sparse}');
    ELSE
        fusion := pgsim._fusion_row(c, h.fusion);
        method := fusion.method;
        weights := CASE WHEN h.weights IS NULL THEN pgsim._fusion_weights(names, fusion.weights, method, ARRAY(SELECT n FROM jsonb_object_keys(fusion.weights) AS n))
                        ELSE pgsim._fusion_weights(names, h.weights, method, '{dense,text,sparse}') END;
        IF h.weights IS NULL AND NOT EXISTS (SELECT FROM unnest(legs, weights) AS g (name, kind, spec, none, weight) WHERE g.kind <> 'prior' AND g.weight > 0) THEN
            -- What it was made for is not in this call, and what is must not go unanswered.
            weights := pgsim._fusion_weights(names, NULL, method);
        END IF;
    END IF;
    rank_constant := coalesce(h.rank_constant, fusion.rank_constant);
    PERFORM pgsim._check_fusion(method, rank_constant);
    rank_constant := coalesce(rank_constant, 60);
END
$$;
COMMENT ON FUNCTION pgsim._fused_weights IS 'How a call fuses its legs: by a method or by a fusion kept under a name, with a weight for each leg.';

CREATE FUNCTION pgsim._fusion_methods() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{minmax,relative_score,tmm,dbsf,rrf}'::text[];
COMMENT ON FUNCTION pgsim._fusion_methods IS 'The methods of fusion; relative_score is another engine''s name of minmax.';

CREATE FUNCTION pgsim._fusion_row(c pgsim._collection, name text) RETURNS pgsim._fusion
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f pgsim._fusion;
BEGIN
    SELECT * INTO f FROM pgsim._fusion AS s WHERE s.collection_id = c.id AND s.name = _fusion_row.name;
    IF f.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS009',
            MESSAGE = format('collection %L has no fusion %s, and it is no method: %s', c.name, coalesce(quote_literal(left(name, 200)), 'NULL'), array_to_string(pgsim._fusion_methods(), ', ')),
            DETAIL = coalesce('It has: ' || (SELECT string_agg(quote_literal(s.name), ', ' ORDER BY s.name) FROM pgsim._fusion AS s WHERE s.collection_id = c.id), 'It has none.'),
            HINT = format('pgsim tune fusion %s makes one from queries of yours; so does pgsim.create_fusion.', c.name);
    END IF;
    RETURN f;
END
$$;
COMMENT ON FUNCTION pgsim._fusion_row IS 'The fusion of that name, or PS009.';

CREATE FUNCTION pgsim._fusion_weights(names text[], weights jsonb, method text, spare text[] = '{}') RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text;
BEGIN
    IF weights IS NULL OR weights = 'null' THEN
        RETURN array_fill(CASE method WHEN 'rrf' THEN 1 ELSE 1.0::float8 / cardinality(names) END, ARRAY[cardinality(names)]);
    END IF;
    IF jsonb_typeof(weights) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights is %s, not an object of numbers', left(weights::text, 200)),
            HINT = 'Name each leg: weights => ''{"dense": 0.7, "text": 0.3}''.';
    END IF;
    SELECT w.key INTO wrong FROM jsonb_each(weights) AS w WHERE NOT w.key = ANY (names || spare) LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights names %s, which is no leg; the legs are %s', quote_literal(left(wrong, 80)), array_to_string(names, ', ')),
            HINT = 'Name the legs as they are called.';
    END IF;
    SELECT n INTO wrong FROM unnest(names) AS n WHERE NOT weights ? n LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights does not name the leg %s', wrong), HINT = 'Give each leg a weight; 0 leaves it out.';
    END IF;
    SELECT w.key INTO wrong FROM jsonb_each(weights) AS w WHERE CASE jsonb_typeof(w.value) WHEN 'number' THEN NOT ((w.value)::numeric = 0 OR (w.value)::numeric BETWEEN 1e-100 AND 1e6) ELSE true END LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the weight of %s is %s; it is 0, or a number from 1e-100 to 1000000', wrong, left((weights -> wrong)::text, 80)), HINT = 'Give 0 to leave a leg out.';
    END IF;
    RETURN ARRAY(SELECT (weights ->> n.name)::float8 FROM unnest(names) WITH ORDINALITY AS n (name, ordinal) ORDER BY n.ordinal);
END
$$;
COMMENT ON FUNCTION pgsim._fusion_weights IS
    'The weight of each leg. Without any, equal shares that sum to 1, and 1 each for rrf. spare: names that may stand there without being a leg of this call. Raises PS010 for what is no weight.';

CREATE FUNCTION pgsim._leg_request(r pgsim._search_request, l pgsim._search_leg) RETURNS pgsim._search_request
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF l.spec ?| '{query,sparse_query,slice}' THEN
        -- A slice of the search's own query is searched where that is.
        r.model := coalesce(l.spec ->> 'model', CASE WHEN NOT l.spec ?| '{query,sparse_query}' THEN r.model END);
        r.embedding := coalesce(l.spec ->> 'embedding', CASE WHEN NOT l.spec ?| '{query,sparse_query}' THEN r.embedding END, 'default');
        r.recall := coalesce((l.spec ->> 'recall')::float8, r.recall);
        r.mode := coalesce(l.spec ->> 'mode', CASE WHEN l.spec ? 'slice' THEN nullif(r.mode, 'codes') ELSE r.mode END, 'auto');
        r.dims := CASE WHEN jsonb_typeof(l.spec -> 'dims') = 'array' THEN ARRAY(SELECT d.value::int FROM jsonb_array_elements_text(l.spec -> 'dims') AS d) ELSE (l.spec ->> 'dims')::int[] END;
        r.oversample := (l.spec ->> 'oversample')::int;
        r.max_distance := (l.spec ->> 'max_distance')::float8;
    END IF;
    RETURN r;
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L cannot be read: %s', l.name, SQLERRM), HINT = 'Its properties are those of pgsim.search''s arguments.';
END
$$;
COMMENT ON FUNCTION pgsim._leg_request IS 'The request of a leg over vectors: what the search asks of all, and what the leg says of itself.';

CREATE FUNCTION pgsim._leg_vector(l pgsim._search_leg, query vector, t pgsim._target) RETURNS vector
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF l.spec ? 'query' THEN
        query := pgsim._vector_of(l.spec ->> 'query');
    END IF;
    IF t.map_id IS NOT NULL THEN
        query := (pgsim._mapped_queries(t, ARRAY[query]))[1];
    END IF;
    IF t.slice IS NOT NULL AND cardinality(query::real[]) <> t.dim THEN
        IF cardinality(query::real[]) <> (SELECT m.dim FROM pgsim._model AS m WHERE m.name = t.model) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('the query of leg %L has %s dimensions; slice %L of model %L has %s', l.name, cardinality(query::real[]), t.slice_name, t.model, t.dim),
                HINT = 'Give the slice alone, or a whole vector of the model, of which it is taken.';
        END IF;
        query := (query::real[])[lower(t.slice):upper(t.slice) - 1];
    END IF;
    RETURN (query);
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('the query of leg %L is no vector: %s', l.name, SQLERRM), HINT = 'Give it as a JSON array of numbers, or as the text of a vector.';
END
$$;
COMMENT ON FUNCTION pgsim._leg_vector IS 'The query vector of a dense leg: its own, or that of the search, in the space of the version that it searches.';

CREATE FUNCTION pgsim._prior(c pgsim._collection, l pgsim._search_leg, keys text[]) RETURNS pgsim.leg
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    column_name text := l.spec ->> 'column';
    category text;
    type oid;
    number text;
    origin float8 := 0;
    scale float8;
    score text;
    made pgsim.leg;
BEGIN
    PERFORM pgsim._check_columns(c.relation, format('leg %L', l.name), ARRAY[column_name]);
    SELECT t.typcategory, t.oid INTO category, type
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = coalesce(nullif((SELECT b.typbasetype FROM pg_type AS b WHERE b.oid = a.atttypid), 0), a.atttypid)
    WHERE a.attrelid = c.relation AND a.attname = column_name;
    number := CASE
        WHEN type IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) THEN format('extract(epoch FROM b.%I::timestamptz)::float8', column_name)
        WHEN type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype) THEN format('b.%I::float8', column_name)
        WHEN type = 'numeric'::regtype THEN format('(CASE WHEN b.%1$I BETWEEN -1e300 AND 1e300 THEN b.%1$I END)::float8', column_name)
        WHEN type = 'bool'::regtype THEN format('b.%I::int::float8', column_name) END;
    IF number IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L reads column %I, which is neither a number, a time nor a boolean', l.name, column_name), HINT = 'Name a column that ranks rows by itself.';
    END IF;
    IF (l.spec ? 'half_life')::int + (l.spec ? 'pivot')::int + (l.spec ? 'order')::int > 1 OR l.spec ? 'origin' AND NOT l.spec ? 'half_life' OR (l.spec ? 'half_life' OR l.spec ? 'pivot') AND (l.spec ? 'minimum' OR l.spec ? 'maximum') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L mixes what does not go together: %s', l.name, left((l.spec - 'column')::text, 200)),
            HINT = 'half_life (with origin) halves the score with each such distance; pivot is the value that scores one half; order, minimum and maximum go with the bare value.';
    END IF;
    BEGIN
        IF l.spec ? 'half_life' THEN
            IF category = 'D' THEN
                origin := extract(epoch FROM coalesce((l.spec ->> 'origin')::timestamptz, now()));
                scale := extract(epoch FROM (l.spec ->> 'half_life')::interval);
            ELSE
                origin := coalesce((l.spec ->> 'origin')::float8, 0);
                scale := (l.spec ->> 'half_life')::float8;
            END IF;
        ELSIF l.spec ? 'pivot' THEN
            scale := (l.spec ->> 'pivot')::float8;
        END IF;
        made.minimum := (l.spec ->> 'minimum')::float8;
        made.maximum := (l.spec ->> 'maximum')::float8;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L cannot be read: %s', l.name, SQLERRM), HINT = 'The half_life of a time is an interval ("30 days"), its origin a time; those of a number are numbers.';
    END;
    IF (l.spec ? 'half_life' OR l.spec ? 'pivot') AND (scale IS NULL OR NOT scale BETWEEN 1e-100 AND 1e100) OR origin IS NULL OR NOT origin BETWEEN -1e100 AND 1e100 OR l.spec ? 'pivot' AND category = 'D' OR category = 'D' AND l.spec ? 'half_life' AND jsonb_typeof(l.spec -> 'half_life') <> 'string'
       OR l.spec ? 'order' AND l.spec -> 'order' NOT IN ('"asc"', '"desc"')
       OR NOT coalesce(made.minimum, 0) BETWEEN -1e100 AND 1e100 OR made.maximum IS NOT NULL AND (made.minimum IS NULL OR NOT made.maximum BETWEEN -1e100 AND 1e100 OR made.maximum <= made.minimum) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L is %s; half_life and pivot are above 0 (a time has no pivot), order is asc or desc, a maximum is above its minimum, and both lie within 1e100', l.name, left(l.spec::text, 200)),
            HINT = 'For instance {"column": "published", "half_life": "30 days"} or {"column": "downloads", "pivot": 1000}.';
    END IF;
    score := CASE WHEN l.spec ? 'half_life' THEN 'exp(-least(abs(v.n - $2) / $3 * ln(2::float8), 700))'
                  WHEN l.spec ? 'pivot' THEN 'greatest(v.n, 0) / (greatest(v.n, 0) + $3)'
                  WHEN l.spec ->> 'order' = 'asc' THEN '-v.n' ELSE 'v.n' END;
    IF made.maximum IS NOT NULL THEN
        score := format('least(greatest(%s, $4), $5)', score);
    END IF;
    IF l.spec ? 'half_life' OR l.spec ? 'pivot' THEN
        made.minimum := 0;
        made.maximum := 1;
    END IF;
    made.name := l.name;
    EXECUTE format(
        'SELECT array_agg(k ORDER BY s DESC, o), array_agg(s ORDER BY s DESC, o) '
        'FROM (SELECT i.given AS k, i.ordinal AS o, %s AS s FROM (SELECT %s, k.given, k.ordinal FROM unnest($1) WITH ORDINALITY AS k (given, ordinal)) AS i '
        'JOIN %s AS b ON %s CROSS JOIN LATERAL (SELECT %s AS n) AS v WHERE v.n BETWEEN -1e300 AND 1e300) AS p',
        score, pgsim._key_parse(c.relation, 'k.given', c.key_columns, true), c.relation, pgsim._key_join('b.', 'i.', c.key_columns, true), number)
    INTO made.keys, made.scores USING keys, origin, scale, made.minimum, made.maximum;
    RETURN made;
END
$$;
COMMENT ON FUNCTION pgsim._prior IS
    'A leg that ranks given rows by a column: by its value, by how far it is from an origin, or by a saturation. Rows without a value, or with one that is not finite, are not in it. It reads the table as the caller may.';

CREATE FUNCTION pgsim._sample_queries(collection text, column_name text, sample int, seed int, OUT query text, OUT keys text[]) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection := pgsim._collection_row(collection);
BEGIN
    PERFORM pgsim._require_select(c.relation, c.relation);
    PERFORM pgsim._check_columns(c.relation, 'column', ARRAY[column_name]);
    IF sample IS NULL OR sample NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('sample is %s; it is a number of texts from 1 to 100000', coalesce(sample::text, 'NULL')), HINT = 'A thousand tell something.';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT b.%1$I::text, array_agg(%2$s) FROM %3$s AS b WHERE btrim(b.%1$I::text) <> '''' GROUP BY 1 ORDER BY hashtextextended(b.%1$I::text, $1), 1 LIMIT $2',
        column_name, pgsim._key_text(c.relation, 'b.', c.key_columns), c.relation)
    USING seed::bigint, sample;
END
$$;
COMMENT ON FUNCTION pgsim._sample_queries IS 'Texts of a column, each with the keys of the rows that it stands in. The same seed takes the same ones.';

CREATE FUNCTION pgsim._search_fused(
    r pgsim._search_request, query vector, text_query text, sparse_query sparsevec, h pgsim._fusion_request, explained boolean,
    OUT keys text[], OUT scores float8[], OUT distances float8[], OUT metric text, OUT details jsonb, OUT row_details jsonb[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- More rows than any table of vectors has: all that match.
    everything CONSTANT int := 50000000;
    started CONSTANT timestamptz := clock_timestamp();
    leg_started timestamptz;
    c pgsim._collection := pgsim._collection_row(r.collection);
    legs pgsim._search_leg[] := pgsim._search_legs(query IS NOT NULL, text_query,
        -- Beside a dense query model and embedding are that query's.
        CASE WHEN sparse_query IS NOT NULL THEN jsonb_build_object('sparse_query', sparse_query::text)
            || CASE WHEN query IS NULL THEN jsonb_build_object('model', r.model, 'embedding', r.embedding) ELSE '{}' END END, h);
    weighed record;
    f pgsim._fusion;
    method text;
    weights float8[];
    l pgsim._search_leg;
    p pgsim._search_plan;
    t pgsim._target;
    leg_request pgsim._search_request;
    executed record;
    list pgsim.leg;
    lists pgsim.leg[];
    fused record;
    told jsonb;
    found_keys text[];
    dense_keys text[];
    dense_distances float8[];
    compiled record;
    predicate text;
    finders int;
    single boolean;
    grouped boolean;
    exhausted boolean;
    whole boolean;
    depth int;
    places int[];
    rank_constant float8;
BEGIN
    weighed := pgsim._fused_weights(c, legs, h);
    f := weighed.fusion;
    method := weighed.method;
    weights := weighed.weights;
    rank_constant := weighed.rank_constant;
    legs := ARRAY(SELECT ROW(g.name, g.kind, g.spec, g.weight)::pgsim._search_leg FROM unnest(legs, weights) WITH ORDINALITY AS g (name, kind, spec, none, weight, ordinal)
                  WHERE g.weight > 0 ORDER BY g.kind = 'prior', g.ordinal);
    weights := ARRAY(SELECT g.weight FROM unnest(legs) AS g);
    finders := (SELECT count(*) FROM unnest(legs) AS g WHERE g.kind <> 'prior');
    IF finders = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights is %s, which leaves out every leg that finds rows', h.weights), HINT = 'Give one of them a weight above 0.';
    END IF;

    single := cardinality(legs) = 1 AND coalesce(h.per_group, 1) = 1;
    grouped := r.distinct_on IS NOT NULL AND NOT (single AND legs[1].kind = 'dense');
    PERFORM pgsim._check_fused(r, h, legs, query IS NOT NULL, sparse_query IS NOT NULL, single);
    t.base := c.relation;
    leg_request := r;
    leg_request.dims := NULL;
    leg_request.oversample := NULL;
    leg_request.after := NULL;
    PERFORM pgsim._check_search(t, leg_request);
    PERFORM pgsim._require_select(c.relation, c.relation);

    IF finders < cardinality(legs) OR EXISTS (SELECT FROM unnest(legs) AS g WHERE g.kind IN ('text', 'sparse')) THEN
        compiled := pgsim._compile_filter(c.relation, r.filter, coalesce(r.where_values, '{}'), false);
        predicate := CASE WHEN r.where_sql IS NULL THEN compiled.predicate ELSE concat_ws(' AND ', compiled.predicate, format(E'(%s\n)', r.where_sql)) END;
    END IF;
    whole := cardinality(c.key_columns) = 1 AND (SELECT a.atttypid IN (20, 21, 23) FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = c.key_columns[1]);
    depth := CASE WHEN single AND NOT grouped THEN r.k ELSE coalesce(h.candidates, CASE WHEN f.candidates IS NOT NULL THEN greatest(f.candidates, r.k) END, least(greatest(200, 2 * r.k), greatest(10000, r.k))) END;
    LOOP
        lists := '{}';
        told := '{}';
        exhausted := true;
        FOREACH l IN ARRAY legs LOOP
            leg_started := clock_timestamp();
            list := NULL;
            list.name := l.name;
            IF l.kind = 'dense' THEN
                leg_request := pgsim._leg_request(r, l);
                leg_request.k := depth;
                IF NOT single OR grouped THEN
                    leg_request.distinct_on := NULL;
                END IF;
                IF depth > 10000 THEN
                    leg_request.mode := 'exact';
                    leg_request.dims := NULL;
                    leg_request.oversample := NULL;
                END IF;
                p := pgsim._plan_search(leg_request, explained, l.spec ->> 'slice');
                t := p.target;
                executed := pgsim._execute_search(p, pgsim._leg_vector(l, query, t), explained);
                IF t.record_share > 0 OR t.audit_share > 0 THEN
                    PERFORM pgsim._record_some(p, pgsim._leg_vector(l, query, t), executed.keys, executed.distances, executed.details, leg_started);
                END IF;
                list.keys := executed.keys;
                list.scores := ARRAY(SELECT pgsim.score(t.metric, d.distance) FROM unnest(executed.distances) WITH ORDINALITY AS d (distance, ordinal) ORDER BY d.ordinal);
                list.minimum := CASE t.metric WHEN 'cosine' THEN -1 WHEN 'ip' THEN NULL ELSE 0 END;
                IF l.name = 'dense' THEN
                    dense_keys := executed.keys;
                    dense_distances := executed.distances;
                    metric := t.metric;
                END IF;
            ELSIF l.kind = 'text' THEN
                executed := pgsim._run_text(c, l.spec ->> 'text_query', depth, predicate, compiled."values", explained, coalesce(l.spec ->> 'text_form', 'any'), CASE WHEN r.where_sql IS NOT NULL THEN r.search_path END);
                list.keys := executed.keys;
                list.scores := executed.scores;
                list.minimum := 0;
            ELSIF l.kind = 'sparse' THEN
                leg_request := pgsim._leg_request(r, l);
                leg_request.k := depth;
                leg_request.distinct_on := NULL;
                leg_request.after := NULL;
                IF query IS NOT NULL AND leg_request.mode = 'codes' AND NOT l.spec ? 'mode' THEN
                    leg_request.mode := 'auto';
                END IF;
                executed := pgsim._run_sparse(leg_request, l.spec ->> 'sparse_query', predicate, compiled."values", explained);
                list.keys := executed.keys;
                list.scores := ARRAY(SELECT pgsim.score(executed.metric, d.distance) FROM unnest(executed.distances) WITH ORDINALITY AS d (distance, ordinal) ORDER BY d.ordinal);
                list.minimum := 0;
                IF query IS NULL AND l.name = 'sparse' THEN
                    dense_keys := executed.keys;
                    dense_distances := executed.distances;
                END IF;
            ELSE
                SELECT array_agg(u.key ORDER BY CASE WHEN whole THEN u.key::numeric END, u.key COLLATE "C") INTO found_keys
                FROM (SELECT DISTINCT n AS key FROM unnest(lists) AS g CROSS JOIN unnest(g.keys) AS n) AS u;
                list := pgsim._prior(c, l, found_keys);
            END IF;
            exhausted := exhausted AND (l.kind = 'prior' OR coalesce(cardinality(list.keys), 0) < depth);
            IF method = 'tmm' AND NOT single AND (list.minimum IS NULL OR list.minimum > (SELECT min(s) FROM unnest(list.scores) AS s)) THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L has no least score that is known, or one above its scores, and tmm needs it', l.name),
                    HINT = 'An inner product and the bare value of a column have none; a prior may give its minimum. Or fuse by minmax.';
            END IF;
            lists := lists || list;
            IF explained THEN
                told := told || jsonb_build_object(l.name, jsonb_strip_nulls(jsonb_build_object(
                    'kind', l.kind, 'slice', l.spec ->> 'slice', 'weight', CASE WHEN NOT single THEN l.weight END, 'rows', coalesce(cardinality(list.keys), 0), 'seconds', extract(epoch FROM clock_timestamp() - leg_started),
                    'details', CASE WHEN l.kind <> 'prior' THEN executed.details END)));
            END IF;
        END LOOP;
        IF single THEN
            keys := list.keys;
            scores := list.scores;
            row_details := NULL;
            IF l.kind IN ('text', 'sparse') THEN
                row_details := ARRAY(SELECT jsonb_build_object(l.name, jsonb_strip_nulls(jsonb_build_object('rank', s.ordinal, 'score', s.score, 'strategy', CASE l.kind WHEN 'sparse' THEN executed.details -> 'strategy' END))) FROM unnest(list.scores) WITH ORDINALITY AS s (score, ordinal) ORDER BY s.ordinal);
            END IF;
        ELSE
            fused := pgsim._fuse(lists, method, weights, rank_constant, CASE WHEN NOT grouped THEN r.k END, whole);
            keys := fused.keys;
            scores := fused.scores;
            row_details := fused.details;
        END IF;
        EXIT WHEN NOT grouped;
        places := pgsim._capped(c, r.distinct_on, keys, h.per_group, r.k);
        IF cardinality(places) >= r.k OR exhausted OR depth >= everything THEN
            keys := ARRAY(SELECT keys[n.place] FROM unnest(places) WITH ORDINALITY AS n (place, ordinal) ORDER BY n.ordinal);
            scores := ARRAY(SELECT scores[n.place] FROM unnest(places) WITH ORDINALITY AS n (place, ordinal) ORDER BY n.ordinal);
            row_details := ARRAY(SELECT row_details[n.place] FROM unnest(places) WITH ORDINALITY AS n (place, ordinal) ORDER BY n.ordinal);
            EXIT;
        END IF;
        depth := CASE WHEN depth >= 10000 THEN everything ELSE least(4 * depth, 10000) END;
    END LOOP;

    IF single AND l.kind = 'dense' AND NOT explained THEN
        details := executed.details;
        distances := executed.distances;
        metric := t.metric;
        RETURN;
    END IF;
    IF explained THEN
        details := jsonb_strip_nulls(jsonb_build_object(
            'strategy', CASE WHEN single THEN l.kind ELSE 'fusion' END, 'collection', c.name,
            'fusion', CASE WHEN NOT single THEN jsonb_build_object('name', f.name, 'method', method, 'rank_constant', CASE method WHEN 'rrf' THEN rank_constant END, 'candidates', depth) END,
            'legs', told, 'rows', coalesce(cardinality(keys), 0), 'complete', coalesce(cardinality(keys), 0) >= r.k OR exhausted, 'filter', predicate,
            'seconds', jsonb_build_object('search', extract(epoch FROM clock_timestamp() - started))));
        RETURN;
    END IF;
    SELECT array_agg(d.distance ORDER BY n.ordinal),
           array_agg(jsonb_build_object('strategy', CASE WHEN single THEN l.kind ELSE 'fusion' END, 'legs', n.told) || CASE WHEN single THEN '{}' ELSE jsonb_build_object('fusion', coalesce(f.name, method)) END ORDER BY n.ordinal)
    INTO distances, row_details
    FROM unnest(keys, row_details) WITH ORDINALITY AS n (key, told, ordinal)
    LEFT JOIN unnest(dense_keys, dense_distances) AS d (key, distance) ON d.key = n.key;
END
$$;
COMMENT ON FUNCTION pgsim._search_fused IS
    'A search by more than one vector: runs its legs, fuses what they gave, and keeps to distinct_on. A leg alone is not fused. With distinct_on the legs go deeper until k rows are found or nothing is left.';

CREATE FUNCTION pgsim._search_legs(queried boolean, text_query text, sparse_spec jsonb, h pgsim._fusion_request) RETURNS pgsim._search_leg[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_legs pgsim._search_leg[] := '{}';
    given record;
    known text[];
    wrong text;
    kind text;
    kinds int;
BEGIN
    IF queried THEN
        found_legs := found_legs || ROW('dense', 'dense', '{}', NULL)::pgsim._search_leg;
    END IF;
    IF text_query IS NOT NULL THEN
        found_legs := found_legs || ROW('text', 'text', jsonb_build_object('text_query', text_query, 'text_form', h.text_form), NULL)::pgsim._search_leg;
    ELSIF h.text_form IS DISTINCT FROM 'any' AND h.texts IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('text_form is %s, but there is no text_query', coalesce(quote_literal(left(h.text_form, 80)), 'NULL')), HINT = 'Give the text, or leave text_form out.';
    END IF;
    IF sparse_spec IS NOT NULL THEN
        found_legs := found_legs || ROW('sparse', 'sparse', sparse_spec, NULL)::pgsim._search_leg;
    END IF;
    IF h.legs IS NOT NULL AND h.legs <> 'null' THEN
        IF jsonb_typeof(h.legs) <> 'object' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('legs is %s, not an object of legs by their names', left(h.legs::text, 200)),
                HINT = 'For instance: legs => ''{"recent": {"column": "published", "half_life": "30 days"}}''.';
        END IF;
        FOR given IN SELECT l.key AS name, l.value AS spec FROM jsonb_each(h.legs) AS l LOOP
            PERFORM pgsim._check_name('leg', given.name);
            IF EXISTS (SELECT FROM unnest(found_legs) AS f WHERE f.name = given.name) THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('legs names a leg %L, and so is that of the argument %s called', given.name, CASE given.name WHEN 'text' THEN 'text_query' WHEN 'sparse' THEN 'sparse_query' ELSE 'query' END),
                    HINT = 'Give it another name, or leave the argument out.';
            END IF;
            kinds := (given.spec ? 'query')::int + (given.spec ? 'text_query')::int + (given.spec ? 'sparse_query')::int + (given.spec ? 'column')::int;
            IF jsonb_typeof(given.spec) <> 'object' OR kinds <> 1 AND NOT (kinds = 0 AND given.spec ? 'slice' AND queried) THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L is %s; it is an object that has a query (a vector), a text_query, a sparse_query, or a column; or a slice, of the query of the search', given.name, left(given.spec::text, 200)),
                    HINT = 'For instance: {"query": [0.1, 0.2], "embedding": "title"}, {"text_query": "red boat"} or {"column": "published", "half_life": "30 days"}.';
            END IF;
            IF given.spec ? 'query' OR kinds = 0 THEN
                kind := 'dense';
                known := '{query,model,embedding,recall,mode,dims,oversample,max_distance,slice}';
            ELSIF given.spec ? 'text_query' THEN
                kind := 'text';
                known := '{text_query,text_form}';
            ELSIF given.spec ? 'sparse_query' THEN
                kind := 'sparse';
                known := '{sparse_query,model,embedding,recall,mode}';
            ELSE
                kind := 'prior';
                known := '{column,half_life,origin,pivot,order,minimum,maximum}';
            END IF;
            SELECT k INTO wrong FROM jsonb_object_keys(given.spec) AS k WHERE NOT k = ANY (known) LIMIT 1;
            IF wrong IS NOT NULL THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L has no property %s; such a leg has %s', given.name, quote_literal(left(wrong, 80)), array_to_string(known, ', ')),
                    HINT = 'docs/hybrid.md tells what each is.';
            END IF;
            IF given.spec ? 'slice' AND (jsonb_typeof(given.spec -> 'slice') <> 'string' OR given.spec ?| '{dims,oversample}') THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('leg %L has the slice %s%s', given.name, left((given.spec -> 'slice')::text, 80), CASE WHEN given.spec ?| '{dims,oversample}' THEN ', and dims or oversample' ELSE ', which is no name' END),
                    HINT = 'A slice is searched whole, by the name that its model gives it: {"slice": "title"}.';
            END IF;
            IF kind <> 'dense' AND jsonb_typeof(given.spec -> known[1]) <> 'string' THEN
                RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the %s of leg %L is no text', known[1], given.name), HINT = 'Leave a leg out that has nothing to look for.';
            END IF;
            found_legs := found_legs || ROW(given.name, kind, given.spec, NULL)::pgsim._search_leg;
        END LOOP;
    END IF;
    IF NOT EXISTS (SELECT FROM unnest(found_legs) AS f WHERE f.kind <> 'prior') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'there is nothing to look for: no query, no text_query, no sparse_query, and no leg that finds rows',
            HINT = 'A leg over a column ranks the rows that other legs find.';
    END IF;
    RETURN found_legs;
END
$$;
COMMENT ON FUNCTION pgsim._search_legs IS 'The legs of a search: query, text_query, sparse_query and those named in legs. Raises PS010 for what is none.';

CREATE FUNCTION pgsim.create_fusion(
    collection text, name text, method text = 'minmax', weights jsonb = '{"dense": 0.5, "text": 0.5}', rank_constant float8 = NULL, candidates int = NULL,
    report jsonb = '{}', "replace" boolean = false
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._check_name('fusion', name);
    IF name = ANY (pgsim._fusion_methods()) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS011', MESSAGE = format('fusion name %L is a method''s', name), HINT = 'Take another name; a method needs no fusion of its name.';
    END IF;
    PERFORM pgsim._check_fusion(method, rank_constant);
    IF weights IS NULL OR jsonb_typeof(weights) <> 'object' OR weights = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights is %s, not an object of numbers', coalesce(left(weights::text, 200), 'NULL')),
            HINT = 'Name each leg: weights => ''{"dense": 0.7, "text": 0.3}''.';
    END IF;
    PERFORM pgsim._fusion_weights(ARRAY(SELECT n FROM jsonb_object_keys(weights) AS n), weights, method);
    IF NOT EXISTS (SELECT FROM jsonb_each(weights) AS w WHERE w.value > '0') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights is %s, which leaves every leg out', weights), HINT = 'Give one leg a weight above 0.';
    END IF;
    IF candidates NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('candidates is %s; it is a number of rows from 1 to 10000', candidates), HINT = 'Leave it out for 200, or twice k where that is more.';
    END IF;
    INSERT INTO pgsim._fusion (collection_id, name, method, weights, rank_constant, candidates, report)
    VALUES (c.id, create_fusion.name, create_fusion.method, create_fusion.weights, create_fusion.rank_constant, create_fusion.candidates, coalesce(create_fusion.report, '{}'))
    ON CONFLICT ON CONSTRAINT _fusion_collection_id_name_key DO UPDATE
        SET method = excluded.method, weights = excluded.weights, rank_constant = excluded.rank_constant, candidates = excluded.candidates, report = excluded.report, created_at = excluded.created_at
        WHERE create_fusion."replace";
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('collection %L has a fusion %L already', collection, name), HINT = 'Give "replace" => true, or take another name.';
    END IF;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim.create_fusion IS
$$Keeps a fusion under a name, which searches of the collection give as fusion => 'name'; returns the name.

method: minmax, relative_score, tmm, dbsf or rrf. weights: of every leg by its name; 0 leaves a leg out, and it is not even searched.
rank_constant: of rrf. candidates: how many rows each leg gives. report: why it is so, for the view pgsim.fusions; `pgsim tune fusion`
puts there what it measured. "replace": put it in the place of one of that name. Errors: PS001, PS006, PS010, PS011, PS020, PS032.$$;

CREATE FUNCTION pgsim.drop_fusion(collection text, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    f pgsim._fusion;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    f := pgsim._fusion_row(c, name);
    DELETE FROM pgsim._fusion AS d WHERE d.id = f.id;
END
$$;
COMMENT ON FUNCTION pgsim.drop_fusion IS 'Forgets a fusion of a collection; searches that name it fail from then on. Errors: PS001, PS006, PS009, PS032.';

CREATE FUNCTION pgsim.fuse(legs pgsim.leg[], method text = 'minmax', weights jsonb = NULL, k int = 10, rank_constant float8 = NULL)
RETURNS TABLE (key text, score float8, rank int, details jsonb)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fused record;
BEGIN
    PERFORM pgsim._check_fusion(method, rank_constant);
    PERFORM pgsim._check_legs(legs, method);
    IF k < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k is %s; it is a number of rows from 1, or NULL for all', k), HINT = 'Ask for the rows you will look at.';
    END IF;
    IF cardinality(legs) = 0 THEN
        RETURN;
    END IF;
    fused := pgsim._fuse(
        legs, method, pgsim._fusion_weights(ARRAY(SELECT l.name FROM unnest(legs) AS l), weights, method), coalesce(rank_constant, 60), k,
        -- Longer ones are no keys of an integer type.
        NOT EXISTS (SELECT FROM unnest(legs) AS l CROSS JOIN unnest(l.keys) AS n WHERE n !~ '^-?\d{1,19}$'));
    RETURN QUERY SELECT f.key, f.score, f.ordinal::int, f.details FROM unnest(fused.keys, fused.scores, fused.details) WITH ORDINALITY AS f (key, score, details, ordinal);
END
$$;
COMMENT ON FUNCTION pgsim.fuse IS
$$Fuses any number of ranked lists into one, best first: a pure function, for lists from anywhere.

legs: ARRAY[pgsim.leg('dense', keys, scores), pgsim.leg('text', keys, scores), ...]. method: minmax (relative_score is another name of
it), tmm, dbsf or rrf; docs/hybrid.md has the formulas. weights: of every leg by its name, {"dense": 0.7, "text": 0.3}; without them equal
shares that sum to 1, and for rrf 1 each. k: how many rows, NULL for all. rank_constant: of rrf, 60. A row that a leg lacks gets 0 from
that leg; an empty leg gives nothing. details: by leg, its rank and score of the row, and the share that this has in the fused score.
Ties go by key: as numbers where all keys are whole numbers, otherwise by their bytes. Errors: PS010, PS011, PS016.$$;

CREATE FUNCTION pgsim.leg(name text, keys text[], scores float8[] = NULL, minimum float8 = NULL, maximum float8 = NULL) RETURNS pgsim.leg
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ROW(name, keys, scores, minimum, maximum)::pgsim.leg;
COMMENT ON FUNCTION pgsim.leg IS
$$Makes one leg of pgsim.fuse out of any ranked list: another engine's, a prior's, or what a search of your own gave.

name: what weights and details call it. keys: best first, as array_agg(key ORDER BY rank) gives them; none is an empty leg.
scores: one for each key, higher is better (give a distance as its negative); rrf needs none. minimum: the least score that
the engine can give, which tmm needs: 0 of BM25, -1 of a cosine similarity. minimum and maximum: a fixed scale, on which a score
means the same in every search, as a probability does; it is not stretched to what was found. pgsim.fuse checks all of it.$$;

CREATE FUNCTION pgsim.mmr(
    collection text, keys text[], scores float8[], k int = 10, diversity float8 = 0.5, model text = NULL, embedding text = 'default'
) RETURNS TABLE (key text, score float8, rank int, details jsonb)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := pgsim._target(collection, model, embedding);
    joined text := CASE WHEN t.adopted THEN format('JOIN %s AS s ON %s', t.base_sql, pgsim._key_join('s.', 'i.', t.key_columns, true))
        ELSE format('JOIN %s AS b ON %s JOIN %s AS s ON %s', t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true), t.version_sql, pgsim._key_join('b.', 's.', t.key_columns, true)) END;
    relevance float8[];
    places int[];
    similarities float8[];
    nearest float8[];
    n int;
    chosen int[] := '{}';
    taken int;
    twice int;
BEGIN
    PERFORM pgsim._require_select(t.base, t.version);
    PERFORM pgsim._check_k(k);
    PERFORM pgsim._check_legs(ARRAY[pgsim.leg('mmr', keys, scores)], 'minmax');
    IF diversity IS NULL OR diversity NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('diversity is %s; it is a share from 0 to 1', coalesce(diversity::text, 'NULL')), HINT = '0 keeps the order of the scores, 1 looks at the vectors alone.';
    END IF;
    IF cardinality(keys) > 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('there are %s keys; up to 1000 are compared with one another', cardinality(keys)), HINT = 'Give the best few hundred.';
    END IF;
    SELECT array_agg(CASE WHEN b.high > b.low THEN (s.score - b.low) / (b.high - b.low) ELSE 1 END ORDER BY s.ordinal) INTO relevance
    FROM unnest(scores) WITH ORDINALITY AS s (score, ordinal)
    CROSS JOIN (SELECT min(u) AS low, max(u) AS high FROM unnest(scores) AS u) AS b;
    -- The vectors are read a single time, every pair is compared, and each step after that looks at numbers. A zero vector is similar to none.
    BEGIN
        EXECUTE format(
            'WITH c AS MATERIALIZED (SELECT i.ordinal::int AS place, s.tableoid, s.ctid, s.%1$I::%2$s.%6$s AS v FROM (SELECT %3$s, g.ordinal FROM unnest($1) WITH ORDINALITY AS g (given, ordinal)) AS i %4$s WHERE s.%1$I IS NOT NULL) '
            'SELECT (SELECT array_agg(place ORDER BY place) FROM c), (SELECT array_agg(coalesce(nullif(%5$s, ''NaN''), 0) ORDER BY c.place, o.place) FROM c CROSS JOIN c AS o), (SELECT count(*) - count(DISTINCT (c.tableoid, c.ctid)) FROM c)',
            t.column_name, t.vector_schema, pgsim._key_parse(t.base, 'g.given', t.key_columns, true), joined,
            format(CASE WHEN t.metric IN ('l2', 'l1') THEN '1 / (1 + (c.v OPERATOR(%s.%s) o.v))' ELSE '1 - (c.v OPERATOR(%s.%s) o.v)' END,
                   t.vector_schema, CASE t.metric WHEN 'l2' THEN '<->' WHEN 'l1' THEN '<+>' ELSE '<=>' END),
            CASE t.element WHEN 'sparsevec' THEN 'sparsevec' ELSE 'vector' END)
        INTO places, similarities, twice USING keys;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('a key cannot be read as %s: %s', pgsim._key_types(t.base, t.key_columns), SQLERRM), HINT = 'Give keys as pgsim.search returns them.';
    END;
    IF twice > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = 'two of the keys are one row''s, written differently', HINT = 'Give keys as pgsim.search returns them, each once.';
    END IF;
    n := coalesce(cardinality(places), 0);
    nearest := array_fill(NULL::float8, ARRAY[n]);
    FOR step IN 1 .. least(k, n) LOOP
        SELECT p.i, (1 - diversity) * relevance[p.place] - diversity * coalesce(p.near, 0) INTO taken, score
        FROM unnest(places, nearest) WITH ORDINALITY AS p (place, near, i)
        WHERE NOT p.i = ANY (chosen)
        ORDER BY (1 - diversity) * relevance[p.place] - diversity * coalesce(p.near, 0) DESC, p.place LIMIT 1;
        chosen := chosen || taken;
        key := keys[places[taken]];
        rank := step;
        details := jsonb_build_object('rank', places[taken], 'score', scores[places[taken]], 'similarity', nearest[taken]);
        RETURN NEXT;
        nearest := ARRAY(SELECT greatest(p.near, p.alike) FROM unnest(nearest, similarities[(taken - 1) * n + 1 : taken * n]) WITH ORDINALITY AS p (near, alike, i) ORDER BY p.i);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim.mmr IS
$$Ranks rows found anew, so that they are good and unlike one another: maximal marginal relevance.

keys, scores: what a search gave, some times k of them; scores are brought between 0 and 1 by their least and greatest. Each step takes the
row whose (1 - diversity) * score - diversity * (its similarity to the nearest row taken so far) is greatest. Similarity is the cosine of the
stored vectors, or 1 / (1 + distance) for l2 and l1. diversity: 0 keeps the order, 1 looks at vectors alone. Rows without a vector, or not visible
to you, are left out. score is what the step gained; details: the rank and score the row had, and that similarity.
Errors: PS001 to PS006, PS010, PS016, PS032.$$;

CREATE FUNCTION pgsim.search_parents(
    collection text, parent text, query vector = NULL, k int = 10, filter jsonb = NULL, text_query text = NULL, sparse_query sparsevec = NULL, aggregate text = 'max', top int = 3,
    model text = NULL, embedding text = 'default', recall float8 = NULL, fusion text = NULL, weights jsonb = NULL, text_form text = 'any',
    legs jsonb = NULL, rank_constant float8 = NULL, candidates int = NULL, where_sql text = NULL, where_values jsonb = NULL
) RETURNS TABLE (key text, score float8, rank int, details jsonb)
LANGUAGE plpgsql STABLE ROWS 10
AS $$
DECLARE
    -- No SET clause: where_sql is read by the caller's search_path, and pgsim.search asks what that is.
    pinned CONSTANT jsonb := '{"search_path": "pg_catalog, pg_temp"}';
    callers CONSTANT jsonb := pgsim._set(pinned);
    c pgsim._collection := pgsim._collection_row(collection);
    dense CONSTANT boolean := query IS NOT NULL OR sparse_query IS NOT NULL OR jsonb_path_exists(legs, '$.*.query') OR jsonb_path_exists(legs, '$.*.sparse_query');
    -- Every chunk of these parents is ranked, so that a sum or a mean misses none.
    pool int := CASE aggregate WHEN 'max' THEN k ELSE least(1000, greatest(50, 5 * k)) END;
    given jsonb;
    chunk_keys text[];
    chunk_scores float8[];
    compiled record;
    chunks int;
BEGIN
    PERFORM pgsim._require_select(c.relation, c.relation);
    PERFORM pgsim._check_columns(c.relation, 'parent', ARRAY[parent]);
    PERFORM pgsim._check_k(k);
    IF aggregate IS NULL OR aggregate NOT IN ('max', 'mean', 'sum') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('aggregate is %s; known are max, mean and sum', coalesce(quote_literal(left(aggregate, 80)), 'NULL')), HINT = 'max ranks a parent by its best chunk.';
    END IF;
    IF aggregate <> 'max' AND k > 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k is %s; by mean or sum it is up to 1000, since every chunk of as many parents is ranked', k), HINT = 'Ask for fewer, or take max.';
    END IF;
    IF top IS NULL OR top NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('top is %s; it is a number of chunks from 1 to 1000', coalesce(top::text, 'NULL')), HINT = 'So many of a parent''s best chunks count; the default is 3.';
    END IF;
    IF query IS NULL AND text_query IS NULL AND sparse_query IS NULL AND legs IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'there is nothing to look for: no query, no text_query, no sparse_query, and no leg that finds rows', HINT = 'Give one of them.';
    END IF;
    given := jsonb_build_object(parent, '{"$exists": true}'::jsonb);
    given := CASE WHEN filter IS NULL OR filter = 'null' THEN given ELSE jsonb_build_object('$and', jsonb_build_array(filter, given)) END;
    PERFORM pgsim._set(callers);
    SELECT pg_catalog.array_agg(s.key ORDER BY s.rank), pg_catalog.array_agg(s.score ORDER BY s.rank) INTO chunk_keys, chunk_scores
    FROM pgsim.search(
        search_parents.collection, search_parents.query, pool, given, search_parents.text_query, search_parents.sparse_query, model => search_parents.model, embedding => search_parents.embedding, recall => search_parents.recall,
        fusion => search_parents.fusion, weights => search_parents.weights, text_form => search_parents.text_form, legs => search_parents.legs,
        rank_constant => search_parents.rank_constant, candidates => greatest(search_parents.candidates, CASE WHEN search_parents.candidates IS NOT NULL THEN pool END), distinct_on => search_parents.parent,
        where_sql => search_parents.where_sql, where_values => search_parents.where_values) AS s;
    PERFORM pgsim._set(pinned);
    IF aggregate <> 'max' AND chunk_keys IS NOT NULL THEN
        EXECUTE format(
            'SELECT jsonb_build_object(''$and'', jsonb_build_array($2, jsonb_build_object($3::text, jsonb_build_object(''$in'', jsonb_agg(DISTINCT b.%I))))) '
            'FROM (SELECT %s FROM unnest($1) AS g (given)) AS i JOIN %s AS b ON %s',
            parent, pgsim._key_parse(c.relation, 'g.given', c.key_columns, true), c.relation, pgsim._key_join('b.', 'i.', c.key_columns, true))
        INTO given USING chunk_keys, given, parent;
        compiled := pgsim._compile_filter(c.relation, given, '{}', false);
        chunks := pgsim._count(c.relation::text, compiled.predicate, compiled."values");
        -- Not through pgsim.search, which gives no more than 10000 rows.
        SELECT s.keys, s.scores INTO chunk_keys, chunk_scores
        FROM pgsim._search_fused(
            ROW(collection, greatest(chunks, 1), given, model, embedding, NULL, CASE WHEN dense THEN 'exact' ELSE 'auto' END, NULL, NULL, NULL, NULL, NULL, where_sql, where_values, NULL, callers ->> 'search_path')::pgsim._search_request,
            query, text_query, sparse_query,
            ROW(CASE WHEN text_query IS NOT NULL THEN ARRAY[text_query] END, text_form, legs, fusion, weights, rank_constant, NULL, 1, NULL)::pgsim._fusion_request, false) AS s;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT p.parent::text, p.score, (row_number() OVER (ORDER BY p.score DESC, p.parent))::int, jsonb_build_object(''chunks'', p.chunks) '
        'FROM (SELECT n.parent, CASE $4 WHEN ''sum'' THEN sum(n.score) WHEN ''mean'' THEN avg(n.score) ELSE max(n.score) END AS score, '
        '             jsonb_agg(jsonb_build_object(''key'', n.given, ''score'', n.score) ORDER BY n.nth) AS chunks '
        '      FROM (SELECT b.%I AS parent, i.given, i.score, row_number() OVER (PARTITION BY b.%I ORDER BY i.ordinal) AS nth '
        '            FROM (SELECT %s, g.given, g.score, g.ordinal FROM unnest($1, $2) WITH ORDINALITY AS g (given, score, ordinal)) AS i JOIN %s AS b ON %s) AS n '
        '      WHERE n.nth <= $3 GROUP BY n.parent) AS p ORDER BY 3 LIMIT $5',
        parent, parent, pgsim._key_parse(c.relation, 'g.given', c.key_columns, true), c.relation, pgsim._key_join('b.', 'i.', c.key_columns, true))
    USING chunk_keys, chunk_scores, top, aggregate, k;
    PERFORM pgsim._set(callers);
END
$$;
COMMENT ON FUNCTION pgsim.search_parents IS
$$Searches a collection of chunks and ranks what they are parts of: the k parents whose chunks match best.

parent: the column of the chunks that names the parent, a foreign key as a rule; chunks without one are left out. key is its value as
text. aggregate: max ranks a parent by its best chunk, mean and sum by its best ones, top of them (3). For mean and sum the parents of the best
chunks, five times k and at least 50, are ranked by all of their chunks. Fewer than k parents come only when fewer have a chunk that
matches. where_sql, where_values: a condition over the chunks' table, as pgsim.search takes it. details: the chunks that counted, with their scores. The other arguments are those of pgsim.search.
Errors: PS001 to PS006, PS009 to PS016, PS032, PS035, PS050.$$;

CREATE FUNCTION pgsim._base_version(c pgsim._collection, e pgsim._embedding, m pgsim._model, column_name text) RETURNS pgsim._version
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v pgsim._version;
    base text := (SELECT b.name FROM pgsim._map AS p JOIN pgsim._model AS b ON b.id = p.from_model_id WHERE p.id = m.map_id);
BEGIN
    IF column_name IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('column_name is %s, and a version under the derived model %L has a table of its own', quote_literal(left(column_name, 80)), m.name),
            HINT = 'Leave it out: pgsim maps the vectors and keeps them.';
    END IF;
    SELECT s.* INTO v FROM pgsim._version AS s JOIN pgsim._model AS b ON b.id = s.model_id JOIN pg_class AS r ON r.oid = s.relation
    WHERE s.embedding_id = e.id AND b.name = base AND s.state <> 'retired' FOR NO KEY UPDATE OF s;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('embedding %L of collection %L has no live version under model %L, whose vectors %L maps', e.name, c.name, base, m.name),
            HINT = format('Make that first: pgsim.create_version(%L, %L, embedding => %L).', c.name, base, e.name);
    END IF;
    RETURN v;
END
$$;
COMMENT ON FUNCTION pgsim._base_version IS 'The version that one under a derived model is to follow; PS035 where there is none that is kept up.';

CREATE FUNCTION pgsim._embedded_model(model text) RETURNS pgsim._model
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m pgsim._model := pgsim._model_row(model);
BEGIN
    IF m.map_id IS NOT NULL THEN
        SELECT b.* INTO m FROM pgsim._model AS b JOIN pgsim._map AS p ON p.from_model_id = b.id WHERE p.id = m.map_id;
    END IF;
    RETURN m;
END
$$;
COMMENT ON FUNCTION pgsim._embedded_model IS 'The model whose embedder makes a model''s vectors: of a derived one that is the one its map begins at. PS002 for a name that is none.';

CREATE FUNCTION pgsim._followed(t pgsim._target) RETURNS pgsim._target
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    b record;
BEGIN
    IF t.follows IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035',
            MESSAGE = format('the version of collection %L under model %L %s', t.collection, t.model, CASE WHEN t.map_id IS NULL THEN 'is not derived from another' ELSE 'follows no other any more' END),
            HINT = CASE WHEN t.map_id IS NULL THEN 'Its vectors come through an embedder, or pgsim.upsert.' ELSE 'Its base was dropped: its vectors come through an embedder of the base model, or pgsim.upsert, and are mapped on their way.' END;
    END IF;
    SELECT v.collection, v.model, v.embedding INTO b FROM pgsim.versions AS v WHERE v.id = t.follows;
    RETURN pgsim._target(b.collection, b.model, b.embedding);
END
$$;
COMMENT ON FUNCTION pgsim._followed IS 'The version that a derived one follows; PS035 where there is none.';

CREATE FUNCTION pgsim._given_to_map(t pgsim._target, sample int, seed int) RETURNS vector[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    b pgsim._target;
    p record;
    components pgsim._map.components%TYPE;
BEGIN
    IF t.follows IS NOT NULL THEN
        b := pgsim._followed(t);
        RETURN pgsim._directed((pgsim._sample(b, sample, seed)).vectors, b.metric);
    END IF;
    SELECT s.name, s.keeps_scores, coalesce(s.query_components, s.components) AS components, m.metric INTO p FROM pgsim._map AS s JOIN pgsim._model AS m ON m.id = s.from_model_id WHERE s.id = t.map_id;
    IF NOT p.keeps_scores THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('rows of model %L are no queries: map %L, by which they were made, cannot be undone', t.model, p.name), HINT = 'Give queries of the model that the map begins at.';
    END IF;
    components := p.components;
    RETURN pgsim._directed(ARRAY(SELECT pgsim._unmapped(components, v) FROM unnest((pgsim._sample(t, sample, seed)).vectors) AS v WHERE v IS NOT NULL), p.metric);
END
$$;
COMMENT ON FUNCTION pgsim._given_to_map IS 'A sample of rows as queries of a derived model, which are of the model that its map begins at: from the version that it follows, or mapped back.';

CREATE FUNCTION pgsim._unmapped(components vector[], v vector) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT sum(c.component * pg_catalog.array_fill(c.number, ARRAY[vector_dims(c.component)])::vector)
    FROM (SELECT unnest(components) AS component, unnest(v::real[]) AS number) AS c
);
COMMENT ON FUNCTION pgsim._unmapped IS 'The components added up, each as often as the vector says: the reverse of a map whose full-width scores are kept.';

CREATE FUNCTION pgsim._identity_error(components vector[], others vector[]) RETURNS float8
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN (
    -- A vector of signs tells of every pair of components at once, in a time that grows by the square of their number and not by its
    -- cube (R. Freivalds, Probabilistic machines can use less running time, 1977). Three are drawn, and the worst of them counts.
    SELECT pg_catalog.max(pg_catalog.abs(b.back - b.sign))
    FROM (
        SELECT unnest(pgsim._mapped(others, NULL, false, pgsim._unmapped(components, s.signs::vector))::real[]) AS back, unnest(s.signs) AS sign
        FROM (SELECT pg_catalog.array_agg(CASE WHEN pg_catalog.random() < 0.5 THEN -1 ELSE 1 END)::real[] AS signs
              FROM pg_catalog.generate_series(1, 3) AS attempt CROSS JOIN pg_catalog.generate_series(1, cardinality(components)) GROUP BY attempt) AS s
    ) AS b
);
COMMENT ON FUNCTION pgsim._identity_error IS 'The greatest difference, on three vectors of ones and minus ones, between a vector and what comes of adding up components by it and taking the inner products with others: next to nothing where each component has the inner product 1 with its own other and 0 with the rest.';

CREATE FUNCTION pgsim._keep_mapped() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
    -- An array in a variable is read from its table once, and not for every vector; in a record it would be read twice.
    components pgsim._map.components%TYPE;
    bias pgsim._map.bias%TYPE;
    normalized boolean;
    image pgsim._map.bias%TYPE;
    statement text;
    source text;
    newer text := '';
    taken text[];
    renamed boolean;
    one record;
BEGIN
    SELECT v.id, v.relation::text AS relation, b.adopted, b.column_name, c.key_columns, m.map_id, m.dim, m.metric, m.element,
           -- A column that was renamed is not found by its old name.
           ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped) AS readable
    INTO f
    FROM pgsim._version AS v JOIN pgsim._version AS b ON b.id = v.follows JOIN pgsim._model AS m ON m.id = v.model_id
    JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS c ON c.id = e.collection_id
    WHERE v.id = TG_ARGV[1]::int;
    IF NOT FOUND OR f.relation ~ '^\d' THEN
        RETURN CASE TG_WHEN WHEN 'BEFORE' THEN NEW END;
    END IF;
    taken := pgsim._key_names(f.key_columns, NOT f.adopted) || f.column_name;
    IF NOT taken <@ f.readable THEN
        RAISE WARNING USING MESSAGE = format('pgsim does not map changes of %s: a column of its key or of its vectors was renamed or dropped', TG_RELID::regclass),
            HINT = 'Run SELECT * FROM pgsim.check().';
        RETURN CASE TG_WHEN WHEN 'BEFORE' THEN NEW END;
    END IF;

    IF TG_OP IN ('INSERT', 'UPDATE') AND TG_WHEN = 'AFTER' THEN
        SELECT p.components, p.bias, p.normalized INTO components, bias, normalized FROM pgsim._map AS p WHERE p.id = f.map_id;
    END IF;
    IF TG_ARGV[2] = 'key' THEN
        -- A row that moves to another partition under another key is inserted there: what it leaves behind would be in its way.
        EXECUTE format('DELETE FROM %s AS k WHERE %s', f.relation, pgsim._key_join('($1).', 'k.', f.key_columns, true)) USING OLD;
        RETURN NEW;
    ELSIF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('TRUNCATE %s', f.relation);
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE format('DELETE FROM %s AS k USING pgsim_rows AS r WHERE %s', f.relation, pgsim._own_key_join('k.', 'r.', f.key_columns));
    ELSIF TG_LEVEL = 'ROW' THEN
        IF TG_OP = 'UPDATE' THEN
            EXECUTE format('SELECT record_image_ne(ROW(%s), ROW(%s))', pgsim._key_list('($1).', f.key_columns, false), pgsim._key_list('($2).', f.key_columns, false)) INTO renamed USING OLD, NEW;
            IF renamed THEN
                EXECUTE format('DELETE FROM %s AS k WHERE %s', f.relation, pgsim._key_join('($1).', 'k.', f.key_columns, true)) USING OLD;
            END IF;
        END IF;
        -- As _mapped_statement does for many rows, in less time than that takes to be planned.
        EXECUTE format('SELECT ($1).%I::%s.vector', f.column_name, pgsim._vector_schema()) INTO image USING NEW;
        image := pgsim._mapped(components, bias, normalized, image);
        EXECUTE CASE WHEN pgsim._vector_problem(image, f.dim, f.metric, f.element) IS NULL
            THEN format('INSERT INTO %1$s (%2$s, embedding) SELECT %3$s, $2::%4$s.%5$I ON CONFLICT (%2$s) DO UPDATE SET embedding = excluded.embedding, embedded_at = excluded.embedded_at',
                        f.relation, pgsim._key_list('', f.key_columns, true), pgsim._key_list('($1).', f.key_columns, false), pgsim._vector_schema(), f.element)
            ELSE format('DELETE FROM %s AS k WHERE %s', f.relation, pgsim._key_join('($1).', 'k.', f.key_columns, true)) END USING NEW, image;
    ELSE
        source := 'pgsim_rows AS r';
        IF TG_OP = 'UPDATE' THEN
            -- Keys change with the base table's, here and there alike.
            source := source || format(' JOIN pgsim_before AS o ON %s WHERE record_image_ne(ROW(r.%2$I, r.provisional, r.source_hash), ROW(o.%2$I, o.provisional, o.source_hash))',
                                       pgsim._own_key_join('r.', 'o.', f.key_columns), f.column_name);
        ELSE
            -- What a trigger of the user's has made of a new row meanwhile is the newer.
            newer := ' AND age(k.xmin) > 0';
        END IF;
        BEGIN
            EXECUTE pgsim._mapped_statement(f.id, source, newer) USING components, bias, normalized;
        EXCEPTION WHEN foreign_key_violation THEN
            -- A trigger of the user's has deleted rows that it was called for: those that are left are taken one by one.
            statement := pgsim._mapped_statement(f.id, '(SELECT ($4).*) AS r', newer);
            FOR one IN EXECUTE format('SELECT ROW(r.*)::%s AS given FROM pgsim_rows AS r', TG_RELID::regclass) LOOP
                BEGIN
                    EXECUTE statement USING components, bias, normalized, one.given;
                EXCEPTION WHEN foreign_key_violation THEN
                    CONTINUE;
                END;
            END LOOP;
        END;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._keep_mapped IS
    'Trigger: keeps a derived version up with the one that it follows, in the writer''s own transaction. It runs as its owner, to whom derived versions belong, reads only what was changed, and writes nothing else.';
REVOKE ALL ON FUNCTION pgsim._keep_mapped FROM PUBLIC;

CREATE FUNCTION pgsim._longer_than(components vector[], bound float8) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT min(c.ordinal) FROM unnest(components) WITH ORDINALITY AS c (component, ordinal) WHERE vector_norm(c.component) > bound);
COMMENT ON FUNCTION pgsim._longer_than IS 'The number of the first component of a map that is longer than that, or NULL.';

CREATE FUNCTION pgsim._map_components(what text, given vector[], width int) RETURNS int
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows int := cardinality(given);
    other int;
BEGIN
    IF coalesce(rows, 0) = 0 OR array_ndims(given) > 1 OR rows > 16000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('%s is %s; it is a plain list of 1 to 16000 vectors, one for each number that comes out', what, coalesce('a list of ' || rows, 'NULL')),
            HINT = 'The i-th number of a mapped vector is its inner product with the i-th of them.';
    END IF;
    FOR i IN 1 .. rows LOOP
        other := CASE WHEN given[i] IS NULL THEN 0 ELSE cardinality(given[i]::real[]) END;
        IF other <> width THEN
            RAISE EXCEPTION USING ERRCODE = 'PS055',
                MESSAGE = format('component %s of %s %s, and the model it maps from has %s dimensions', i, what, CASE other WHEN 0 THEN 'is NULL' ELSE format('has %s numbers', other) END, width),
                HINT = 'A matrix is given by its rows: as many of them as numbers come out, each as wide as the model.';
        END IF;
    END LOOP;
    RETURN rows;
END
$$;
COMMENT ON FUNCTION pgsim._map_components IS 'How many components a map has; PS055 unless each is as wide as the model that it maps from. (pgvector itself refuses NaN and infinity.)';

CREATE FUNCTION pgsim._map_missing(t pgsim._target) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    b pgsim._target := pgsim._followed(t);
    missing bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s AS r WHERE NOT EXISTS (SELECT FROM %s AS d WHERE %s) AND r.%I IS NOT NULL%s', b.version_sql, t.version_sql,
                   CASE WHEN b.adopted THEN pgsim._key_join('r.', 'd.', t.key_columns, true) ELSE pgsim._own_key_join('r.', 'd.', t.key_columns) END, b.column_name,
                   -- What has no direction has no image.
                   CASE b.metric WHEN 'cosine' THEN format(' AND %s.vector_norm(r.%I::%1$s.vector) > 0', b.vector_schema, b.column_name) ELSE '' END)
    INTO missing;
    RETURN missing;
END
$$;
COMMENT ON FUNCTION pgsim._map_missing IS 'How many rows of the version that a derived one follows it lacks.';

CREATE FUNCTION pgsim._map_problems(c pgsim._collection, version_id int, subject text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v record;
    missing bigint;
BEGIN
    SELECT d.* INTO v FROM pgsim.versions AS d JOIN pgsim._version AS s ON s.id = d.id WHERE d.id = version_id AND s.follows IS NOT NULL;
    IF NOT FOUND OR row_security_active(c.relation) THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pgsim._version AS s JOIN pgsim._version AS b ON b.id = s.follows JOIN pg_class AS r ON r.oid = b.relation WHERE s.id = v.id) THEN
        RETURN QUERY SELECT 'error', subject, 'the table of the version that it follows was dropped: nothing keeps it up',
            (SELECT format('SELECT pgsim.drop_version(%L, %L, %L, force => true)', o.collection, o.model, o.embedding) FROM pgsim._version AS s JOIN pgsim.versions AS o ON o.id = s.follows WHERE s.id = v.id)
            || ': this one stays, and takes vectors of that model itself.';
        RETURN;
    END IF;
    missing := pgsim._map_missing(pgsim._target(v.collection, v.model, v.embedding));
    IF missing > 0 THEN
        RETURN QUERY SELECT 'warning', subject, format('%s rows are not mapped yet: a batch a call is filled until none is left', missing), format('SELECT * FROM pgsim.fill_version(%L, %L, %L)', v.collection, v.model, v.embedding);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._map_problems IS 'Whether a derived version has lost the one that it follows, or lacks rows of it.';

CREATE FUNCTION pgsim._map_row(map text) RETURNS pgsim._map
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_row pgsim._map;
BEGIN
    SELECT * INTO found_row FROM pgsim._map AS p WHERE p.name = map;
    IF found_row.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS054', MESSAGE = format('there is no map %s', coalesce(quote_literal(left(map, 200)), 'NULL')),
            DETAIL = coalesce('There are: ' || (SELECT string_agg(quote_literal(p.name), ', ' ORDER BY p.name) FROM (SELECT s.name FROM pgsim._map AS s ORDER BY s.name LIMIT 20) AS p), 'There is none.'),
            HINT = 'Fit one with "pgsim ladder fit", or store one with pgsim.create_map.';
    END IF;
    RETURN found_row;
END
$$;
COMMENT ON FUNCTION pgsim._map_row IS 'The map of that name, or PS054.';

CREATE FUNCTION pgsim._map_rows(t pgsim._target, b pgsim._target, keys text[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p record;
    components pgsim._map.components%TYPE;
    own boolean := NOT b.adopted;
    mapped bigint;
BEGIN
    SELECT s.bias, s.normalized INTO p FROM pgsim._map AS s WHERE s.id = t.map_id;
    SELECT s.components INTO components FROM pgsim._map AS s WHERE s.id = t.map_id;
    EXECUTE pgsim._mapped_statement(t.version_id, CASE WHEN keys IS NULL THEN format('%s AS r', b.version_sql)
        ELSE format('%s AS r JOIN (SELECT %s FROM unnest($4) AS k (given)) AS i ON %s', b.version_sql, pgsim._key_parse(t.base, 'k.given', t.key_columns, own),
                    CASE WHEN own THEN pgsim._own_key_join('r.', 'i.', t.key_columns) ELSE pgsim._key_join('r.', 'i.', t.key_columns, false) END) END)
    USING components, p.bias, p.normalized, keys;
    GET DIAGNOSTICS mapped = ROW_COUNT;
    RETURN mapped;
END
$$;
COMMENT ON FUNCTION pgsim._map_rows IS 'Stores the images of rows, of all where keys is NULL, and returns how many.';

CREATE FUNCTION pgsim._map_triggers(c pgsim._collection) RETURNS TABLE (relation regclass, name text, definition text, arguments bytea)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
    fixed text[];
BEGIN
    SELECT array_agg(k ORDER BY k) INTO fixed
    FROM unnest(c.key_columns) AS k JOIN pg_attribute AS a ON a.attrelid = c.relation AND a.attname = k AND a.attgenerated = '';
    FOR f IN
        SELECT v.id, b.relation, b.adopted, b.column_name, r.relkind = 'p' AS partitioned, pgsim._changed_condition(ARRAY[b.column_name]) AS moved, pgsim._changed_condition(b.column_name || c.key_columns) AS moved_or_named,
               EXISTS (SELECT FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid JOIN pg_language AS l ON l.oid = p.prolang
                       WHERE g.tgrelid = b.relation AND NOT g.tgisinternal AND g.tgtype & 19 = 19 AND l.lanname NOT IN ('internal', 'c')) AS rewritten
        FROM pgsim._version AS v JOIN pgsim._version AS b ON b.id = v.follows JOIN pgsim._embedding AS e ON e.id = v.embedding_id
        JOIN pg_class AS r ON r.oid = b.relation
        WHERE e.collection_id = c.id AND EXISTS (SELECT FROM pg_class AS k WHERE k.oid = v.relation)
          -- Of columns that are gone no trigger can be made, and none is of use.
          AND NOT EXISTS (SELECT FROM unnest(pgsim._key_names(c.key_columns, NOT b.adopted) || b.column_name) AS n WHERE NOT EXISTS (
              SELECT FROM pg_attribute AS a WHERE a.attrelid = b.relation AND a.attname = n AND NOT a.attisdropped))
    LOOP
        -- A deleted row of the base table takes its images with it by their foreign key, and so does a truncated table. Names begin with !:
        -- triggers fire in the order of their names, and what a trigger of the user's changes further must get here later.
        RETURN QUERY
            SELECT f.relation, format('%spgsim_map_%s_%s', CASE t.part WHEN 'key' THEN '~' ELSE '!' END, f.id, t.name), format('%s ON %s %s EXECUTE FUNCTION pgsim._keep_mapped(%L, %L, %L)', t.event, f.relation, t.condition, c.id, f.id, t.part),
                   convert_to(c.id::text, 'UTF8') || '\x00' || convert_to(f.id::text, 'UTF8') || '\x00' || convert_to(t.part, 'UTF8') || '\x00'
            FROM (VALUES
                ('insert', 'AFTER INSERT', 'REFERENCING NEW TABLE AS pgsim_rows FOR EACH STATEMENT', 'rows', NOT f.partitioned),
                ('update', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS pgsim_before NEW TABLE AS pgsim_rows FOR EACH STATEMENT', 'rows', NOT f.adopted),
                ('delete', 'AFTER DELETE', 'REFERENCING OLD TABLE AS pgsim_rows FOR EACH STATEMENT', 'rows', NOT f.adopted),
                ('truncate', 'AFTER TRUNCATE', 'FOR EACH STATEMENT', 'rows', NOT f.adopted),
                -- To tell whether a vector has changed it must be read: only of updates that name its column, or of all where a trigger of the user's may change it unnamed.
                (CASE WHEN f.rewritten THEN 'any_update' ELSE 'update' END, CASE WHEN f.rewritten THEN 'AFTER UPDATE' ELSE format('AFTER UPDATE OF %I', f.column_name) END,
                    format('FOR EACH ROW WHEN (%s)', f.moved), 'row', f.adopted AND NOT f.partitioned),
                -- Partitions inherit triggers for each row, those to come as well. A row that moves to another is inserted there.
                ('insert', 'AFTER INSERT', 'FOR EACH ROW', 'row', f.partitioned),
                ('update', 'AFTER UPDATE', format('FOR EACH ROW WHEN (%s)', f.moved_or_named), 'row', f.partitioned),
                ('key', 'BEFORE UPDATE', 'FOR EACH ROW WHEN ' || pgsim._changed_condition(fixed), 'key', f.partitioned AND fixed IS NOT NULL)
            ) AS t (name, event, condition, part, wanted)
            WHERE t.wanted;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._map_triggers IS 'The triggers that keep a collection''s derived versions, where the vectors are that they follow.';

CREATE FUNCTION pgsim._mapped_queries(t pgsim._target, queries vector[], side text = 'query') RETURNS vector[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p record;
    -- Read into a variable once; in a record they would be read twice, and from the table for every vector.
    components queries%TYPE;
    mapped queries%TYPE := '{}';
BEGIN
    SELECT m.name AS model, m.metric, s.dim_in, s.normalized, s.bias INTO p
    FROM pgsim._map AS s JOIN pgsim._model AS m ON m.id = s.from_model_id WHERE s.id = t.map_id;
    SELECT CASE side WHEN 'query' THEN coalesce(s.query_components, s.components) ELSE s.components END INTO components FROM pgsim._map AS s WHERE s.id = t.map_id;
    FOR i IN 1 .. coalesce(cardinality(queries), 0) LOOP
        IF pgsim._vector_problem(queries[i], p.dim_in, p.metric) IS NOT NULL THEN
            PERFORM pgsim._check_vector(queries[i], CASE side WHEN 'query' THEN 'the query' ELSE format('vector %s', i) END || format(', which model %L maps,', t.model), p.model, p.dim_in, p.metric);
        END IF;
        mapped := mapped || pgsim._mapped(components, p.bias, p.normalized, queries[i]);
    END LOOP;
    RETURN mapped;
END
$$;
COMMENT ON FUNCTION pgsim._mapped_queries IS 'Vectors of the model that a derived one begins at, in the derived one''s space. What cannot be mapped raises PS012 or PS013.';

CREATE FUNCTION pgsim._mapped_statement(version_id int, source text, newer text = '') RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
    keys text;
    own text;
BEGIN
    SELECT v.relation::text AS relation, b.adopted, b.column_name, c.key_columns, m.dim, m.metric, m.element, pgsim._vector_schema() AS vector_schema INTO f
    FROM pgsim._version AS v JOIN pgsim._version AS b ON b.id = v.follows JOIN pgsim._model AS m ON m.id = v.model_id
    JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS c ON c.id = e.collection_id
    WHERE v.id = _mapped_statement.version_id;
    keys := pgsim._key_list('r.', f.key_columns, NOT f.adopted);
    own := pgsim._key_list('', f.key_columns, true);
    -- What has no image, because it has no vector, is all zeros where that is mapped to, or is beyond the element type, has no row.
    RETURN format(
        'WITH given AS MATERIALIZED ('
        'SELECT %1$s, pgsim._mapped($1, $2, $3, r.%2$I::%3$s.vector) AS image, %4$s FROM %5$s), '
        'fit AS MATERIALIZED (SELECT g.*, pgsim._vector_problem(g.image, %6$s, %7$L, %8$L) IS NULL AS fits FROM given AS g), '
        'gone AS (DELETE FROM %9$s AS k USING fit AS g WHERE NOT g.fits AND %10$s%11$s) '
        'INSERT INTO %9$s AS k (%12$s, embedding, provisional, source_hash, embedded_at) '
        'SELECT %13$s, g.image::%3$s.%8$I, g.provisional, g.source_hash, g.embedded_at FROM fit AS g WHERE g.fits '
        'ON CONFLICT (%12$s) DO UPDATE SET embedding = excluded.embedding, provisional = excluded.provisional, source_hash = excluded.source_hash, embedded_at = excluded.embedded_at WHERE true%11$s',
        (SELECT string_agg(format('r.%I AS %I', CASE WHEN f.adopted THEN k.name ELSE pgsim._key_column(k.ordinal, cardinality(f.key_columns)) END,
                                  pgsim._key_column(k.ordinal, cardinality(f.key_columns))), ', ' ORDER BY k.ordinal) FROM unnest(f.key_columns) WITH ORDINALITY AS k (name, ordinal)),
        f.column_name, f.vector_schema,
        CASE WHEN f.adopted THEN 'false AS provisional, NULL::bytea AS source_hash, now() AS embedded_at' ELSE 'r.provisional, r.source_hash, r.embedded_at' END,
        source, f.dim, f.metric, f.element, f.relation, pgsim._own_key_join('k.', 'g.', f.key_columns), newer, own, pgsim._key_list('g.', f.key_columns, true));
END
$$;
COMMENT ON FUNCTION pgsim._mapped_statement IS
    'The statement that brings a derived version''s rows to the images of those of source, called r. Its parameters: $1 to $3 of the map, components, bias and normalized; what source reads begins at $4. newer: a condition that a row, called k, is still to be written.';

CREATE FUNCTION pgsim._key_column(ordinal bigint, columns int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN columns = 1 THEN 'key' ELSE 'key_' || ordinal END;
COMMENT ON FUNCTION pgsim._key_column IS 'The name of a key column in a version table: key, or key_1, key_2, ... of a composite key.';

CREATE FUNCTION pgsim._key_names(key_columns text[], own boolean) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN NOT own THEN key_columns ELSE ARRAY(
    SELECT pgsim._key_column(k.ordinal, cardinality(key_columns)) FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal) ORDER BY k.ordinal
) END;
COMMENT ON FUNCTION pgsim._key_names IS 'The names of the key columns of a base table, or of a version table (own).';

CREATE FUNCTION pgsim._own_key_join(left_prefix text, right_prefix text, key_columns text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT pg_catalog.string_agg(pg_catalog.format('%s%I OPERATOR(pg_catalog.=) %s%I', left_prefix, k.name, right_prefix, k.name), ' AND ' ORDER BY k.ordinal)
    FROM pg_catalog.unnest(pgsim._key_names(key_columns, true)) WITH ORDINALITY AS k (name, ordinal)
);
COMMENT ON FUNCTION pgsim._own_key_join IS 'The condition that joins rows of two version tables by their keys.';

CREATE FUNCTION pgsim._release_followers(version_id int, force boolean) RETURNS regclass[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
    t pgsim._target;
    followers regclass[] := '{}';
BEGIN
    FOR f IN SELECT v.collection, v.model, v.embedding, v.relation, o.model AS base, EXISTS (SELECT FROM pg_class AS r WHERE r.oid = o.relation) AS kept FROM pgsim._version AS s JOIN pgsim.versions AS v ON v.id = s.id JOIN pgsim.versions AS o ON o.id = s.follows
             WHERE s.follows = version_id ORDER BY s.id LOOP
        IF NOT coalesce(force, false) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS021', MESSAGE = format('the version of %L under model %L follows the one under %L: its vectors are those, mapped', f.collection, f.model, f.base),
                HINT = format('Drop that first, or drop this one with pgsim.drop_version(..., force => true): %L stays then, and takes vectors of %L itself, mapped on their way.', f.model, f.base);
        END IF;
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_class AS r WHERE r.oid = f.relation);
        t := pgsim._target(f.collection, f.model, f.embedding);
        PERFORM pgsim._require_all_rows(t);
        IF f.kept AND pgsim._map_missing(t) > 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('not every row of %L under model %L is mapped to %L yet, and what is not would be lost', f.collection, f.base, f.model),
                HINT = format('Call pgsim.fill_version(%L, %L, %L) until it fills none, or drop that version first.', f.collection, f.model, f.embedding);
        END IF;
        followers := followers || f.relation;
    END LOOP;
    RETURN followers;
END
$$;
COMMENT ON FUNCTION pgsim._release_followers IS 'The tables of derived versions that follow a version which is to go; PS021 where there are and force does not say that they are to stay.';

CREATE FUNCTION pgsim._repair_mapped(t pgsim._target) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    b pgsim._target := pgsim._followed(t);
BEGIN
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', b.version_sql);
    EXECUTE format('DELETE FROM %s AS d WHERE NOT EXISTS (SELECT FROM %s AS r WHERE %s)', t.version_sql, b.version_sql,
                   CASE WHEN b.adopted THEN pgsim._key_join('r.', 'd.', t.key_columns, true) ELSE pgsim._own_key_join('r.', 'd.', t.key_columns) END);
    RETURN pgsim._map_rows(t, b, NULL);
END
$$;
COMMENT ON FUNCTION pgsim._repair_mapped IS 'Maps every row of a derived version anew, after a time in which nothing kept it. Writers wait.';

CREATE FUNCTION pgsim._rows_as_queries(t pgsim._target, vectors vector[]) RETURNS vector[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text;
    keeps boolean;
    components vectors%TYPE;
BEGIN
    SELECT s.name, s.keeps_scores, s.query_components INTO name, keeps, components FROM pgsim._map AS s WHERE s.id = t.map_id;
    IF components IS NULL THEN
        RETURN vectors;
    END IF;
    IF NOT keeps THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('rows of model %L are no queries: map %L maps the two apart, and cannot be undone', t.model, name), HINT = 'Give queries of the model that the map begins at.';
    END IF;
    RETURN pgsim._mapped_queries(t, ARRAY(SELECT pgsim._unmapped(components, u.v) FROM unnest(vectors) WITH ORDINALITY AS u (v, ordinal) ORDER BY u.ordinal));
END
$$;
COMMENT ON FUNCTION pgsim._rows_as_queries IS 'Rows of a version as queries in its own space, where a map may map queries otherwise than rows; PS035 where it cannot be told how.';

CREATE FUNCTION pgsim._target(collection text, model text, embedding text) RETURNS pgsim._target
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    c pgsim._collection;
    e pgsim._embedding;
BEGIN
    -- A regclass as text is quoted, and has its schema, since the path holds none but the system's.
    SELECT s.id, s.name, s.relation, s.relation::text, s.key_columns,
           v.id, v.relation, v.relation::text, v.column_name, v.adopted, v.state, n.source_columns,
           m.name, m.dim, m.metric, m.element, m.matryoshka, pgsim._vector_schema(),
           b.relnamespace, CASE WHEN v.adopted THEN b.relnamespace ELSE 'pgsim_data'::regnamespace END, b.reltuples, b.relkind = 'p',
           k.relation::text, k.columns, k.dims, k.element, k.map_id, s.record_share, s.audit_share, s.record_values,
           m.map_id, v.follows, CASE WHEN m.raw_prefixes THEN 'cosine' ELSE m.metric END, NULL, NULL
    INTO t
    FROM pgsim._collection AS s
    JOIN pgsim._embedding AS n ON n.collection_id = s.id
    JOIN pgsim._version AS v ON v.embedding_id = n.id
    JOIN pgsim._model AS m ON m.id = v.model_id
    LEFT JOIN pg_class AS b ON b.oid = s.relation
    LEFT JOIN pgsim._index AS k ON k.version_id = v.id AND k.method = 'codes' AND k.complete
    WHERE s.name = _target.collection AND n.name = _target.embedding
      AND CASE WHEN _target.model IS NULL THEN v.state = 'active' ELSE m.name = _target.model END;
    -- A table that was dropped has a number for a name, and a quoted name never begins with a digit.
    IF t.base_sql !~ '^\d' AND t.version_sql !~ '^\d' THEN
        RETURN t;
    ELSIF t.base_sql !~ '^\d' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS006', MESSAGE = format('the version table of collection %L, embedding %L, model %L was dropped', t.collection, embedding, t.model),
            HINT = format('Forget the version with pgsim.drop_version(%L, %L, %L, force => true).', t.collection, t.model, embedding);
    END IF;

    c := pgsim._collection_row(collection);
    e := pgsim._embedding_row(c, embedding);
    IF model IS NOT NULL THEN
        PERFORM pgsim._model_row(model);
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'PS004',
        MESSAGE = CASE WHEN model IS NULL
            THEN format('embedding %L of collection %L has no active version', embedding, collection)
            ELSE format('embedding %L of collection %L has no version under model %L', embedding, collection, model) END,
        DETAIL = coalesce('It has: ' || (SELECT string_agg(format('%L (%s)', v.model, v.state), ', ' ORDER BY v.id)
                                         FROM pgsim.versions AS v
                                         WHERE v.collection = _target.collection AND v.embedding = _target.embedding), 'It has none.'),
        HINT = format('Make one with pgsim.create_version(%L, model, embedding => %L).', collection, embedding);
END
$$;
COMMENT ON FUNCTION pgsim._target IS 'All that a call needs to know of one version: its tables, columns and model. model NULL means the active version.';

CREATE FUNCTION pgsim._sent_sample(collection text, model text, embedding text, wanted int, seed int) RETURNS SETOF bytea
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT vector_send(v) FROM unnest((pgsim._sample(pgsim._target(_sent_sample.collection, _sent_sample.model, _sent_sample.embedding), _sent_sample.wanted, _sent_sample.seed)).vectors) AS v WHERE v IS NOT NULL;
END;
COMMENT ON FUNCTION pgsim._sent_sample IS 'A sample of a version''s vectors, of rows that the caller may see, in pgvector''s binary form: a third of their text, and read at once.';

CREATE FUNCTION pgsim._key_join(base_prefix text, version_prefix text, key_columns text[], own boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT pg_catalog.string_agg(pg_catalog.format('%s%I OPERATOR(pg_catalog.=) %s%I', base_prefix, k.name, version_prefix,
               CASE WHEN own THEN pgsim._key_column(k.ordinal, cardinality(key_columns)) ELSE k.name END), ' AND ' ORDER BY k.ordinal)
    FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal)
);
COMMENT ON FUNCTION pgsim._key_join IS 'The condition that joins a base row to its row in a version table (own), or to another row with the base table''s key columns.';

CREATE FUNCTION pgsim._key_list(prefix text, key_columns text[], own boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT pg_catalog.string_agg(pg_catalog.format('%s%I', prefix,
               CASE WHEN own THEN pgsim._key_column(k.ordinal, cardinality(key_columns)) ELSE k.name END), ', ' ORDER BY k.ordinal)
    FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal)
);
COMMENT ON FUNCTION pgsim._key_list IS 'The key columns of a base table, or of a version table (own), as a list for SQL.';

CREATE FUNCTION pgsim._no_key(base regclass, key_columns text[]) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgsim._check_columns(base, 'key_columns', key_columns);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._no_key IS 'Raises PS005 for a key of which a column was renamed or dropped since.';

CREATE FUNCTION pgsim._key_parse(base regclass, operand text, key_columns text[], own boolean) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT CASE WHEN count(*) < cardinality(key_columns) THEN pgsim._no_key(base, key_columns) ELSE pg_catalog.string_agg(
        CASE WHEN cardinality(key_columns) = 1
            THEN pg_catalog.format('%s::%s AS %I', operand, pg_catalog.format_type(a.atttypid, -1), CASE WHEN own THEN 'key' ELSE k.name END)
            ELSE pg_catalog.format('(%s::jsonb ->> %L)::%s AS %I', operand, k.name, pg_catalog.format_type(a.atttypid, -1),
                        CASE WHEN own THEN pgsim._key_column(k.ordinal, cardinality(key_columns)) ELSE k.name END)
        END, ', ' ORDER BY k.ordinal) END
    FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = base AND a.attname = k.name AND NOT a.attisdropped
);
COMMENT ON FUNCTION pgsim._key_parse IS 'The reverse of _key_text: a select list that reads key columns from a key given as text.';

CREATE FUNCTION pgsim._key_text(base regclass, prefix text, key_columns text[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT CASE WHEN count(*) < cardinality(key_columns) THEN pgsim._no_key(base, key_columns)
                WHEN cardinality(key_columns) = 1 THEN pg_catalog.min(c.value || '::text')
                ELSE 'pg_catalog.jsonb_build_object(' || pg_catalog.string_agg(pg_catalog.format('%L, %s', c.name, c.value), ', ' ORDER BY c.ordinal) || ')::text' END
    FROM (
        -- A cast of an enum may be a function of its owner's, which change capture must not run; concat asks the type itself.
        SELECT k.name, k.ordinal, pg_catalog.format(CASE t.typtype WHEN 'e' THEN 'pg_catalog.concat(%s%I)' ELSE '%s%I' END, prefix, k.name) AS value
        FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = base AND a.attname = k.name AND NOT a.attisdropped
        JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    ) AS c
);
COMMENT ON FUNCTION pgsim._key_text IS
    'The expression that gives a row''s key as text: the key itself, or a JSON object of a composite key. prefix is what stands before a column: an alias and a dot.';

CREATE FUNCTION pgsim._unmapped_statement(t pgsim._target, b pgsim._target, after boolean, locked text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN (
    -- Whoever writes a row's vector holds its lock before the trigger writes the image. So does this, and none waits for the other crosswise.
    format('SELECT array_agg(s.key) FROM (SELECT %s AS key FROM %s AS b%s%s WHERE NOT EXISTS (SELECT FROM %s AS d WHERE %s)%s%s ORDER BY %s LIMIT $1 FOR NO KEY UPDATE OF %s %s%s) AS s',
        pgsim._key_text(t.base, 'b.', t.key_columns), t.base_sql,
        CASE WHEN b.adopted THEN '' ELSE format(' JOIN %s AS v ON %s', b.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END,
        CASE WHEN after THEN format(' CROSS JOIN (SELECT %s) AS a', pgsim._key_parse(t.base, '$2', t.key_columns, false)) ELSE '' END,
        t.version_sql, pgsim._key_join('b.', 'd.', t.key_columns, true),
        CASE WHEN b.adopted THEN format(' AND b.%I IS NOT NULL', b.column_name) ELSE '' END,
        CASE WHEN after THEN format(' AND ROW(%s) OPERATOR(pg_catalog.>) ROW(%s)', pgsim._key_list('b.', t.key_columns, false), pgsim._key_list('a.', t.key_columns, false)) ELSE '' END,
        pgsim._key_list('b.', t.key_columns, false), CASE WHEN b.adopted THEN 'b' ELSE 'v' END, locked,
        CASE WHEN b.adopted THEN '' ELSE format(' FOR KEY SHARE OF b %s', locked) END)
);
COMMENT ON FUNCTION pgsim._unmapped_statement IS 'The statement that takes rows whose vectors have no image yet, $1 of them, those behind key $2, and holds them; its row is their keys.';

CREATE FUNCTION pgsim.apply_map(name text, v vector, side text = 'row') RETURNS vector
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p record;
    components pgsim._map.components%TYPE;
BEGIN
    SELECT s.dim_in, s.normalized, s.bias, m.name AS model INTO p FROM pgsim._map AS s JOIN pgsim._model AS m ON m.id = s.from_model_id WHERE s.name = apply_map.name;
    IF NOT FOUND THEN
        PERFORM pgsim._map_row(name);
    END IF;
    IF side IS NULL OR side NOT IN ('row', 'query') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('side is %s; it is row or query', coalesce(quote_literal(left(side, 80)), 'NULL')), HINT = 'Only a map with a query_matrix tells them apart.';
    END IF;
    PERFORM pgsim._check_vector(v, 'the vector', p.model, p.dim_in, CASE WHEN p.normalized THEN 'cosine' ELSE 'ip' END);
    SELECT CASE side WHEN 'query' THEN coalesce(s.query_components, s.components) ELSE s.components END INTO components FROM pgsim._map AS s WHERE s.name = apply_map.name;
    RETURN pgsim._mapped(components, p.bias, p.normalized, v);
END
$$;
COMMENT ON FUNCTION pgsim.apply_map IS
$$Maps a vector of the map's model. NULL where what comes out has a number that single precision does not hold.

side: row or query; it matters to a map with a query_matrix alone. Searches and writes of a derived model map by themselves.
Errors: PS010, PS012, PS013, PS054.$$;

CREATE FUNCTION pgsim.create_map(
    name text, from_model text, to_model text = NULL, kind text = 'linear', matrix vector[] = NULL, query_matrix vector[] = NULL, bias vector = NULL,
    normalized boolean = NULL, properties jsonb = '{}'
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m pgsim._model;
    o pgsim._model;
    width int;
    off float8;
    keeps boolean := false;
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._check_name('map', name);
    m := pgsim._model_row(from_model);
    IF m.element = 'sparsevec' OR m.map_id IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('model %L is %s, and maps begin at a dense model that is not', from_model, CASE WHEN m.map_id IS NULL THEN 'sparse' ELSE 'another one mapped' END),
            HINT = CASE WHEN m.map_id IS NULL THEN 'Name a dense model.' ELSE 'Put the two maps into one: pgsim.maps.Map.then in Python multiplies them.' END;
    END IF;
    IF kind IS NULL OR kind NOT IN ('rotation', 'pca', 'leanvec', 'whitening', 'selection', 'linear') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('kind is %s; known are rotation, pca, leanvec, whitening, selection and linear', coalesce(quote_literal(left(kind, 80)), 'NULL')),
            HINT = 'linear promises nothing, and takes every matrix.';
    END IF;
    IF properties IS NULL OR jsonb_typeof(properties) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'properties is not a JSON object', HINT = 'What was measured of the map goes there: properties => ''{"rows": 20000}''.';
    END IF;
    normalized := coalesce(normalized, m.metric = 'cosine');
    width := pgsim._map_components('matrix', matrix, m.dim);
    IF query_matrix IS NOT NULL AND pgsim._map_components('query_matrix', query_matrix, m.dim) <> width THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('matrix has %s components and query_matrix %s', width, cardinality(query_matrix)), HINT = 'Rows and queries are compared in one space: give as many for both.';
    ELSIF query_matrix IS NOT NULL AND kind NOT IN ('leanvec', 'linear') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('query_matrix is given, and a map of kind %s maps rows and queries alike', kind), HINT = 'Leave it out; only leanvec and linear have one.';
    ELSIF query_matrix IS NOT NULL AND NOT (m.metric = 'ip' OR m.metric = 'cosine' AND normalized) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('query_matrix is given, and model %L is compared by %s%s', from_model, m.metric, CASE m.metric WHEN 'cosine' THEN ' and not normalized' ELSE '' END),
            HINT = 'Two matrices keep inner products: take a model under ip, or one under cosine, normalized.';
    ELSIF bias IS NOT NULL AND kind NOT IN ('whitening', 'linear') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('bias is given, and a map of kind %s has none', kind), HINT = 'Leave it out; only whitening and linear have one.';
    ELSIF bias IS NOT NULL AND pgsim._vector_problem(bias, width, 'ip') IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('bias %s, and matrix has %s components', pgsim._vector_problem(bias, width, 'ip'), width), HINT = 'It is added to what comes out: give one number for each.';
    END IF;
    IF to_model IS NOT NULL THEN
        o := pgsim._model_row(to_model);
        IF o.dim <> width OR o.element = 'sparsevec' OR o.id = m.id THEN
            RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('matrix has %s components; model %L %s', width, to_model, CASE WHEN o.id = m.id THEN 'is the one it maps from' ELSE format('has %s dimensions, %s', o.dim, CASE o.element WHEN 'sparsevec' THEN 'sparse' ELSE 'dense' END) END),
                HINT = 'Leave to_model out where the space is new: pgsim.derive_model makes its model.';
        END IF;
    END IF;
    IF kind IN ('rotation', 'pca', 'selection') OR kind = 'leanvec' AND query_matrix IS NULL THEN
        BEGIN
            off := pgsim._identity_error(matrix, matrix);
        EXCEPTION WHEN numeric_value_out_of_range THEN
            off := NULL;
        END;
        IF off IS NULL OR off > 1e-4 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('the components of matrix are not of length 1 and at right angles: they are off by %s, and a map of kind %s promises 0.0001', coalesce(off::real::text, 'more than can be told'), kind),
                HINT = 'Orthogonalise them (a QR decomposition does), or store the map as linear, which promises nothing.';
        END IF;
        IF kind = 'rotation' AND width <> m.dim THEN
            RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('matrix has %s components, and a rotation of model %L has %s', width, from_model, m.dim), HINT = 'A map that leaves dimensions out is of kind pca or selection.';
        END IF;
        keeps := width = m.dim AND m.metric <> 'l1';
    ELSIF query_matrix IS NOT NULL AND width = m.dim THEN
        BEGIN
            off := pgsim._identity_error(query_matrix, matrix);
        EXCEPTION WHEN numeric_value_out_of_range THEN
            off := NULL;
        END;
        IF kind = 'leanvec' AND (off IS NULL OR off > 1e-3) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS055', MESSAGE = format('matrix and query_matrix do not keep inner products: they are off by %s, and leanvec promises 0.001', coalesce(off::real::text, 'more than can be told')),
                HINT = 'The transposed query_matrix is the inverse of matrix; more ridge makes both easier on single precision. Or store the map as linear, which promises nothing.';
        END IF;
        keeps := bias IS NULL AND coalesce(off <= 1e-3, false);
    END IF;
    BEGIN
        INSERT INTO pgsim._map (name, from_model_id, to_model_id, kind, dim_in, dim_out, normalized, keeps_scores, components, query_components, bias, properties)
        VALUES (create_map.name, m.id, o.id, create_map.kind, m.dim, width, create_map.normalized, keeps, matrix, query_matrix, create_map.bias, create_map.properties);
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('map %L exists already', name), HINT = 'A map never changes: store another fit under another name.';
    END;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim.create_map IS
$$Stores a map of a model's space, which never changes from then on, and returns its name.

matrix: its rows, each as wide as from_model; the i-th number of a mapped vector is its inner product with the i-th of them.
query_matrix: other ones for queries. bias: added to what comes out. normalized: a vector is brought to length 1 first (default under
cosine). kind says what is promised, and checked: rotation (square; components of length 1 at right angles), pca (such components, all or fewer),
selection (likewise), leanvec (likewise, or with query_matrix, and inner products kept where it is square), whitening, linear (nothing).
to_model: the model whose space it leads to; NULL where the space is new, and pgsim.derive_model makes a model of it. properties: what was
measured. Everybody may read a map: it holds statistics of the rows that it was fitted on. Errors: PS002, PS010, PS011, PS020, PS032, PS055.$$;

CREATE FUNCTION pgsim.derive_model(name text, map text, matryoshka int[] = NULL, element text = NULL, properties jsonb = '{}') RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p pgsim._map;
    m pgsim._model;
    other text;
BEGIN
    PERFORM pgsim._require_registrar();
    p := pgsim._map_row(map);
    IF element NOT IN ('vector', 'halfvec') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('element is %L; what a map makes is vector or halfvec', left(element, 80)), HINT = 'Leave it out for that of the model that the map begins at.';
    END IF;
    SELECT * INTO m FROM pgsim._model AS s WHERE s.id = p.from_model_id;
    SELECT s.name INTO other FROM pgsim._model AS s WHERE s.id = p.to_model_id OR s.map_id = p.id;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('map %L leads to model %L already', map, other), HINT = 'A space has one model. Store the map anew, under another name, for another.';
    END IF;
    PERFORM pgsim.create_model(
        name, dim => p.dim_out, metric => CASE WHEN p.query_components IS NOT NULL THEN 'ip' ELSE m.metric END, element => coalesce(derive_model.element, m.element),
        matryoshka => derive_model.matryoshka, layer => m.layer, query_prefix => m.query_prefix, document_prefix => m.document_prefix, properties => derive_model.properties);
    UPDATE pgsim._model AS s SET map_id = p.id, raw_prefixes = p.query_components IS NOT NULL WHERE s.name = derive_model.name;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim.derive_model IS
$$Registers a model whose vectors are another model's, mapped, and returns its name.

Queries and vectors of it are given in the space of the model that the map begins at, and mapped in the call. Its metric is that model's; ip
where rows and queries are mapped by matrices of their own. matryoshka: the ladder, prefix lengths to be searched. element: default that model's.
A version of it follows one of that model: pgsim.create_version, then pgsim.fill_version. Errors: PS010, PS011, PS020, PS032, PS054.$$;

CREATE FUNCTION pgsim.drop_map(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p pgsim._map;
BEGIN
    PERFORM pgsim._require_registrar();
    p := pgsim._map_row(name);
    BEGIN
        DELETE FROM pgsim._map AS d WHERE d.id = p.id;
    EXCEPTION WHEN foreign_key_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS021', MESSAGE = format('map %L is in use', name), DETAIL = 'By: ' || (SELECT string_agg(u.by, '; ') FROM (
                SELECT format('model %L', m.name) AS by FROM pgsim._model AS m WHERE m.map_id = p.id
                UNION ALL SELECT format('codes %s', i.name) FROM pgsim._index AS i WHERE i.map_id = p.id) AS u),
            HINT = 'Drop that first, with pgsim.drop_model or pgsim.drop_index.';
    END;
END
$$;
COMMENT ON FUNCTION pgsim.drop_map IS 'Forgets a map that no model is derived by and no codes are made with. Errors: PS021, PS032, PS054.';

CREATE FUNCTION pgsim.fill_version(collection text, model text, embedding text = 'default', size int = 1000, after text = NULL, OUT filled bigint, OUT last_key text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    b pgsim._target;
    keys text[];
BEGIN
    PERFORM pgsim._require_registrar();
    IF model IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS002', MESSAGE = 'model is NULL', HINT = 'Name the derived model whose version is to be filled.';
    END IF;
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._require_all_rows(t);
    b := pgsim._followed(t);
    IF size IS NULL OR size NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('size is %s; a batch has 1 to 100000 rows', coalesce(size::text, 'NULL')), HINT = 'Who changes a row of the batch waits until it ends: 1000 take a tenth of a second or less.';
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('in a %s transaction rows would be mapped as they were when it began', current_setting('transaction_isolation')),
            HINT = 'Fill in a READ COMMITTED transaction.';
    END IF;
    IF after IS NOT NULL THEN
        PERFORM pgsim._check_keys(t.base, t.key_columns, ARRAY[after]);
    END IF;
    EXECUTE pgsim._unmapped_statement(t, b, after IS NOT NULL, 'SKIP LOCKED') INTO keys USING size, after;
    IF keys IS NULL THEN
        -- None, or others hold those that there are: one is waited for, while nothing that anybody waits for is held.
        EXECUTE pgsim._unmapped_statement(t, b, after IS NOT NULL, '') INTO keys USING 1, after;
    END IF;
    filled := 0;
    IF keys IS NOT NULL THEN
        last_key := keys[cardinality(keys)];
        filled := pgsim._map_rows(t, b, keys);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim.fill_version IS
$$Maps up to size rows that a derived version lacks, in the order of their keys, and returns how many it stored (filled) and the last it looked at.

Give last_key as after to the next call, in a transaction of its own; when it is NULL the end is reached. A call from the start
that fills none says that nothing is missing. It may be stopped at any moment, and readers never wait for it; who writes a row of the batch waits for the batch.
Rows whose image a vector cannot hold (all zeros under cosine) have none. Errors: PS001 to PS006, PS010, PS016, PS032, PS035.$$;

CREATE FUNCTION pgsim._calibrate_funnels(t pgsim._target, query vector, truth float8[], asked boolean, timed boolean) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    efs CONSTANT int[] := '{40,80,160,320,640,1000}';
    shares CONSTANT float8[] := '{1,0.5,0.25}';
    x record;
    statement text;
    previous jsonb;
    found float8[];
    started timestamptz;
    seconds float8;
    ranked float8;
    measured jsonb := '[]';
BEGIN
    FOR x IN SELECT DISTINCT i.dims, i.element FROM pgsim._index AS i
             JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = t.version_schema JOIN pg_index AS p ON p.indexrelid = k.oid AND p.indrelid = t.version AND p.indisvalid
             WHERE i.version_id = t.version_id AND i.method = 'hnsw' AND NOT i.options ? 'slice' AND i.where_filter IS NULL AND (i.dims < t.dim OR i.element = 'bit') ORDER BY 1, 2 LOOP
        CONTINUE WHEN x.element = 'halfvec' AND pgsim._vector_problem(query, t.dim, t.metric, 'halfvec') IS NOT NULL OR pgsim._prefix_is_zero(query, x.dims);
        statement := format('SELECT array_agg(n.d) FROM (SELECT v.%1$I OPERATOR(%2$s.%3$s) $1 AS d FROM %4$s AS v ORDER BY %5$s OPERATOR(%2$s.%6$s) %7$s LIMIT ',
            t.column_name, t.vector_schema, pgsim._distance_operator(t.metric), t.version_sql,
            pgsim._vector_expression(format('v.%I', t.column_name), t.vector_schema, t.prefix_metric, t.dim, t.element, x.dims, x.element), pgsim._distance_operator(t.metric, x.element),
            pgsim._vector_expression('$1', t.vector_schema, t.prefix_metric, t.dim, 'vector', x.dims, x.element));
        FOR e IN 1 .. cardinality(efs) LOOP
            previous := pgsim._set(jsonb_build_object('hnsw.iterative_scan', 'off', 'hnsw.ef_search', efs[e]::text, 'enable_seqscan', 'off', 'enable_sort', 'off', 'jit', 'off'));
            EXECUTE statement || efs[e] || ') AS n' INTO found USING query;
            seconds := NULL;
            ranked := NULL;
            IF timed THEN
                -- Ten of the candidates, and all: the difference is what ranking them costs.
                started := clock_timestamp();
                EXECUTE statement || '10) AS n' USING query;
                seconds := extract(epoch FROM clock_timestamp() - started);
                started := clock_timestamp();
                EXECUTE statement || efs[e] || ') AS n' USING query;
                ranked := extract(epoch FROM clock_timestamp() - started) - seconds;
            END IF;
            PERFORM pgsim._set(previous);
            measured := measured || (
                SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'dims', x.dims, 'element', x.element, 'share', s, 'ef', efs[e], 'depth', d, 'seconds', seconds, 'rank_row', ranked / (efs[e] - 10), 'distance', truth[d], 'asked', asked,
                    'recall', pgsim._tie_recall(found[1:(efs[e] * s)::int], truth[1:d]))), '[]')
                FROM unnest(shares) AS s CROSS JOIN unnest(pgsim._depths()) AS d WHERE d <= cardinality(truth) AND d <= efs[e] * s);
        END LOOP;
    END LOOP;
    RETURN measured;
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_funnels IS
    'How much of the rows nearest to a query, whose distances are known, is among the candidates that each index on a prefix or on bits gives, all of them or the first half or quarter, and in what time.';

CREATE FUNCTION pgsim._check_dims(t pgsim._target, dims int, what text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF dims = t.dim OR dims = ANY (t.matryoshka) OR t.matryoshka = '{}' AND t.element <> 'sparsevec' AND dims BETWEEN 1 AND t.dim THEN
        RETURN;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'PS010',
        MESSAGE = CASE WHEN t.matryoshka <> '{}' THEN format('%s %s; model %L has %s dimensions and the prefixes %s', what, dims, t.model, t.dim, t.matryoshka)
                       ELSE format('%s %s; model %L has %s dimensions', what, dims, t.model, t.dim) END,
        HINT = CASE WHEN t.matryoshka <> '{}' THEN 'Take one of these. A model that declares others is another model: create_model(matryoshka => ...).'
                    ELSE 'A prefix is at least one dimension long and no longer than the vector.' END;
END
$$;
COMMENT ON FUNCTION pgsim._check_dims IS 'Raises PS010 for a prefix length that a model does not have: one that declares prefixes has just these, another one any.';

CREATE FUNCTION pgsim._check_reach(t pgsim._target, r pgsim._search_request) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    floor CONSTANT float8 := .8;
    reached float8;
BEGIN
    IF r.dims[1] = t.dim OR r.dims[1] = ANY (t.matryoshka) THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.dims = r.dims[1] AND i.method <> 'codes' AND NOT i.options ? 'slice') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010',
            MESSAGE = format('dims begins with %s; model %L declares no prefixes, and no index of %L is on one of this length', r.dims[1], t.model, t.collection),
            DETAIL = coalesce('Indexed: ' || (SELECT string_agg(DISTINCT i.dims::text, ', ') FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.dims < t.dim AND i.method <> 'codes' AND NOT i.options ? 'slice'), 'No prefix is indexed.'),
            HINT = format('Make one with pgsim.create_index(%L, %L, dims => %s), or declare prefixes with the model: create_model(matryoshka => ...).', t.collection, t.model, r.dims[1]);
    END IF;
    SELECT max(f.reached) INTO reached FROM pgsim._calibration AS k CROSS JOIN LATERAL unnest(k.funnels) AS f WHERE k.version_id = t.version_id AND f.dims = r.dims[1];
    IF reached < floor AND r.mode = 'auto' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS050',
            MESSAGE = format('the first %s of %s dimensions of model %L tell too little: even a thousand candidates hold %s%% of the nearest ten, and %s%% are the least', r.dims[1], t.dim, t.model, round(100 * reached::numeric, 1), 100 * floor),
            HINT = 'Calibration measured it. Take a longer prefix, leave dims out, or say mode => ''ann'' to have it all the same.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_reach IS 'Refuses a search by a prefix that a model without declared prefixes has no index on (PS010), or that was measured to be worth too little (PS050).';

CREATE FUNCTION pgsim._check_slices(slices jsonb, dim int, element text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given record;
    range int4range;
    checked jsonb := '{}';
BEGIN
    IF slices IS NULL OR slices = 'null' THEN
        RETURN checked;
    ELSIF jsonb_typeof(slices) <> 'object' OR element = 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('slices is %s%s', left(slices::text, 200), CASE element WHEN 'sparsevec' THEN '; sparse vectors have none' ELSE ', not an object of ranges by their names' END),
            HINT = 'For instance: slices => ''{"title": "[1,129)", "body": "[129,385)"}''; dimensions count from 1.';
    END IF;
    FOR given IN SELECT s.key AS name, s.value AS range FROM jsonb_each_text(slices) AS s LOOP
        PERFORM pgsim._check_name('slice', given.name);
        BEGIN
            range := given.range::int4range;
        EXCEPTION WHEN data_exception THEN
            range := NULL;
        END;
        IF range IS NULL OR isempty(range) OR coalesce(lower(range), 0) < 1 OR coalesce(upper(range) - 1, dim + 1) > dim THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('slice %L is %s; it is a range of dimensions within [1,%s)', given.name, coalesce(quote_literal(left(given.range, 80)), 'NULL'), dim + 1),
                HINT = 'Dimensions count from 1, and [1,129) holds the first 128.';
        END IF;
        checked := checked || jsonb_build_object(given.name, range);
    END LOOP;
    RETURN checked;
END
$$;
COMMENT ON FUNCTION pgsim._check_slices IS 'The slices of a model, each as PostgreSQL writes its range. Raises PS010 for one that is no range of its dimensions.';

CREATE FUNCTION pgsim._choose_funnel(p pgsim._search_plan, c pgsim._calibration, n float8, reachable float8) RETURNS pgsim._funnel_choice
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    r pgsim._search_request := p.request;
    by_hand boolean := coalesce(cardinality(r.dims) > 1, false);
    best pgsim._funnel_choice;
    x record;
    f pgsim._funnel;
    line pgsim._calibration := c;
    held float8;
    matches float8;
    among float8;
    ef float8;
    keep float8;
    seconds float8;
BEGIN
    FOR x IN SELECT * FROM pgsim._funnels(t, c, r.filter, CASE WHEN by_hand THEN r.dims[1] END, p.predicate IS NOT NULL) LOOP
        f := x.funnel;
        held := greatest(CASE WHEN x.covering AND x.rows >= 0 THEN x.rows ELSE reachable END, 1);
        matches := least(n, held);
        among := p.depth * greatest(1, held / greatest(matches, 1) * CASE WHEN p.predicate IS NULL THEN 1 ELSE 1.3 END);
        line.ef_intercepts := f.ef_intercepts;
        line.ef_slope := f.ef_slope;
        ef := pgsim._expected_ef(line, p.recall, among);
        keep := ceil(greatest(p.depth, f.share * ef * matches / held));
        IF r.oversample IS NOT NULL THEN
            keep := p.depth::float8 * r.oversample;
            -- The index alone is left to miss something.
            ef := greatest(keep, pgsim._expected_ef(c, p.recall, among));
        ELSIF ef > 1000 AND NOT by_hand THEN
            CONTINUE;
        END IF;
        -- A search by hand may ask of an index more than it gives at once; then it goes on from there.
        seconds := CASE WHEN r.oversample IS NULL AND (ef > 20000 OR f.reached < p.recall) THEN 'Infinity'
                        ELSE (f.start + coalesce(f.ef_looks, 1) * ef * f.candidate) * p.parts + keep * f.rank_row END;
        IF best.seconds IS NULL OR seconds < best.seconds THEN
            best.ladder := coalesce(r.dims, CASE WHEN f.dims < t.dim THEN ARRAY[f.dims, t.dim] ELSE ARRAY[t.dim] END);
            best.element := f.element;
            best.index_name := x.name;
            best.covering := x.covering;
            best.reachable := held;
            best.ef := least(ef, 1000);
            best.keep := least(keep, 100000);
            best.seconds := seconds;
            best.candidate := f.candidate;
            best.far := CASE WHEN f.ef_far > 0 AND r.oversample IS NULL AND best.ladder[cardinality(best.ladder)] = t.dim THEN f.ef_far END;
            line.ef_typical := f.ef_typical;
            best.typical := CASE WHEN f.ef_far > 0 THEN pgsim._typical_distance(line, among) END;
            best.reason := format('%s of %s as %s, %s kept of ef %s%s', f.dims, t.dim, f.element, best.keep, best.ef, CASE WHEN f.reached IS NULL THEN ' (by default)' ELSE '' END);
        END IF;
    END LOOP;
    IF best.seconds IS NULL AND by_hand THEN
        -- Without an index the prefixes of all matches are compared.
        f := pgsim._default_funnel(t, c, r.dims[1], t.element, 1);
        line.ef_intercepts := f.ef_intercepts;
        line.ef_slope := f.ef_slope;
        best.ladder := r.dims;
        best.ef := 1000;
        best.keep := least(100000, p.depth::float8 * coalesce(r.oversample, ceil(pgsim._expected_ef(line, p.recall, p.depth) / p.depth)));
        best.seconds := 'Infinity';
    END IF;
    RETURN best;
END
$$;
COMMENT ON FUNCTION pgsim._choose_funnel IS 'The funnel that costs least at the recall asked for when n rows match; NULL where none serves. One that dims names is taken whatever it costs.';

CREATE FUNCTION pgsim._default_funnel(t pgsim._target, c pgsim._calibration, dims int, element text, share float8) RETURNS pgsim._funnel
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f pgsim._funnel;
    -- How much noise is in a distance by the prefix alone: the fewer dimensions, and the more are left out, the more. A sign tells about a third of a number.
    -- Of narrow vectors each number tells more, and a sign no more.
    noise float8 := greatest(1e-5, CASE element WHEN 'bit' THEN 3.0 / dims - 1.0 / t.dim ELSE (1.0 / dims - 1.0 / t.dim) * least(1, t.dim / 384.0) END);
    -- Each e-fold of candidates misses so many e-folds less; a prefix that the model was trained for holds more.
    slope float8 := least(3, power(.0052 / noise, .8) * CASE WHEN dims = ANY (t.matryoshka) THEN 1.7 ELSE 1 END);
    near float8;
    near_missed float8;
    depths CONSTANT int[] := pgsim._depths();
BEGIN
    f.dims := dims;
    f.element := element;
    f.share := share;
    f.start := c.ann_start;
    f.candidate := 5.6e-6 + CASE element WHEN 'bit' THEN 2e-9 WHEN 'halfvec' THEN 9e-9 ELSE 18e-9 END * dims;
    f.rank_row := .8e-6 + 2e-9 * t.dim + CASE WHEN t.dim * CASE t.element WHEN 'halfvec' THEN 2 ELSE 4 END > 2000 THEN 8e-6 ELSE 0 END;
    f.ef_intercepts := '{}';
    FOR i IN 1 .. cardinality(c.ef_intercepts) LOOP
        -- A line through what both stages miss at four times the depth, and at a hundred times.
        near := 4 * depths[i] / share;
        near_missed := least(.9, exp(-slope * (1 + ln(4)))) + exp(c.ef_intercepts[i] - c.ef_slope * ln(near));
        IF i = 1 THEN
            f.ef_slope := ln(near_missed / (exp(-slope * (1 + ln(100))) + exp(c.ef_intercepts[i] - c.ef_slope * ln(25 * near)))) / ln(25);
        END IF;
        f.ef_intercepts := f.ef_intercepts || (ln(near_missed) + f.ef_slope * ln(near));
    END LOOP;
    RETURN f;
END
$$;
COMMENT ON FUNCTION pgsim._default_funnel IS
    'What a funnel is expected to find and to cost where nothing was measured. (Fitted to the Debian corpus: prefixes of 32 to 192 of 384 dimensions as they are and after a rotation, bits; the slope is within a half of what was measured.)';

CREATE FUNCTION pgsim._fit_funnels(measured jsonb[]) RETURNS pgsim._funnel[]
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fitted pgsim._funnel[];
    x record;
    f pgsim._funnel;
BEGIN
    FOR x IN
        SELECT (m ->> 'dims')::int AS dims, m ->> 'element' AS element, (m ->> 'share')::float8 AS share, array_agg(m) AS measured,
               avg((m ->> 'recall')::float8) FILTER (WHERE m ->> 'depth' = '10' AND m ->> 'ef' = '1000' AND (m ->> 'asked')::boolean) AS reached,
               percentile_cont(.5) WITHIN GROUP (ORDER BY (m ->> 'rank_row')::float8) FILTER (WHERE m ->> 'depth' = '10' AND (m ->> 'ef')::int >= 320 AND m ->> 'rank_row' IS NOT NULL) AS rank_row
        FROM unnest(measured) AS m GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 DESC
    LOOP
        SELECT x.dims, x.element, x.share, i.ef_intercepts, i.ef_slope, i.ef_far, i.ef_looks, i.ef_typical, i.ann_start, i.ann_candidate, greatest(x.rank_row, 1e-7), x.reached
        INTO f FROM pgsim._fit_index(x.measured) AS i;
        CONTINUE WHEN f.ef_intercepts IS NULL OR f.start IS NULL OR f.rank_row IS NULL;
        fitted := fitted || f;
    END LOOP;
    RETURN fitted;
END
$$;
COMMENT ON FUNCTION pgsim._fit_funnels IS 'From what funnels were measured to find: a line of what each misses over ef_search, by the index and the prefix together, and what it costs.';

CREATE FUNCTION pgsim._funnel_warnings(t pgsim._target, funnels pgsim._funnel[]) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN (SELECT coalesce(pg_catalog.array_agg(pg_catalog.format('the first %s of %s dimensions as %s: a thousand candidates hold %s%% of the nearest ten', f.dims, t.dim, f.element, pg_catalog.round(100 * f.reached::numeric, 1)) ORDER BY f.dims, f.element), '{}')
        FROM pg_catalog.unnest(funnels) AS f WHERE f.share = 1 AND f.reached < .98);
COMMENT ON FUNCTION pgsim._funnel_warnings IS 'Which prefixes were measured to tell too little for a high recall.';

CREATE FUNCTION pgsim._funnels(t pgsim._target, c pgsim._calibration, filter jsonb, dims int, filtered boolean) RETURNS TABLE (name text, covering boolean, rows float8, funnel pgsim._funnel)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x record;
    f pgsim._funnel;
    known boolean;
BEGIN
    FOR x IN
        SELECT i.name, i.dims, i.element, i.where_filter IS NOT NULL AS covering, held.rows
        FROM pgsim._index AS i
        JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = t.version_schema
        JOIN pg_index AS p ON p.indexrelid = k.oid AND p.indrelid = t.version AND p.indisvalid
        CROSS JOIN LATERAL (SELECT CASE WHEN k.relkind = 'i' THEN k.reltuples ELSE -1 END AS rows) AS held
        WHERE i.version_id = t.version_id AND i.method = 'hnsw' AND t.slice IS NULL AND NOT i.options ? 'slice' AND i.dims = coalesce(_funnels.dims, i.dims) AND (i.dims < t.dim OR i.element = 'bit')
          AND (i.where_filter IS NULL OR pgsim._filter_covers(_funnels.filter, i.where_filter))
        ORDER BY i.id
    LOOP
        name := x.name;
        covering := x.covering;
        rows := x.rows;
        known := false;
        FOREACH f IN ARRAY coalesce(c.funnels, '{}') LOOP
            IF f.dims = x.dims AND f.element = x.element THEN
                known := true;
                -- Of rows that do not match the index gives the next ones, where too few are among the first: a limit that is just met would have it look on half of the time.
                CONTINUE WHEN filtered AND f.share > .5;
                funnel := f;
                RETURN NEXT;
            END IF;
        END LOOP;
        IF NOT known THEN
            funnel := pgsim._default_funnel(t, c, x.dims, x.element, CASE WHEN filtered THEN .5 ELSE 1 END);
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._funnels IS 'The indexes on a prefix or on bits that serve a search, each with the shares of its candidates that may be ranked, as they were measured or are expected. dims: those on a prefix of this length alone. filtered: not every row matches.';

CREATE FUNCTION pgsim._has_funnel(version_id int) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._model AS m ON m.id = v.model_id
               WHERE i.version_id = _has_funnel.version_id AND i.method = 'hnsw' AND NOT i.options ? 'slice' AND (i.dims < m.dim OR i.element = 'bit'));
COMMENT ON FUNCTION pgsim._has_funnel IS 'Whether a version has an index on a prefix or on bits.';

CREATE FUNCTION pgsim._no_prefix(v vector, dims int) RETURNS vector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dims is %s; the vector has %s dimensions', dims, cardinality(v::real[])),
        HINT = 'A prefix is at least one dimension long and no longer than the vector.';
END
$$;
COMMENT ON FUNCTION pgsim._no_prefix IS 'Raises PS010 for a prefix that a vector does not have.';

CREATE FUNCTION pgsim._search_layers(
    collection text, query vector, shallow_query vector, shallow_model text, k int, filter jsonb, model text, embedding text, shallow_dims int, oversample int, recall float8, explained boolean,
    trial_map int = NULL, trial_keep int = NULL, OUT width int, OUT keys text[], OUT distances float8[], OUT metric text, OUT details jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    began timestamptz := clock_timestamp();
    p pgsim._search_plan;
    t pgsim._target;
    s pgsim._target := pgsim._target(collection, shallow_model, embedding);
    is_layer boolean := false;
    mapped boolean := shallow_query IS NULL;
    measured pgsim._layer;
    element text;
    kept float8;
    executed record;
BEGIN
    PERFORM pgsim._check_k(k);
    IF oversample NOT BETWEEN 1 AND 1000 OR num_nonnulls(oversample, recall) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = CASE WHEN recall IS NULL THEN format('oversample is %s; it is a factor from 1 to 1000', oversample) ELSE 'oversample and recall are given, and each says how many candidates are kept' END,
            HINT = 'Give one of them; without either, 20 times k are kept.';
    END IF;
    p := pgsim._plan_search(ROW(collection, k, filter, model, embedding, recall, 'auto', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request, false);
    t := p.target;
    metric := t.metric;
    -- Without dims the shortest that an index is on, else the shortest of the layer's own.
    SELECT i.dims, i.element INTO width, element
    FROM pgsim._index AS i JOIN pg_class AS c ON c.relname = i.name AND c.relnamespace = s.version_schema JOIN pg_index AS x ON x.indexrelid = c.oid AND x.indrelid = s.version AND x.indisvalid
    WHERE i.version_id = s.version_id AND i.method = 'hnsw' AND NOT i.options ? 'slice' AND i.where_filter IS NULL AND i.dims = coalesce(shallow_dims, i.dims)
    ORDER BY i.dims, i.element <> 'halfvec', i.id LIMIT 1;
    width := coalesce(shallow_dims, width, s.matryoshka[1], s.dim);

    -- Vectors of two models may be as long as each other, and near by chance alone: a layer says that it is one, and a map what it is worth.
    is_layer := t.version_id <> s.version_id AND (SELECT m.properties ->> 'layer_of' FROM pgsim._model AS m WHERE m.name = shallow_model) IS NOT DISTINCT FROM t.model;
    IF trial_keep IS NULL THEN
        SELECT l.* INTO measured FROM pgsim._layer AS l
        WHERE l.version_id = t.version_id AND l.shallow_id = s.version_id AND l.dims = width AND (l.map_id IS NOT NULL) = mapped
        ORDER BY l.recalls[cardinality(l.recalls)] DESC, l.id LIMIT 1;
        trial_map := measured.map_id;
        IF mapped AND trial_map IS NULL
           OR NOT mapped AND NOT is_layer AND NOT EXISTS (SELECT FROM pgsim._layer AS l WHERE l.version_id = t.version_id AND l.shallow_id = s.version_id AND l.map_id IS NOT NULL) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS051',
                MESSAGE = CASE WHEN is_layer THEN format('shallow_query is NULL, and what a map from model %L finds by the first %s dimensions of %L was not measured', t.model, width, s.model)
                               ELSE format('model %L is not registered as a layer of %L, and no map between them was measured, so its neighbours say nothing of those of the other', s.model, t.model) END,
                DETAIL = 'Its layers: ' || coalesce((SELECT string_agg(format('%L (layer %s, dims %s)', m.name, coalesce(m.layer::text, 'not told'), m.matryoshka || m.dim), ', ' ORDER BY m.layer, m.name)
                                                     FROM pgsim._model AS m WHERE m.properties ->> 'layer_of' = t.model), 'none are registered'),
                HINT = format(CASE WHEN is_layer THEN 'Give the query''s vector by %1$L too. Or store a map with create_map(from_model => %2$L, to_model => %1$L), and measure it with pgsim.measure_layers(map => ...).'
                                   ELSE 'A layer is registered with create_model(..., layer => 4, properties => ''{"layer_of": %3$s}''). A map from %2$L to %1$L is stored with create_map, and measured with pgsim.measure_layers(map => ...).' END,
                              s.model, t.model, to_json(t.model));
        END IF;
    END IF;
    PERFORM pgsim._require_select(t.base, s.version);
    IF t.map_id IS NOT NULL AND trial_keep IS NULL THEN
        query := (pgsim._mapped_queries(t, ARRAY[query]))[1];
    END IF;
    IF s.map_id IS NOT NULL AND trial_keep IS NULL AND NOT mapped THEN
        shallow_query := (pgsim._mapped_queries(s, ARRAY[shallow_query]))[1];
    END IF;
    IF mapped THEN
        shallow_query := pgsim.apply_map((SELECT m.name FROM pgsim._map AS m WHERE m.id = trial_map), query, 'query');
    END IF;
    PERFORM pgsim._check_vector(shallow_query, 'shallow_query', s.model, s.dim, s.metric, s.element);
    PERFORM pgsim._check_dims(s, width, 'shallow_dims is');
    kept := coalesce(trial_keep, p.depth::float8 * coalesce(oversample, 20));
    IF recall IS NOT NULL AND measured.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS051', MESSAGE = format('recall is asked for, and what the first %s dimensions of %L find was not measured', width, s.model),
            HINT = format('Measure it: SELECT * FROM pgsim.measure_layers(%L, %L). Or give oversample in its place.', collection, s.model);
    ELSIF recall IS NOT NULL THEN
        SELECT ceil(u.kept * greatest(p.depth, 10) / 10.0) INTO kept FROM unnest(measured.kept, measured.recalls) AS u (kept, recall) WHERE u.recall >= _search_layers.recall - 1e-9 ORDER BY u.kept LIMIT 1;
    END IF;
    -- Where the layer does not find so much, or the query has no direction there, the whole model's own plan is carried out.
    IF kept IS NOT NULL AND (p.strategy <> 'exact' OR trial_keep IS NOT NULL) AND NOT pgsim._prefix_is_zero(shallow_query, width)
       AND NOT (element = 'halfvec' AND pgsim._half_problem(shallow_query, s.metric, width) IS NOT NULL) THEN
        p.strategy := 'funnel';
        p.reason := format('%s of %L, %s kept', width, s.model, kept);
        p.method := 'hnsw';
        p.shallow := s;
        p.shallow_query := shallow_query;
        p.ladder := ARRAY[width, t.dim];
        p.element := coalesce(element, s.element);
        p.keep := least(100000, kept);
        p.ef := least(1000, greatest(100, p.keep));
        p.tuples := least(1e9, greatest(20 * p.ef, 20 * p.keep, p.tuples));
        p.wanted := p.depth;
        p.far := NULL;
        p.covering := false;
        p.through_base := true;
    END IF;
    executed := pgsim._execute_search(p, query, explained);
    keys := executed.keys;
    distances := executed.distances;
    details := executed.details;
    IF details ->> 'strategy' = 'funnel' THEN
        details := details || jsonb_strip_nulls(jsonb_build_object('shallow_model', s.model, 'map', CASE WHEN mapped THEN (SELECT m.name FROM pgsim._map AS m WHERE m.id = trial_map) END));
    END IF;
    IF explained THEN
        details := jsonb_set(details, '{seconds,plan}', to_jsonb(extract(epoch FROM executed.started - began)));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._search_layers IS
    'What search_layers and explain_layers share. trial_keep: what is measured now, by a query that trial_map maps, or its own, as they are stored; nothing is refused, and few rows are not ranked at once.';

CREATE FUNCTION pgsim._slice_target(t pgsim._target, slice text) RETURNS pgsim._target
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    slices jsonb := (SELECT m.slices FROM pgsim._model AS m WHERE m.name = t.model);
BEGIN
    IF slice IS NULL OR NOT slices ? slice THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('model %L has no slice %s', t.model, coalesce(quote_literal(left(slice, 80)), 'NULL')),
            DETAIL = CASE WHEN slices = '{}' THEN 'It declares none.' ELSE 'It has: ' || (SELECT string_agg(format('%L %s', s.key, s.value), ', ' ORDER BY s.key) FROM jsonb_each_text(slices) AS s) END,
            HINT = 'Slices are declared with the model: create_model(..., slices => ''{"title": "[1,129)"}'').';
    END IF;
    t.slice := slices ->> slice;
    t.slice_name := slice;
    t.dim := upper(t.slice) - lower(t.slice);
    t.matryoshka := '{}';
    -- What was made of whole vectors, or is told of them, is not the slice's.
    t.codes_sql := NULL;
    t.codes_columns := NULL;
    t.codes_dims := NULL;
    t.codes_element := NULL;
    t.codes_map := NULL;
    t.record_share := 0;
    t.audit_share := 0;
    RETURN t;
END
$$;
COMMENT ON FUNCTION pgsim._slice_target IS 'A version as seen through one slice of its vectors, which are as wide as the slice. Raises PS010 for one that the model does not declare.';

CREATE FUNCTION pgsim._stored_vector(t pgsim._target, operand text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN t.slice IS NULL THEN operand
            ELSE pg_catalog.format('(%1$s.subvector(%2$s, %3$s, %4$s))::%1$s.%5$I(%4$s)', t.vector_schema, operand, pg_catalog.lower(t.slice), t.dim, t.element) END;
COMMENT ON FUNCTION pgsim._stored_vector IS 'A stored vector, or the slice of it that is searched. The index of a slice is on this expression, to the letter.';

CREATE FUNCTION pgsim.explain_layers(
    collection text, query vector, shallow_query vector, shallow_model text, k int = 10, filter jsonb = NULL, model text = NULL, embedding text = 'default', shallow_dims int = NULL, oversample int = NULL,
    recall float8 = NULL
) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.details
    FROM pgsim._search_layers(explain_layers.collection, explain_layers.query, explain_layers.shallow_query, explain_layers.shallow_model, explain_layers.k, explain_layers.filter, explain_layers.model,
                              explain_layers.embedding, explain_layers.shallow_dims, explain_layers.oversample, explain_layers.recall, true) AS r;
END;
COMMENT ON FUNCTION pgsim.explain_layers IS
$$Runs a search over layers and tells what was done and why; it takes the same arguments as pgsim.search_layers.

What it returns is described at pgsim.explain_search; shallow_model names the layer that candidates came from, and map the map that made its query.
Errors: PS001 to PS004, PS006, PS010, PS012 to PS016, PS032, PS035, PS051.$$;

CREATE FUNCTION pgsim.measure_layers(
    collection text, shallow_model text, model text = NULL, embedding text = 'default', shallow_dims int = NULL, map text = NULL, searches int = 40, seed int = 0
) RETURNS TABLE (dims int, kept int, mean_recall float8, queries int)
LANGUAGE plpgsql ROWS 6
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    depths CONSTANT int[] := '{20,50,100,200,500,1000}';
    t pgsim._target := pgsim._target(collection, model, embedding);
    s pgsim._target := pgsim._target(collection, shallow_model, embedding);
    p pgsim._search_plan;
    of_map pgsim._map;
    drawn record;
    found record;
    truth float8[];
    width int;
    stored text[];
    missed float8[] := array_fill(0::float8, ARRAY[cardinality(depths)]);
    asked int := 0;
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._require_dense(t, 'layers are');
    PERFORM pgsim._require_dense(s, 'layers are');
    IF searches IS NULL OR searches NOT BETWEEN 1 AND 1000 OR seed IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('searches is %s, seed %s; allowed are 1 to 1000 searches', coalesce(searches::text, 'NULL'), coalesce(seed::text, 'NULL')), HINT = 'The default is 40 searches.';
    END IF;
    IF map IS NOT NULL THEN
        of_map := pgsim._map_row(map);
        IF (SELECT m.name FROM pgsim._model AS m WHERE m.id = of_map.from_model_id) IS DISTINCT FROM t.model OR (SELECT m.name FROM pgsim._model AS m WHERE m.id = of_map.to_model_id) IS DISTINCT FROM s.model THEN
            RAISE EXCEPTION USING ERRCODE = 'PS051', MESSAGE = format('map %L does not lead from model %L to %L', map, t.model, s.model), HINT = format('Store one with create_map(from_model => %L, to_model => %L).', t.model, s.model);
        END IF;
    ELSIF t.version_id = s.version_id OR (SELECT m.properties ->> 'layer_of' FROM pgsim._model AS m WHERE m.name = shallow_model) IS DISTINCT FROM t.model
          AND NOT EXISTS (SELECT FROM pgsim._layer AS l WHERE l.version_id = t.version_id AND l.shallow_id = s.version_id AND l.map_id IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS051', MESSAGE = format('model %L is not registered as a layer of %L, and no map is named', s.model, t.model),
            HINT = format('Register it with create_model(..., properties => ''{"layer_of": %s}''), or name a map that leads to it.', to_json(t.model));
    END IF;
    SELECT array_agg(format('SELECT %s AS key, %I::%s.vector AS v FROM %s WHERE %2$I IS NOT NULL',
                            CASE WHEN x.adopted THEN pgsim._key_text(x.base, '', x.key_columns) ELSE pgsim._own_key_text(x.version, '', x.key_columns) END, x.column_name, x.vector_schema, x.version_sql) ORDER BY x.place)
    INTO stored
    FROM (SELECT 1 AS place, a.* FROM (SELECT (t).*) AS a UNION ALL SELECT 2, a.* FROM (SELECT (s).*) AS a) AS x;
    p := pgsim._plan_search(ROW(collection, 11, NULL, t.model, embedding, NULL, 'exact', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::pgsim._search_request, false);
    -- Rows are their own queries, and no part of their answers.
    FOR drawn IN EXECUTE format(
        'SELECT d.key, d.v, w.v AS shallow FROM (%s) AS d JOIN (%s) AS w ON w.key = d.key ORDER BY pg_catalog.md5(d.key || $2), d.key LIMIT $1', stored[1], stored[2])
        USING searches, seed::text
    LOOP
        CONTINUE WHEN pgsim._vector_problem(drawn.v, t.dim, t.metric) IS NOT NULL OR pgsim._vector_problem(drawn.shallow, s.dim, s.metric) IS NOT NULL;
        asked := asked + 1;
        found := pgsim._execute_search(p, drawn.v, false);
        truth := ARRAY(SELECT f.d FROM unnest(found.keys, found.distances) AS f (key, d) WHERE f.key <> drawn.key LIMIT 10);
        FOR i IN 1 .. cardinality(depths) LOOP
            found := pgsim._search_layers(collection, drawn.v, CASE WHEN map IS NULL THEN drawn.shallow END, s.model, 11, NULL, t.model, embedding, shallow_dims, NULL, NULL, false, of_map.id, depths[i] + 1);
            width := found.width;
            missed[i] := missed[i] + 1 - pgsim._tie_recall(ARRAY(SELECT f.d FROM unnest(found.keys, found.distances) AS f (key, d) WHERE f.key <> drawn.key LIMIT 10), truth);
        END LOOP;
    END LOOP;
    IF asked = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('no row of collection %L has a vector under both %L and %L', collection, t.model, s.model), HINT = 'Store vectors under both first.';
    END IF;
    INSERT INTO pgsim._layer AS l (version_id, shallow_id, map_id, dims, kept, recalls, queries)
    VALUES (t.version_id, s.version_id, of_map.id, width, depths, ARRAY(SELECT 1 - m.missed / asked FROM unnest(missed) WITH ORDINALITY AS m (missed, place) ORDER BY m.place), asked)
    ON CONFLICT ON CONSTRAINT _layer_version_id_shallow_id_map_id_dims_key DO UPDATE SET kept = excluded.kept, recalls = excluded.recalls, queries = excluded.queries, measured_at = now();
    RETURN QUERY SELECT width, d.kept, 1 - d.missed / asked, asked FROM unnest(depths, missed) AS d (kept, missed) ORDER BY d.kept;
END
$$;
COMMENT ON FUNCTION pgsim.measure_layers IS
$$Measures how much of the whole model's true ten a shallow model finds among so many candidates, and stores it: by this pgsim.search_layers keeps a recall that is asked for.

Rows that have vectors under both models are the queries (searches of them), and left out of their own answers. map: one from the model to the shallow model, which the
query is mapped by; once it is measured, pgsim.search_layers takes queries without a vector of the shallow model. shallow_dims: a prefix of the shallow model; default the shortest that an
index is on. What is measured of the same models, map and length replaces what was before. Errors: PS001 to PS004, PS010, PS032, PS035, PS051, PS054.$$;

CREATE FUNCTION pgsim.prefix(v vector, dims int) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN v IS NULL OR dims IS NULL THEN NULL WHEN dims BETWEEN 1 AND vector_dims(v) THEN l2_normalize(subvector(v, 1, dims)) ELSE pgsim._no_prefix(v, dims) END;
COMMENT ON FUNCTION pgsim.prefix IS
$$The first dims dimensions of a vector, brought to unit length: its Matryoshka embedding of that width.

Cosine distances need no such length, the inner product and l2 do. Of a halfvec write prefix(v::vector, 64). It refuses dims that the vector does
not have, where subvector gives a shorter one without a word. Errors: PS010.$$;

CREATE FUNCTION pgsim.score(metric text, distance float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE metric WHEN 'cosine' THEN 1 - distance WHEN 'ip' THEN -distance WHEN 'l2' THEN 1 / (1 + distance) WHEN 'l1' THEN 1 / (1 + distance) END;
COMMENT ON FUNCTION pgsim.score IS
    'Turns a distance into a score, higher being better: the cosine similarity, the inner product, or 1 / (1 + distance) for l2 and l1. NULL for a metric that is none of these.';

CREATE FUNCTION pgsim.search_layers(
    collection text, query vector, shallow_query vector, shallow_model text, k int = 10, filter jsonb = NULL, model text = NULL, embedding text = 'default', shallow_dims int = NULL, oversample int = NULL,
    recall float8 = NULL
) RETURNS TABLE (key text, score float8, distance float8, rank int, details jsonb)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT n.key, pgsim.score(r.metric, n.distance), n.distance, n.rank::int, r.details
    FROM pgsim._search_layers(search_layers.collection, search_layers.query, search_layers.shallow_query, search_layers.shallow_model, search_layers.k, search_layers.filter, search_layers.model,
                              search_layers.embedding, search_layers.shallow_dims, search_layers.oversample, search_layers.recall, false) AS r
    CROSS JOIN LATERAL unnest(r.keys, r.distances) WITH ORDINALITY AS n (key, distance, rank)
    ORDER BY n.rank;
END;
COMMENT ON FUNCTION pgsim.search_layers IS
$$Finds candidates by a shallow layer's vectors, and ranks them by the whole model's: a funnel over layers as well as dimensions (2D Matryoshka).

query: a vector of the model; shallow_query: one of the shallow model, which is registered as its layer: create_model(..., layer => 4,
properties => '{"layer_of": "model"}'), with the prefixes allowed at that layer in matryoshka. Each is compared with vectors of its own model
alone. shallow_query NULL: query is mapped to the shallow model, by a map that pgsim.measure_layers has measured; with such a map the shallow model need not be
a layer. Without either it is refused. shallow_dims: a prefix of the shallow model; default the shortest that an index is on. oversample: how many times k candidates are kept, 1 to
1000 (20). recall, in its place: as many as were measured to find so much; where none do, every match is ranked. Rows need a vector under both models to be found; where fewer than k are, and where few rows match,
every match is ranked by the whole model. The rest is as of pgsim.search.
Errors: PS001 to PS004, PS006, PS010, PS012 to PS016, PS032, PS035, PS051.$$;

CREATE FUNCTION pgsim._absent_keys(base regclass, key_columns text[], keys text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    listed text;
BEGIN
    EXECUTE format(
        'SELECT string_agg(quote_literal(left(a.key, 80)), '', '') FROM ('
        '  SELECT i.given AS key FROM (SELECT %s, k.given FROM unnest($1) AS k (given)) AS i '
        '  WHERE NOT EXISTS (SELECT FROM %s AS b WHERE %s) LIMIT 5) AS a',
        pgsim._key_parse(base, 'k.given', key_columns, true), base, pgsim._key_join('b.', 'i.', key_columns, true))
    INTO listed USING keys;
    RETURN listed;
END
$$;
COMMENT ON FUNCTION pgsim._absent_keys IS 'Some of the keys that a base table lacks, for messages; NULL when the caller sees a row for each.';

CREATE FUNCTION pgsim._capture() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
SET intervalstyle = 'postgres'
SET extra_float_digits = 1
AS $$
DECLARE
    live record;
    key_sql text;
    stale_sql text;
    watched text[];
    key text;
    stale boolean;
    unseen boolean := false;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- A version that was made, or taken up again, after this transaction's snapshot is not seen here.
        unseen := (SELECT s.last_value > (SELECT coalesce(max(v.id), 0) FROM pgsim._version AS v) FROM pgsim._version_id_seq AS s WHERE s.is_called)
               OR EXISTS (SELECT FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id WHERE e.collection_id = TG_ARGV[0]::int AND v.state = 'retired');
    END IF;
    FOR live IN
        SELECT v.id, v.column_name, v.adopted, e.source_columns, c.relation, c.key_columns,
               -- A virtual column has no value here, and a renamed one is not found by its old name.
               ARRAY(SELECT a.attname::text FROM pg_attribute AS a
                     WHERE a.attrelid = c.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v') AS readable
        FROM pgsim._version AS v
        JOIN pgsim._embedding AS e ON e.id = v.embedding_id
        JOIN pgsim._collection AS c ON c.id = e.collection_id
        WHERE c.id = TG_ARGV[0]::int AND v.state <> 'retired' AND v.follows IS NULL AND e.source_columns <> '{}'
    LOOP
        IF NOT live.key_columns <@ live.readable OR live.adopted AND live.column_name <> ALL (live.readable) THEN
            RAISE WARNING USING MESSAGE = format('pgsim does not see changes of %s: a column of its key or of its vectors was renamed or dropped', live.relation),
                HINT = 'Run SELECT * FROM pgsim.check().';
            unseen := true;
            CONTINUE;
        END IF;
        key_sql := coalesce(key_sql, pgsim._key_text(live.relation, CASE TG_OP WHEN 'UPDATE' THEN '($2).' ELSE 'r.' END, live.key_columns));
        IF TG_OP = 'UPDATE' THEN
            -- Something that is watched has changed, says the trigger's condition. Where versions watch different columns, does it concern this one?
            stale_sql := 'true';
            watched := live.source_columns || live.key_columns;
            IF NOT watched @> TG_ARGV[1]::text[] AND live.source_columns <@ live.readable THEN
                SELECT format('record_image_ne(ROW(%s), ROW(%s))', string_agg(format('($1).%I', w), ', '), string_agg(format('($2).%I', w), ', '))
                INTO stale_sql FROM unnest(watched) AS w;
            END IF;
            -- An adopted column is the application's: a row whose vector came with the change is not stale.
            IF live.adopted THEN
                stale_sql := format('%1$s AND NOT record_image_ne(ROW(($1).%2$I), ROW(($2).%2$I))', stale_sql, live.column_name);
            END IF;
            EXECUTE format('SELECT %s, %s', key_sql, stale_sql) INTO key, stale USING OLD, NEW;
            IF stale THEN
                INSERT INTO pgsim._queue (version_id, operation, keys) VALUES (live.id, 'upsert', ARRAY[key]);
            END IF;
        ELSE
            EXECUTE format(
                'INSERT INTO pgsim._queue (version_id, operation, keys) '
                'SELECT $1, $2, s.keys[i : i + 1999] '
                'FROM (SELECT array_agg(%s) AS keys FROM pgsim_rows AS r %s) AS s, generate_series(1, cardinality(s.keys), 2000) AS i',
                key_sql, CASE WHEN TG_OP = 'INSERT' AND live.adopted THEN format('WHERE r.%I IS NULL', live.column_name) ELSE '' END)
            USING live.id, CASE TG_OP WHEN 'INSERT' THEN 'upsert' ELSE 'delete' END;
        END IF;
    END LOOP;
    IF unseen THEN
        -- Whoever asks next whether rows lack vectors has to compare the tables.
        INSERT INTO pgsim._queue (version_id, operation, keys) VALUES (-TG_ARGV[0]::int, 'removed', '{}');
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION pgsim._capture IS
    'Trigger: notes in the queue which rows of a base table need a vector. It only appends, so that no writer waits for a worker, and runs as its owner, so that writers need no right on the queue.';
REVOKE ALL ON FUNCTION pgsim._capture FROM PUBLIC;

CREATE FUNCTION pgsim._capture_triggers(c pgsim._collection) RETURNS TABLE (relation regclass, name text, definition text, arguments bytea)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    watched text[];
    fixed text[];
BEGIN
    SELECT array_agg(DISTINCT s.name ORDER BY s.name) INTO watched
    FROM pgsim._embedding AS e CROSS JOIN unnest(e.source_columns) AS s (name)
    WHERE e.collection_id = c.id AND EXISTS (SELECT FROM pgsim._version AS v WHERE v.embedding_id = e.id AND v.state <> 'retired');
    IF watched IS NULL THEN
        RETURN;
    END IF;
    SELECT array_agg(k ORDER BY k) INTO fixed
    FROM unnest(c.key_columns) AS k JOIN pg_attribute AS a ON a.attrelid = c.relation AND a.attname = k AND a.attgenerated = '';

    RETURN QUERY
        SELECT t.relation, t.name,
               format('%s ON %s %s EXECUTE FUNCTION pgsim._capture(%L, %L)', t.event, t.relation, t.condition, c.id, t.columns),
               convert_to(c.id::text, getdatabaseencoding()) || '\x00' || convert_to(t.columns::text, getdatabaseencoding()) || '\x00'
        FROM (
            -- A row trigger with a condition costs an update of other columns next to nothing, and partitions inherit it.
            SELECT c.relation, 'pgsim_capture_update', 'AFTER UPDATE',
                   'FOR EACH ROW WHEN ' || pgsim._changed_condition(watched || c.key_columns, c.relation), watched || c.key_columns
            UNION ALL
            -- A row that moves to another partition is deleted and inserted, and no trigger AFTER UPDATE sees it.
            SELECT c.relation, 'pgsim_capture_move', 'BEFORE UPDATE', 'FOR EACH ROW WHEN ' || pgsim._changed_condition(fixed, c.relation), fixed
            FROM pg_partitioned_table AS p WHERE p.partrelid = c.relation
            UNION ALL
            -- A statement trigger costs a bulk insert one call, but fires only on the table that a statement names.
            SELECT p.relid, v.name, v.event, v.condition || ' TABLE AS pgsim_rows FOR EACH STATEMENT', '{}'
            FROM (SELECT s.relid FROM pg_partition_tree(c.relation) AS s UNION SELECT c.relation) AS p (relid)
            JOIN pg_class AS r ON r.oid = p.relid AND r.relkind IN ('r', 'p')
            CROSS JOIN (VALUES ('pgsim_capture_insert', 'AFTER INSERT', 'REFERENCING NEW'),
                               ('pgsim_capture_delete', 'AFTER DELETE', 'REFERENCING OLD')) AS v (name, event, condition)
        ) AS t (relation, name, event, condition, columns);
END
$$;
COMMENT ON FUNCTION pgsim._capture_triggers IS
    'The triggers that a collection''s base table and its partitions should have now, and the arguments by which each is known: the collection, and the columns it watches.';

CREATE FUNCTION pgsim._changed_condition(columns text[], relation regclass = NULL) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    -- Images of the values are compared, so types without an equality (json, xml) do as well. The function and not its operator
    -- *<>, which pg_dump writes in a form that cannot be read back. Making rows of the values costs every update of any column, so types
    -- whose equal values have equal images (of the relation, where that is given) are compared as they are, the cheapest first.
    SELECT '(' || pg_catalog.string_agg(
        CASE s.kind
            WHEN 1 THEN pg_catalog.format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', s.name)
            -- A text that is stored out of line and in the same place is the same, and is not read: of long texts that is most of the time.
            WHEN 2 THEN pg_catalog.format(CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 170000
                            THEN '(pg_catalog.pg_column_toast_chunk_id(OLD.%1$I) OPERATOR(pg_catalog.=) pg_catalog.pg_column_toast_chunk_id(NEW.%1$I)) IS NOT TRUE AND ' ELSE '' END
                            || 'OLD.%1$I COLLATE pg_catalog."C" IS DISTINCT FROM NEW.%1$I COLLATE pg_catalog."C"', s.name)
            ELSE s.images END, ' OR ' ORDER BY s.kind, s.ordinal) || ')'
    FROM (
        SELECT k.kind, k.name, k.ordinal,
               pg_catalog.format('pg_catalog.record_image_ne(ROW(%s), ROW(%s))',
                                 pg_catalog.string_agg(pg_catalog.format('OLD.%I', k.name), ', ') OVER same,
                                 pg_catalog.string_agg(pg_catalog.format('NEW.%I', k.name), ', ') OVER same) AS images,
               pg_catalog.row_number() OVER same AS place
        FROM (
            SELECT c.name, c.ordinal, CASE WHEN a.atttypid IN ('boolean'::regtype, 'smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'uuid'::regtype,
                                                               'date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) THEN 1
                                           WHEN a.atttypid IN ('text'::regtype, 'varchar'::regtype) THEN 2 ELSE 3 END AS kind
            FROM pg_catalog.unnest(columns) WITH ORDINALITY AS c (name, ordinal)
            LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = relation AND a.attname = c.name AND a.attnum > 0 AND NOT a.attisdropped
        ) AS k
        WINDOW same AS (PARTITION BY k.kind ORDER BY k.ordinal ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ) AS s
    WHERE s.kind < 3 OR s.place = 1
);
COMMENT ON FUNCTION pgsim._changed_condition IS 'A trigger''s condition: one of the columns has changed, byte for byte.';

CREATE FUNCTION pgsim._check_columns(relation regclass, what text, columns text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text;
BEGIN
    IF array_ndims(columns) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is an array of arrays', what), HINT = 'Give a plain list of column names.';
    END IF;
    FOREACH name IN ARRAY columns LOOP
        IF NOT EXISTS (SELECT FROM pg_attribute AS a
                       WHERE a.attrelid = relation AND a.attname = name AND a.attnum > 0 AND NOT a.attisdropped) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS005',
                MESSAGE = format('%s: table %s has no column %s', what, relation, coalesce(quote_literal(left(name, 200)), 'NULL')),
                DETAIL = 'It has: ' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute AS a
                                        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped),
                HINT = 'Column names are compared exactly, upper and lower case included.';
        END IF;
    END LOOP;
    IF cardinality(columns) <> (SELECT count(DISTINCT c) FROM unnest(columns) AS c) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s names a column twice: %s', what, columns), HINT = 'Name each column once.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_columns IS 'Raises PS005 unless a table has each of the columns, and PS010 where one is named twice.';

CREATE FUNCTION pgsim._check_key_types(relation regclass, key_columns text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bad record;
BEGIN
    WITH RECURSIVE looked_through AS (
        SELECT a.attname, a.atttypid, a.atttypid AS type FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attname = ANY (key_columns)
        UNION ALL
        SELECT l.attname, l.atttypid, t.typbasetype FROM looked_through AS l JOIN pg_type AS t ON t.oid = l.type AND t.typtype = 'd'
    )
    SELECT l.attname, format_type(l.atttypid, -1) AS type INTO bad
    FROM looked_through AS l JOIN pg_type AS t ON t.oid = l.type
    WHERE CASE t.typtype WHEN 'd' THEN false
                         WHEN 'e' THEN l.type <> l.atttypid  -- PostgreSQL has no foreign key over a domain of an enum.
                         -- In the JSON of a composite key an array would not be read back as what was written.
                         WHEN 'b' THEN t.typnamespace <> 'pg_catalog'::regnamespace OR t.typcategory = 'A' AND cardinality(key_columns) > 1
                         ELSE true END
    ORDER BY l.attname LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS022',
            MESSAGE = format('column %I of table %s is of type %s, which cannot be in a key', bad.attname, relation, bad.type),
            HINT = 'A key is made of types that PostgreSQL brings (integers, uuid, text, dates, ...), of domains over them, and of enums.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_key_types IS
    'Raises PS022 for a key whose equality or text form is not PostgreSQL''s own: keys are compared and written out in change capture, which runs as the owner of pgsim.';

CREATE FUNCTION pgsim._check_keys(base regclass, key_columns text[], keys text[]) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := CASE WHEN cardinality(key_columns) = 1 THEN 'the text of ' ELSE 'a JSON object with just ' END || pgsim._key_types(base, key_columns);
    bad text;
    rows_named bigint;
BEGIN
    IF cardinality(key_columns) > 1 THEN
        SELECT k.given INTO bad FROM unnest(keys) AS k (given)
        WHERE CASE WHEN jsonb_typeof(k.given::jsonb) = 'object'
                   THEN NOT k.given::jsonb ?& key_columns OR k.given::jsonb - key_columns <> '{}' OR jsonb_path_exists(k.given::jsonb, '$.* ? (@ == null)')
                   ELSE true END
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('key %L is not %s', left(bad, 200), wanted), HINT = 'Searches return keys in this form.';
        END IF;
    END IF;
    EXECUTE format('SELECT count(*) FROM (SELECT DISTINCT %s FROM unnest($1) AS k (given)) AS i', pgsim._key_parse(base, 'k.given', key_columns, true))
    INTO rows_named USING keys;
    RETURN rows_named;
EXCEPTION WHEN data_exception OR check_violation OR not_null_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('a key is not %s: %s', wanted, SQLERRM), HINT = 'Searches return keys in this form.';
END
$$;
COMMENT ON FUNCTION pgsim._check_keys IS 'How many rows keys given as text name, the same row once; PS016 for one that cannot be read as the key of the table.';

CREATE FUNCTION pgsim._check_name(what text, name text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF name IS NULL OR name = '' OR length(name) > 200 OR name ~ '[[:cntrl:]]' OR name <> btrim(name) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS011',
            MESSAGE = format('%s name %s is not allowed', what, coalesce(quote_literal(left(name, 80)), 'NULL')),
            HINT = 'A name has 1 to 200 characters, no control characters, and no spaces at its ends.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_name IS 'Raises PS011 for a name that could not be told from another when it is read.';

CREATE FUNCTION pgsim._collection_row(collection text) RETURNS pgsim._collection
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_row pgsim._collection;
BEGIN
    SELECT * INTO found_row FROM pgsim._collection AS c WHERE c.name = collection;
    IF found_row.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS001',
            MESSAGE = format('collection %s is not registered', coalesce(quote_literal(left(collection, 200)), 'NULL')),
            DETAIL = coalesce('Registered: ' || (SELECT string_agg(quote_literal(c.name), ', ' ORDER BY c.name)
                                                 FROM (SELECT s.name FROM pgsim._collection AS s ORDER BY s.name LIMIT 20) AS c), 'None is registered.'),
            HINT = 'Register a table with pgsim.create_collection(''schema.table'').';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class AS r WHERE r.oid = found_row.relation) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS006',
            MESSAGE = format('the table of collection %L was dropped', found_row.name),
            HINT = format('Forget the collection with pgsim.drop_collection(%L).', found_row.name);
    END IF;
    RETURN found_row;
END
$$;
COMMENT ON FUNCTION pgsim._collection_row IS 'The registered collection of that name, or PS001.';

CREATE FUNCTION pgsim._column_definitions(base regclass, columns text[], names text[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN count(*) < cardinality(columns) THEN pgsim._no_key(base, columns) ELSE string_agg(format('%I %s%s', k.name, format_type(a.atttypid, a.atttypmod),
                             CASE WHEN a.attcollation <> t.typcollation THEN format(' COLLATE %I.%I', n.nspname, o.collname) ELSE '' END),
                      ', ' ORDER BY k.ordinal) END
    FROM unnest(columns, names) WITH ORDINALITY AS k (column_name, name, ordinal)
    JOIN pg_attribute AS a ON a.attrelid = base AND a.attname = k.column_name AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_collation AS o ON o.oid = a.attcollation
    LEFT JOIN pg_namespace AS n ON n.oid = o.collnamespace;
END;
COMMENT ON FUNCTION pgsim._column_definitions IS 'Columns of a base table as another table declares them, under names of its own: same types, same collations.';

CREATE FUNCTION pgsim._create_version_table(c pgsim._collection, table_name text, vector_type text) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key_definitions text;
BEGIN
    -- Vectors of up to 8 kB stay in their rows: ranking one reads one page, where out of line it reads an index and several chunks.
    key_definitions := pgsim._column_definitions(c.relation, c.key_columns, pgsim._key_names(c.key_columns, true));
    EXECUTE format(
        'CREATE %7$s TABLE pgsim_data.%1$I (%2$s, embedding %3$s NOT NULL, provisional boolean NOT NULL DEFAULT false, source_hash bytea, '
        'embedded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (%4$s), '
        'FOREIGN KEY (%4$s) REFERENCES %5$s (%6$s) ON UPDATE CASCADE ON DELETE CASCADE) WITH (toast_tuple_target = 8160)',
        table_name, key_definitions, vector_type, pgsim._key_list('', c.key_columns, true), c.relation, pgsim._key_list('', c.key_columns, false),
        (SELECT CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED' END FROM pg_class AS r WHERE r.oid = c.relation));
    PERFORM pgsim._sync_removal_trigger(format('pgsim_data.%I', table_name)::regclass);
    RETURN format('pgsim_data.%I', table_name)::regclass;
END
$$;
COMMENT ON FUNCTION pgsim._create_version_table IS 'Makes a version table: the base key, the vector, whether it is provisional, the hash of the text it was made from, and when.';

CREATE FUNCTION pgsim._drop_version(version_id int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v pgsim._version;
    index_sql text;
BEGIN
    PERFORM pgsim._drop_codes(i.version_id, i.relation) FROM pgsim._index AS i JOIN pg_class AS r ON r.oid = i.relation WHERE i.version_id = _drop_version.version_id AND i.method = 'codes';
    PERFORM pgsim._drop_inverted(i.id) FROM pgsim._index AS i WHERE i.version_id = _drop_version.version_id AND i.method = 'inverted';
    DELETE FROM pgsim._version AS d WHERE d.id = _drop_version.version_id RETURNING * INTO v;
    DELETE FROM pgsim._queue AS q WHERE NOT EXISTS (SELECT FROM pgsim._version AS s WHERE s.id = q.version_id);
    DELETE FROM pgsim._search_log AS l WHERE l.version_id = _drop_version.version_id;
    IF NOT v.adopted THEN
        IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = v.relation) THEN
            EXECUTE format('DROP TABLE %s', v.relation);
        END IF;
        RETURN;
    END IF;
    FOR index_sql IN
        SELECT i.indexrelid::regclass FROM pg_index AS i
        WHERE i.indrelid = v.relation AND obj_description(i.indexrelid, 'pg_class') = pgsim._index_comment(v.id)
    LOOP
        EXECUTE format('DROP INDEX %s', index_sql);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._drop_version IS 'Removes a version from the registry, with all that pgsim made for it.';

CREATE FUNCTION pgsim._embedding_row(c pgsim._collection, embedding text) RETURNS pgsim._embedding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_row pgsim._embedding;
BEGIN
    SELECT * INTO found_row FROM pgsim._embedding AS e WHERE e.collection_id = c.id AND e.name = embedding;
    IF found_row.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS003',
            MESSAGE = format('collection %L has no embedding %s', c.name, coalesce(quote_literal(left(embedding, 200)), 'NULL')),
            DETAIL = 'It has: ' || (SELECT string_agg(quote_literal(e.name), ', ' ORDER BY e.name)
                                    FROM pgsim._embedding AS e WHERE e.collection_id = c.id),
            HINT = format('Declare it with pgsim.create_embedding(%L, name, source_columns).', c.name);
    END IF;
    RETURN found_row;
END
$$;
COMMENT ON FUNCTION pgsim._embedding_row IS 'The embedding of a collection, or PS003.';

CREATE FUNCTION pgsim._enqueue_missing(collection text, model text, embedding text, order_by text, caller_path text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
AS $$
DECLARE
    t pgsim._target;
    missing bigint;
    key_sql text;
    source_sql text;
    hits text := '';
    sorted text := '';
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        RETURN pgsim._enqueue_missing(collection, (pgsim._followed(t)).model, embedding, order_by, caller_path);
    END IF;
    PERFORM pgsim._check_backfill(t, embedding);
    -- One at a time for a version: two would queue the same rows.
    PERFORM pg_advisory_xact_lock('pgsim._queue'::regclass::oid::int, t.version_id);
    key_sql := pgsim._key_text(t.base, 'b.', t.key_columns);
    source_sql := pgsim._source_text('b.', t.source_columns);
    -- A row that is gone is set aside no more.
    EXECUTE format('DELETE FROM pgsim._poison AS p USING (SELECT %1$s, k.key AS given FROM pgsim._poison AS k WHERE k.version_id = $1) AS i '
                   'WHERE p.version_id = $1 AND p.key = i.given AND NOT EXISTS (SELECT FROM %2$s AS b WHERE %3$s)',
                   pgsim._key_parse(t.base, 'k.key', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true)) USING t.version_id;
    IF order_by IS NOT NULL THEN
        DELETE FROM pgsim._queue AS q WHERE q.version_id = t.version_id AND q.place = 1;
        IF order_by = 'recency' THEN
            sorted := 'ORDER BY age(b.xmin), b.ctid DESC';
        ELSIF order_by = 'hot' THEN
            IF NOT EXISTS (SELECT FROM pgsim._search_log AS l WHERE l.collection_id = t.collection_id AND l.keys <> '{}') THEN
                RAISE EXCEPTION USING ERRCODE = 'PS047', MESSAGE = format('no search of collection %L is recorded, so no row is known to be found more often than another', collection),
                    HINT = format('Record some first: pgsim.record_searches(%L, share => 0.1); or choose another order.', collection);
            END IF;
            hits := format('LEFT JOIN (SELECT k.key, count(*) AS found FROM pgsim._search_log AS l CROSS JOIN LATERAL unnest(l.keys) AS k (key) '
                           'WHERE l.collection_id = %s GROUP BY 1) AS h ON h.key = %s', t.collection_id, key_sql);
            sorted := 'ORDER BY h.found DESC NULLS LAST';
        ELSIF btrim(order_by) = '' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'order_by is empty; it is recency, hot, or SQL over the table', HINT = 'order_by => ''published DESC''; NULL is any order.';
        ELSE
            sorted := format(E'ORDER BY %s\n', order_by);
            PERFORM set_config('search_path', concat_ws(', ', 'pg_catalog', nullif(caller_path, '')), true);
        END IF;
    END IF;
    EXECUTE format(
        'WITH known AS MATERIALIZED (SELECT k.key FROM pgsim._queue AS q CROSS JOIN LATERAL unnest(q.keys) AS k (key) WHERE q.version_id = $1 AND q.operation OPERATOR(pg_catalog.<>) ''delete'' '
        '  UNION ALL SELECT k.key FROM pgsim._batch AS t CROSS JOIN LATERAL unnest(t.keys) AS k (key) WHERE t.version_id = $1), '
        'missing AS MATERIALIZED (SELECT array_agg(m.pgsim_key) AS keys FROM ('
        '  SELECT %1$s AS pgsim_key FROM %2$s AS b %5$s WHERE %3$s AND %4$s IS NOT NULL '
        '  AND NOT EXISTS (SELECT FROM known AS o WHERE o.key OPERATOR(pg_catalog.=) (%1$s)) '
        '  AND NOT EXISTS (SELECT FROM pgsim._poison AS p WHERE p.version_id = $1 AND p.key OPERATOR(pg_catalog.=) (%1$s) AND coalesce(p.source_hash OPERATOR(pg_catalog.=) pgsim._source_hash(%4$s), false)) '
        '  %6$s) AS m), '
        'added AS (INSERT INTO pgsim._queue (version_id, operation, keys, place) '
        '  SELECT $1, ''upsert'', m.keys[i : i + 1999], 1 FROM missing AS m, generate_series(1, cardinality(m.keys), 2000) AS i ORDER BY i '
        '  RETURNING cardinality(keys) AS added) '
        'SELECT coalesce(sum(added), 0) FROM added',
        key_sql, t.base_sql,
        -- A vector stored without a hash has not been made from a text, as far as is known, and counts as right.
        CASE WHEN t.adopted THEN format('b.%I IS NULL', t.column_name)
             ELSE format('NOT EXISTS (SELECT FROM %s AS v WHERE %s AND coalesce(v.source_hash OPERATOR(pg_catalog.=) pgsim._source_hash(%s), true))',
                         t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true), source_sql) END,
        source_sql, hits, sorted)
    INTO missing USING t.version_id;
    RETURN missing;
END
$$;
COMMENT ON FUNCTION pgsim._enqueue_missing IS 'pgsim.enqueue_missing, which gives it the caller''s search_path: order_by is SQL of the caller''s.';

CREATE FUNCTION pgsim._give_up_keeping(index_id int, text_of int, message text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    BEGIN
        UPDATE pgsim._index AS i SET complete = false WHERE i.id = index_id;
        UPDATE pgsim._text AS s SET complete = false WHERE s.collection_id = text_of;
    EXCEPTION WHEN serialization_failure THEN
        -- Another writer was first.
        RETURN;
    END;
    RAISE WARNING USING MESSAGE = message, HINT = 'Run SELECT * FROM pgsim.check().';
END
$$;
COMMENT ON FUNCTION pgsim._give_up_keeping IS
    'Marks an index of pgsim''s own, or the text index of a collection, as one that no longer agrees with its table, and warns. Triggers call it, which must not fail the writer.';

CREATE FUNCTION pgsim._index_comment(version_id int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'pgsim: version ' || version_id;
COMMENT ON FUNCTION pgsim._index_comment IS
    'The comment that pgsim sets on an index it makes on a base table: so it knows its own when it cleans up, whatever it was renamed to.';

CREATE FUNCTION pgsim._index_statement(
    collection text, model text, embedding text, dims int, element text, method text, where_filter jsonb, options jsonb,
    OUT statement text, OUT definition text, OUT relation regclass, OUT schema_name text, OUT name text, OUT version_id int, OUT full_dims int, OUT full_element text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    stored text;
    kept text;
    setting record;
    given_options jsonb := coalesce(options, '{}');
    predicate text;
    stem text;
    widest int;
    attempt int := 1;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_owner(t.version);
    version_id := t.version_id;
    IF method IS NULL OR method NOT IN ('hnsw', 'ivfflat') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('method is %s; known are hnsw, ivfflat and codes, and inverted of sparse vectors', coalesce(quote_literal(left(method, 80)), 'NULL')),
            HINT = 'hnsw is the better one but for the time to build it.';
    END IF;
    IF method = 'ivfflat' AND t.metric = 'l1' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'ivfflat has no operator class for metric l1', HINT = 'Use method => ''hnsw''.';
    END IF;
    IF jsonb_typeof(given_options) = 'object' AND given_options ? 'slice' THEN
        t := pgsim._slice_target(t, given_options ->> 'slice');
        given_options := given_options - 'slice';
        IF dims IS NOT NULL OR element = 'bit' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('option slice is given, and %s', CASE WHEN dims IS NOT NULL THEN format('dims %s', dims) ELSE 'element bit' END),
                HINT = 'The index of a slice is on all of it, as vector or halfvec.';
        END IF;
    END IF;
    IF where_filter IS NOT NULL THEN
        IF NOT t.adopted THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010',
                MESSAGE = format('where_filter: the vectors of %L under model %L are in a table without the columns of %s', collection, t.model, t.base_sql),
                HINT = 'A partial index needs a version that adopts a column of the table itself.';
        END IF;
        predicate := (pgsim._compile_filter(t.base, where_filter, '{}', true)).predicate;
    END IF;
    full_element := coalesce(element, t.element);
    IF t.element = 'sparsevec' THEN
        kept := pgsim._sparse_index(t, dims, element, method, predicate, given_options);
        full_element := 'sparsevec';
    ELSIF full_element NOT IN ('vector', 'halfvec', 'bit') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('element is %L; an index has vector, halfvec or bit elements', left(element, 80)),
            HINT = 'Leave it out for the element of the model.';
    END IF;
    full_dims := coalesce(dims, t.dim);
    PERFORM pgsim._check_dims(t, full_dims, 'dims is');
    IF full_element = 'bit' AND method <> 'hnsw' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('element is bit and method is %s; bits are indexed by hnsw', method), HINT = 'Leave method out.';
    END IF;
    widest := CASE full_element WHEN 'sparsevec' THEN t.dim WHEN 'bit' THEN 64000 WHEN 'halfvec' THEN 4000 ELSE 2000 END;
    IF full_dims > widest THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('an index of %s elements has at most %s dimensions, not %s', full_element, widest, full_dims),
            HINT = concat('What can be indexed: ', CASE WHEN full_dims <= 4000 THEN 'half precision (element => ''halfvec''), ' END, 'one bit a dimension (element => ''bit''), or a prefix (dims => ...',
                          CASE WHEN t.matryoshka <> '{}' THEN format(', of %s', t.matryoshka) END, '). Searches rank what it finds by the full vectors.');
    END IF;

    IF jsonb_typeof(given_options) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'options is not a JSON object', HINT = 'For instance: options => ''{"m": 16}''.';
    END IF;
    FOR setting IN
        SELECT o.key, o.value, a.lowest, a.highest
        FROM jsonb_each(given_options) AS o
        LEFT JOIN (VALUES ('hnsw', 'm', 2, 100), ('hnsw', 'ef_construction', 4, 1000), ('ivfflat', 'lists', 1, 32768), ('hnsw', 'top_weights', 1, 1000)) AS a (method, key, lowest, highest)
            ON a.method = _index_statement.method AND a.key = o.key AND (t.element = 'sparsevec' OR a.key <> 'top_weights')
    LOOP
        IF setting.lowest IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('option %L is not known to %s', left(setting.key, 80), method),
                HINT = CASE method WHEN 'hnsw' THEN 'Known are m, ef_construction and slice, and of sparse vectors top_weights.' ELSE 'Known are lists and slice.' END;
        END IF;
        IF jsonb_typeof(setting.value) <> 'number' OR (setting.value #>> '{}')::numeric NOT BETWEEN setting.lowest AND setting.highest
           OR (setting.value #>> '{}')::numeric % 1 <> 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('option %s is %s; it is a whole number from %s to %s', setting.key, left(setting.value::text, 80), setting.lowest, setting.highest),
                HINT = 'Leave it out for the default.';
        END IF;
    END LOOP;
    IF method = 'hnsw' AND coalesce((given_options ->> 'ef_construction')::numeric, 64) < 2 * coalesce((given_options ->> 'm')::numeric, 16) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('ef_construction %s is less than twice m %s', coalesce(given_options ->> 'ef_construction', '64'), coalesce(given_options ->> 'm', '16')),
            HINT = 'Raise ef_construction, or lower m.';
    END IF;
    IF method = 'ivfflat' AND NOT given_options ? 'lists' THEN
        -- pgvector's advice: rows / 1000 up to a million rows, their square root beyond.
        given_options := given_options || jsonb_build_object('lists', (
            SELECT least(32768, greatest(10, CASE WHEN r.reltuples <= 1e6 THEN r.reltuples / 1000 ELSE sqrt(r.reltuples) END))::int
            FROM pg_class AS r WHERE r.oid = t.version));
    END IF;

    stored := pgsim._vector_expression(pgsim._stored_vector(t, format('%I', t.column_name)), t.vector_schema, t.prefix_metric, t.dim, t.element, full_dims, coalesce(kept, full_element));
    SELECT n.nspname INTO schema_name FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE r.oid = t.version;
    SELECT left(r.relname, 30) || CASE WHEN t.adopted THEN '_' || left(t.column_name, 12) ELSE '' END || '_' || method
           || coalesce('_' || left(t.slice_name, 12), '') || CASE WHEN full_dims < t.dim THEN '_' || full_dims ELSE '' END || CASE WHEN full_element <> t.element THEN '_' || full_element ELSE '' END
    INTO stem FROM pg_class AS r WHERE r.oid = t.version;
    -- A name is cut by bytes; characters of several bytes leave room for fewer of them.
    WHILE octet_length(stem) > 58 LOOP
        stem := left(stem, -1);
    END LOOP;
    name := stem;
    WHILE EXISTS (SELECT FROM pg_class AS k JOIN pg_namespace AS n ON n.oid = k.relnamespace WHERE n.nspname = schema_name AND k.relname = name) LOOP
        attempt := attempt + 1;
        name := stem || '_' || attempt;
    END LOOP;
    relation := t.version;
    definition := format('USING %s (%s %s.%I)%s%s', method,
        CASE WHEN stored = format('%I', t.column_name) THEN stored ELSE format('(%s)', stored) END,
        t.vector_schema, CASE full_element WHEN 'bit' THEN 'bit_hamming_ops' ELSE format('%s_%s_ops', full_element, t.metric) END,
        coalesce((SELECT format(' WITH (%s)', string_agg(format('%I = %s', o.key, o.value::int), ', ' ORDER BY o.key)) FROM jsonb_each(given_options - 'top_weights') AS o
                  HAVING count(*) > 0), ''),
        coalesce(' WHERE ' || predicate, ''));
    statement := format('CREATE INDEX %I ON %s %s', name, relation, definition);
END
$$;
COMMENT ON FUNCTION pgsim._index_statement IS
    'The CREATE INDEX statement that create_index runs, and its parts, of which the command line and Alembic make one that runs CONCURRENTLY.';

CREATE FUNCTION pgsim._key_types(base regclass, key_columns text[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT pg_catalog.string_agg(pg_catalog.format('%I %s', k.name, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY k.ordinal)
    FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = base AND a.attname = k.name AND NOT a.attisdropped
);
COMMENT ON FUNCTION pgsim._key_types IS 'The key columns with their types, for messages.';

CREATE FUNCTION pgsim._lock_tables(relations regclass[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lock_sql text := 'LOCK TABLE ' || array_to_string(relations, ', ') || ' IN ACCESS EXCLUSIVE MODE';
BEGIN
    -- Writers of a base table come to its version table second, and writers of vectors the other way round: whoever waits for one of
    -- them while holding the other may wait for ever.
    FOR attempt IN 1 .. 200 LOOP
        BEGIN
            EXECUTE lock_sql || ' NOWAIT';
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.05);
        END;
    END LOOP;
    EXECUTE lock_sql;
END
$$;
COMMENT ON FUNCTION pgsim._lock_tables IS 'Locks tables whose triggers are to go, all or none, for ten seconds without holding one while it waits for another.';

CREATE FUNCTION pgsim._model_row(model text) RETURNS pgsim._model
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_row pgsim._model;
BEGIN
    SELECT * INTO found_row FROM pgsim._model AS m WHERE m.name = model;
    IF found_row.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS002',
            MESSAGE = format('model %s is not registered', coalesce(quote_literal(left(model, 200)), 'NULL')),
            DETAIL = coalesce('Registered: ' || (SELECT string_agg(quote_literal(m.name), ', ' ORDER BY m.name)
                                                 FROM (SELECT s.name FROM pgsim._model AS s ORDER BY s.name LIMIT 20) AS m), 'None is registered.'),
            HINT = 'Register it with pgsim.create_model(name, dim => ...).';
    END IF;
    RETURN found_row;
END
$$;
COMMENT ON FUNCTION pgsim._model_row IS 'The registered model of that name, or PS002.';

CREATE FUNCTION pgsim._own_key_text(version regclass, prefix text, key_columns text[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT CASE WHEN cardinality(key_columns) = 1 THEN pg_catalog.min(c.value || '::text')
                ELSE 'pg_catalog.jsonb_build_object(' || pg_catalog.string_agg(pg_catalog.format('%L, %s', c.name, c.value), ', ' ORDER BY c.ordinal) || ')::text' END
    FROM (
        SELECT k.name, k.ordinal, pg_catalog.format(CASE t.typtype WHEN 'e' THEN 'pg_catalog.concat(%s%I)' ELSE '%s%I' END, prefix, a.attname) AS value
        FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, ordinal)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = version AND a.attname = pgsim._key_column(k.ordinal, cardinality(key_columns)) AND NOT a.attisdropped
        JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    ) AS c
);
COMMENT ON FUNCTION pgsim._own_key_text IS 'The expression that gives the key of a row of a version table as _key_text gives it of the base table''s.';

CREATE FUNCTION pgsim._privilege_drift(base regclass, version regclass, privileges text[] = '{SELECT,INSERT,UPDATE,DELETE}')
RETURNS TABLE (privilege text, grantee text, missing boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH held AS (
        SELECT r.oid, r.relowner, r.relnamespace, g.grantee, g.privilege_type
        FROM pg_class AS r
        CROSS JOIN LATERAL aclexplode(coalesce(r.relacl, acldefault('r', r.relowner))) AS g
        WHERE r.oid IN (base, version) AND g.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    ),
    wanted AS (
        -- A grant on a table is worth nothing without USAGE on its schema; pgsim's own schema is open to all.
        SELECT h.grantee, h.privilege_type FROM held AS h
        WHERE h.oid = base AND h.privilege_type = ANY (privileges) AND CASE h.grantee WHEN 0 THEN has_schema_privilege('public', h.relnamespace, 'USAGE')
                                              ELSE has_schema_privilege(h.grantee, h.relnamespace, 'USAGE') END
        EXCEPT SELECT h.relowner, h.privilege_type FROM held AS h WHERE h.oid = version
    ),
    present AS (
        SELECT h.grantee, h.privilege_type FROM held AS h WHERE h.oid = version AND h.grantee <> h.relowner
    )
    SELECT d.privilege_type, CASE WHEN d.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(d.grantee)) END, d.missing
    FROM (
        SELECT w.grantee, w.privilege_type, true AS missing FROM wanted AS w
        WHERE NOT EXISTS (SELECT FROM present AS p WHERE p.grantee = w.grantee AND p.privilege_type = w.privilege_type)
        UNION ALL
        SELECT p.grantee, p.privilege_type, false FROM present AS p
        WHERE NOT EXISTS (SELECT FROM wanted AS w WHERE w.grantee = p.grantee AND w.privilege_type = p.privilege_type)
    ) AS d
    ORDER BY 2, 1;
END;
COMMENT ON FUNCTION pgsim._privilege_drift IS 'Grants that a version table or codes lack beside their base table (missing), or have beyond it, of those privileges that they should share.';

CREATE FUNCTION pgsim._register_index(
    version_id int, name text, dims int, element text, method text, where_filter jsonb, options jsonb
) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    index regclass := (SELECT x.indexrelid FROM pgsim._version AS v
                       JOIN pg_index AS x ON x.indrelid = v.relation JOIN pg_class AS k ON k.oid = x.indexrelid
                       WHERE v.id = _register_index.version_id AND k.relname = _register_index.name);
BEGIN
    INSERT INTO pgsim._index (version_id, name, method, dims, element, where_filter, options)
    VALUES (_register_index.version_id, _register_index.name, _register_index.method, _register_index.dims, _register_index.element,
            CASE WHEN _register_index.where_filter NOT IN ('{}', 'null') THEN _register_index.where_filter END, coalesce(_register_index.options, '{}'))
    -- One of that name that was dropped by hand.
    ON CONFLICT ON CONSTRAINT _index_version_id_name_key DO UPDATE
    SET method = excluded.method, dims = excluded.dims, element = excluded.element, where_filter = excluded.where_filter, options = excluded.options,
        created_at = excluded.created_at;
    EXECUTE format('COMMENT ON INDEX %s IS %L', index, pgsim._index_comment(version_id));
    RETURN index;
END
$$;
COMMENT ON FUNCTION pgsim._register_index IS 'Notes an index that was built from _index_statement.';

CREATE FUNCTION pgsim._require_all_rows(t pgsim._target) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF row_security_active(t.base) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032',
            MESSAGE = format('row-level security hides rows of %s from role %I, and what is hidden would be taken for deleted', t.base_sql, current_user),
            HINT = format('Call it as the owner of the table where row-level security is not forced, or have an administrator run ALTER ROLE %I BYPASSRLS.', current_user);
    END IF;
    PERFORM pgsim._check_columns(t.base, 'key_columns', t.key_columns);
END
$$;
COMMENT ON FUNCTION pgsim._require_all_rows IS 'Raises PS032 where row-level security keeps rows of the base table from the caller, and PS005 where a column of its key is gone: for what compares all rows.';

CREATE FUNCTION pgsim._require_owner(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner oid := (SELECT r.relowner FROM pg_class AS r WHERE r.oid = relation);
BEGIN
    IF NOT pg_has_role(current_user, owner, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032',
            MESSAGE = format('role %I may not do this to %s, which belongs to %I', current_user, relation, pg_get_userbyid(owner)),
            HINT = 'The owner of the table does it, since pgsim adds triggers, indexes and a foreign key to it.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._require_owner IS 'Raises PS032 unless the caller owns a table, or is a member of the role that does. A table that was dropped is nobody''s.';

CREATE FUNCTION pgsim._require_registrar() RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registrar oid := (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'pgsim');
BEGIN
    IF NOT pg_has_role(current_user, registrar, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032',
            MESSAGE = format('role %I may search, but not change the registry of pgsim, which belongs to %I',
                             current_user, pg_get_userbyid(registrar)),
            HINT = format('Call it as %I, or have an administrator run GRANT %I TO %I.',
                          pg_get_userbyid(registrar), pg_get_userbyid(registrar), current_user);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._require_registrar IS 'Raises PS032 unless the caller may change the registry: the owner of schema pgsim and its members may.';

CREATE FUNCTION pgsim._require_select(base regclass, version regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base_schema regnamespace := (SELECT r.relnamespace FROM pg_class AS r WHERE r.oid = base);
BEGIN
    IF NOT has_table_privilege(base, 'SELECT') OR NOT has_schema_privilege(base_schema, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not read %s, so it may not search it', current_user, base),
            HINT = format('Whoever may SELECT the table may search it: GRANT USAGE ON SCHEMA %s TO %I; GRANT SELECT ON %s TO %I.', base_schema, current_user, base, current_user);
    END IF;
    IF NOT has_table_privilege(version, 'SELECT') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may read %s, but its vectors in %s have not been told so', current_user, base, version),
            HINT = 'Run pgsim.sync_privileges for the collection; pgsim.check reports such drift.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._require_select IS 'Raises PS032 unless the caller may SELECT a base table and where its vectors are.';

CREATE FUNCTION pgsim._security_drift(base regclass, version regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT b.relrowsecurity <> v.relrowsecurity OR (b.relforcerowsecurity AND NOT EXISTS (SELECT FROM pgsim._version AS d WHERE d.relation = v.oid AND d.follows IS NOT NULL)) <> v.relforcerowsecurity OR EXISTS (
        SELECT
        FROM (VALUES ('pgsim_read', 'r'), ('pgsim_insert', 'a'), ('pgsim_update', 'w'), ('pgsim_delete', 'd')) AS w (name, command)
        FULL JOIN (SELECT p.* FROM pg_policy AS p WHERE p.polrelid = v.oid) AS p ON p.polname = w.name AND b.relrowsecurity
        WHERE (w.name IS NULL OR b.relrowsecurity)
          AND (w.name IS NULL OR p.polname IS NULL OR p.polcmd::text <> w.command OR NOT p.polpermissive OR p.polroles <> '{0}'
               -- A policy that was altered may not ask the base table any more.
               OR NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refobjid = b.oid)))
    FROM pg_class AS b CROSS JOIN pg_class AS v
    WHERE b.oid = base AND v.oid = version;
END;
COMMENT ON FUNCTION pgsim._security_drift IS 'Whether a version table''s row-level security is other than what its base table''s asks for.';

CREATE FUNCTION pgsim._source_hash(source text) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
-- convert_to is STABLE, and this is inlined only as long as it does not claim more.
RETURN pg_catalog.sha256(pg_catalog.convert_to(source, 'UTF8'));
COMMENT ON FUNCTION pgsim._source_hash IS 'The hash by which a source text is known to have changed (SHA-256 of its UTF-8 form).';

CREATE FUNCTION pgsim._source_text(prefix text, source_columns text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT 'nullif(pg_catalog.btrim(pg_catalog.concat_ws(E''\n'', '
           || pg_catalog.string_agg(pg_catalog.format('%s%I', prefix, c.name), ', ' ORDER BY c.ordinal) || '), E'' \t\n\r\f\v''), '''')'
    FROM pg_catalog.unnest(source_columns) WITH ORDINALITY AS c (name, ordinal)
);
COMMENT ON FUNCTION pgsim._source_text IS
    'The expression that gives the text a row is embedded from: its source columns, one below the other, without white space at the ends; NULL when nothing is left.';

CREATE FUNCTION pgsim._sync_triggers(c pgsim._collection) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    drift record;
BEGIN
    -- What stands is left alone: dropping a trigger locks readers of the table out, making one does not.
    FOR drift IN SELECT * FROM pgsim._trigger_drift(c) LOOP
        IF drift.present THEN
            EXECUTE format('DROP TRIGGER %I ON %s', drift.name, drift.relation);
        END IF;
        IF drift.definition IS NOT NULL THEN
            EXECUTE format('CREATE TRIGGER %I %s', drift.name, drift.definition);
            -- In sessions of replication, too, which other triggers pass by: a row that came unseen would lack its vector.
            IF starts_with(drift.name, 'pgsim_capture') THEN
                EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', drift.relation, drift.name);
            END IF;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._sync_triggers IS 'Brings a collection''s triggers, of change capture, of codes, of its text index and of derived versions, to what is needed now.';

CREATE FUNCTION pgsim._sync_version_privileges(c pgsim._collection, version regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base pg_class;
    base_row text;
    drift record;
    policy text;
    may_create boolean;
    -- Only the trigger that keeps a derived version writes it, and runs as the owner of pgsim.
    derived boolean := EXISTS (SELECT FROM pgsim._version AS v WHERE v.relation = version AND v.follows IS NOT NULL);
BEGIN
    SELECT * INTO base FROM pg_class AS r WHERE r.oid = c.relation;
    IF derived THEN
        EXECUTE format('ALTER TABLE %s OWNER TO %I', version, (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace AS n WHERE n.nspname = 'pgsim'));
        -- The base table is truncated with what refers to it, or not at all.
        EXECUTE format('GRANT TRUNCATE ON %s TO %I', version, pg_get_userbyid(base.relowner));
    ELSIF base.relowner <> (SELECT r.relowner FROM pg_class AS r WHERE r.oid = version) THEN
        -- PostgreSQL asks that a new owner may create tables in the schema: it may, for this moment. One at a time.
        PERFORM pg_advisory_xact_lock('pg_namespace'::regclass::oid::int, 'pgsim_data'::regnamespace::oid::int);
        may_create := has_schema_privilege(base.relowner, 'pgsim_data', 'CREATE');
        IF NOT may_create THEN
            EXECUTE format('GRANT CREATE ON SCHEMA pgsim_data TO %I', pg_get_userbyid(base.relowner));
        END IF;
        EXECUTE format('ALTER TABLE %s OWNER TO %I', version, pg_get_userbyid(base.relowner));
        IF NOT may_create THEN
            EXECUTE format('REVOKE CREATE ON SCHEMA pgsim_data FROM %I', pg_get_userbyid(base.relowner));
        END IF;
    END IF;
    FOR drift IN SELECT * FROM pgsim._privilege_drift(c.relation, version, CASE WHEN derived THEN '{SELECT}' ELSE '{SELECT,INSERT,UPDATE,DELETE}' END::text[]) LOOP
        EXECUTE format(CASE WHEN drift.missing THEN 'GRANT %s ON %s TO %s' ELSE 'REVOKE %s ON %s FROM %s' END, drift.privilege, version, drift.grantee);
    END LOOP;

    IF NOT pgsim._security_drift(c.relation, version) THEN
        RETURN;
    END IF;
    FOR policy IN SELECT p.polname FROM pg_policy AS p WHERE p.polrelid = version LOOP
        EXECUTE format('DROP POLICY %I ON %s', policy, version);
    END LOOP;
    EXECUTE format('ALTER TABLE %s %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY', version,
                   CASE WHEN base.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END,
                   CASE WHEN base.relforcerowsecurity AND NOT derived THEN 'FORCE' ELSE 'NO FORCE' END);
    IF base.relrowsecurity THEN
        base_row := format('SELECT FROM %s AS b WHERE %s', c.relation,
                           pgsim._key_join('b.', version || '.', c.key_columns, true));
        EXECUTE format('CREATE POLICY pgsim_read ON %s FOR SELECT USING (EXISTS (%s))', version, base_row);
        -- A locking clause brings the base table's policies for UPDATE in: who may not change a row may not change its vector.
        base_row := base_row || ' FOR KEY SHARE';
        EXECUTE format('CREATE POLICY pgsim_insert ON %s FOR INSERT WITH CHECK (EXISTS (%s))', version, base_row);
        EXECUTE format('CREATE POLICY pgsim_update ON %s FOR UPDATE USING (EXISTS (%s))', version, base_row);
        EXECUTE format('CREATE POLICY pgsim_delete ON %s FOR DELETE USING (EXISTS (%s))', version, base_row);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._sync_version_privileges IS
    'Gives a version table the owner and the grants of its base table and, under row-level security, policies that ask the base table.';

CREATE FUNCTION pgsim._trigger_drift(c pgsim._collection) RETURNS TABLE (relation regclass, name text, present boolean, definition text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
        SELECT coalesce(w.relation, t.tgrelid), coalesce(w.name, t.tgname), t.tgname IS NOT NULL, w.definition
        FROM (SELECT * FROM pgsim._capture_triggers(c) UNION ALL SELECT * FROM pgsim._codes_triggers(c)
              UNION ALL SELECT * FROM pgsim._text_triggers(c) UNION ALL SELECT * FROM pgsim._inverted_triggers(c)
              UNION ALL SELECT * FROM pgsim._map_triggers(c)) AS w
        FULL JOIN (
            SELECT g.tgrelid, g.tgname::text, g.tgenabled, g.tgargs FROM pg_trigger AS g
            WHERE g.tgfoid IN ('pgsim._capture'::regproc, 'pgsim._keep_codes'::regproc, 'pgsim._keep_text'::regproc, 'pgsim._keep_inverted'::regproc, 'pgsim._keep_mapped'::regproc) AND g.tgparentid = 0 AND position(convert_to(c.id::text, 'UTF8') || '\x00' IN g.tgargs) = 1
        ) AS t ON t.tgrelid = w.relation AND t.tgname = w.name
        WHERE w.name IS NULL OR t.tgname IS NULL OR t.tgargs <> w.arguments OR t.tgenabled NOT IN ('O', 'A')
        ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION pgsim._trigger_drift IS
    'Triggers of change capture, of codes, of text and of inverted indexes, and of derived versions that are missing, disabled or watch other columns than they should (definition says how they should be), and those that should not be there (definition is NULL).';

CREATE FUNCTION pgsim._version_name(collection text, embedding text, model text, version_id int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.format('%s_%s', pg_catalog.left(pg_catalog.btrim(pg_catalog.regexp_replace(pg_catalog.lower(
    pg_catalog.format('%s_%s_%s', collection, nullif(embedding, 'default'), model)), '[^a-z0-9]+', '_', 'g'), '_'), 45), version_id);
COMMENT ON FUNCTION pgsim._version_name IS 'The name of a version''s table in pgsim_data: told apart by the version''s id, the rest for people to read.';

CREATE FUNCTION pgsim."check"(collection text = NULL) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    v record;
    problems text;
BEGIN
    PERFORM pgsim._require_registrar();
    IF collection IS NOT NULL AND NOT EXISTS (SELECT FROM pgsim._collection AS s WHERE s.name = "check".collection) THEN
        PERFORM pgsim._collection_row(collection);
    END IF;
    FOR c IN SELECT * FROM pgsim._collection AS s WHERE s.name = "check".collection OR "check".collection IS NULL ORDER BY s.name LOOP
        object := format('collection %s', c.name);
        IF NOT EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
            RETURN QUERY SELECT 'error', object, 'its table was dropped', format('SELECT pgsim.drop_collection(%L)', c.name);
            CONTINUE;
        END IF;
        SELECT string_agg(DISTINCT quote_ident(n), ', ') INTO problems
        FROM (SELECT unnest(c.key_columns || c.text_columns || c.filter_columns)
              UNION SELECT unnest(e.source_columns) FROM pgsim._embedding AS e WHERE e.collection_id = c.id
              UNION SELECT w.column_name FROM pgsim._version AS w JOIN pgsim._embedding AS e ON e.id = w.embedding_id
              WHERE e.collection_id = c.id AND w.adopted) AS s (n)
        WHERE NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = s.n AND a.attnum > 0 AND NOT a.attisdropped);
        IF problems IS NOT NULL THEN
            RETURN QUERY SELECT 'error', object, format('%s has no column %s any more', c.relation, problems),
                'Name the columns as they were, or register the table anew.';
            CONTINUE;
        END IF;
        RETURN QUERY
            SELECT 'error', object, 'changes are not captured as they should be: ' || string_agg(format('%s on %s is %s', d.name, d.relation,
                       CASE WHEN d.definition IS NULL THEN 'left over' WHEN d.present THEN 'disabled or out of date' ELSE 'missing' END), ', '),
                   format('SELECT pgsim.sync_privileges(%1$L)', c.name) || coalesce(
                       (SELECT string_agg(format('; SELECT pgsim.enqueue_missing(%L, %L, %L)', w.collection, w.model, w.embedding), '' ORDER BY w.id)
                        FROM pgsim.versions AS w JOIN pgsim.embeddings AS e ON e.collection = w.collection AND e.name = w.embedding
                        WHERE w.collection = c.name AND w.state <> 'retired' AND e.source_columns <> '{}' AND EXISTS (SELECT FROM pgsim._version AS s WHERE s.id = w.id AND s.follows IS NULL)), '')
            FROM pgsim._trigger_drift(c) AS d HAVING count(*) > 0;
        RETURN QUERY SELECT * FROM pgsim._text_problems(c, object);
        FOR v IN SELECT w.*, e.name AS embedding, r.relowner, CASE WHEN w.follows IS NULL THEN b.relowner ELSE s.nspowner END AS base_owner, r.oid IS NULL AS gone, m.name AS model
                 FROM pgsim._version AS w JOIN pgsim._embedding AS e ON e.id = w.embedding_id JOIN pgsim._model AS m ON m.id = w.model_id
                 LEFT JOIN pg_class AS r ON r.oid = w.relation JOIN pg_class AS b ON b.oid = c.relation JOIN pg_namespace AS s ON s.nspname = 'pgsim'
                 WHERE e.collection_id = c.id ORDER BY w.id LOOP
            object := format('collection %s, embedding %s, model %s', c.name, v.embedding, v.model);
            IF v.gone THEN
                RETURN QUERY SELECT 'error', object, 'its version table was dropped',
                    format('SELECT pgsim.drop_version(%L, %L, %L, force => true)', c.name, v.model, v.embedding);
                CONTINUE;
            END IF;
            IF NOT v.adopted THEN
                IF v.relowner <> v.base_owner THEN
                    RETURN QUERY SELECT 'error', object, format('%s belongs to %I, and should to %I%s', v.relation, pg_get_userbyid(v.relowner), pg_get_userbyid(v.base_owner), CASE WHEN v.follows IS NULL THEN format(', as %s does', c.relation) ELSE '' END),
                        format('SELECT pgsim.sync_privileges(%L)', c.name);
                END IF;
                IF NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = v.relation AND k.contype = 'f' AND k.confrelid = c.relation) THEN
                    RETURN QUERY SELECT 'error', object, format('%s has lost its foreign key: vectors of deleted rows stay', v.relation),
                        format('SELECT pgsim.drop_version(%L, %L, %L, force => true), and create it again', c.name, v.model, v.embedding);
                END IF;
                SELECT string_agg(format('%s %s %s', CASE WHEN d.missing THEN 'lacks' ELSE 'has beyond it' END, d.privilege, d.grantee), ', ') INTO problems
                FROM pgsim._privilege_drift(c.relation, v.relation, CASE WHEN v.follows IS NULL THEN '{SELECT,INSERT,UPDATE,DELETE}' ELSE '{SELECT}' END::text[]) AS d;
                IF problems IS NOT NULL THEN
                    RETURN QUERY SELECT 'error', object, format('%s has other grants than %s: it %s', v.relation, c.relation, problems),
                        format('SELECT pgsim.sync_privileges(%L)', c.name);
                END IF;
                IF pgsim._security_drift(c.relation, v.relation) THEN
                    RETURN QUERY SELECT 'error', object, format('row-level security of %s differs from that of %s', v.relation, c.relation),
                        format('SELECT pgsim.sync_privileges(%L)', c.name);
                END IF;
            END IF;
            RETURN QUERY
                SELECT 'error', object, format('index %s is %s', i.name, CASE WHEN x.indexrelid IS NULL THEN 'gone' ELSE 'invalid: its build failed or is under way' END),
                    CASE WHEN x.indexrelid IS NULL THEN format('SELECT pgsim.create_index(%L, %L, embedding => %L, dims => %s, element => %L, method => %L, where_filter => %L, options => %L)',
                                                                   c.name, v.model, v.embedding, i.dims, i.element, i.method, i.where_filter, i.options)
                         ELSE format('REINDEX INDEX CONCURRENTLY %s', x.indexrelid::regclass) END
                FROM pgsim._index AS i
                LEFT JOIN (pg_index AS x JOIN pg_class AS k ON k.oid = x.indexrelid) ON x.indrelid = v.relation AND k.relname = i.name
                WHERE i.version_id = v.id AND i.method NOT IN ('codes', 'inverted') AND x.indisvalid IS NOT TRUE;
            RETURN QUERY SELECT * FROM pgsim._codes_problems(c, v.id, object);
            RETURN QUERY SELECT * FROM pgsim._version_problems(v.id, object);
            RETURN QUERY SELECT * FROM pgsim._inverted_problems(c, v.id, object);
            RETURN QUERY SELECT * FROM pgsim._map_problems(c, v.id, object);
            RETURN QUERY SELECT * FROM pgsim._backfill_problems(c, v.id, v.model, v.embedding, object);
            RETURN QUERY
                SELECT 'warning', object, format('%s changes wait to be embedded since %s', p.pending, p.oldest::timestamptz(0)), 'Run a worker: pgsim backfill or embed on the command line, Database.embed in Python, or one of yours over pgsim.next_batch.'
                FROM (SELECT sum(cardinality(q.keys)) AS pending, min(q.queued_at) AS oldest FROM pgsim._queue AS q WHERE q.version_id = v.id) AS p
                WHERE p.oldest < now() - interval '1 hour';
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim."check" IS
$$Says what is wrong with one collection, or with all: nothing, when it returns no rows.

It compares the registry with the catalogue: dropped tables and columns, change capture that is missing or disabled, owners,
grants and row-level security of version tables and codes that differ from the base table's, indexes and codes that are gone or
invalid, a text index that is not open to the same roles or does not agree with the table, a queue that nobody drains, an embedding without an active version, and newest vectors (of a sample) that look like those of another model. Each row has severity (error, warning), object, problem, and a hint: SQL to be run, or what to
do. Errors: PS001, PS032.$$;

CREATE FUNCTION pgsim.create_collection(
    relation regclass, name text = NULL, key_columns text[] = NULL, text_columns text[] = NULL,
    text_config regconfig = 'pg_catalog.english', filter_columns text[] = NULL
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base pg_class;
    schema_name text;
    key text[];
    new_id int;
BEGIN
    PERFORM pgsim._require_registrar();
    SELECT * INTO base FROM pg_class AS c WHERE c.oid = create_collection.relation;
    IF base.oid IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS006', MESSAGE = 'relation is NULL or was dropped', HINT = 'Give a table: ''schema.table''.';
    END IF;
    schema_name := base.relnamespace::regnamespace::text;
    IF base.relkind NOT IN ('r', 'p') OR base.relpersistence = 't' OR base.relispartition
       OR schema_name IN ('pgsim', 'pgsim_data', 'pg_catalog', 'information_schema') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS006',
            MESSAGE = format('%s is %s', relation, CASE
                WHEN base.relkind = 'v' THEN 'a view' WHEN base.relkind = 'm' THEN 'a materialized view'
                WHEN base.relkind = 'f' THEN 'a foreign table' WHEN base.relkind NOT IN ('r', 'p') THEN 'not a table'
                WHEN base.relpersistence = 't' THEN 'a temporary table' WHEN base.relispartition THEN 'a partition of another table'
                ELSE 'a table of the system or of pgsim' END),
            HINT = 'Register an ordinary or a partitioned table of your own; of a partitioned table, its root.';
    END IF;
    IF EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = base.oid) AND base.relkind = 'r' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS006', MESSAGE = format('table %s has tables that inherit from it, whose rows its key does not cover', relation),
            HINT = 'Register a table of its own, or make it a partitioned one.';
    END IF;
    PERFORM pgsim._require_owner(relation);

    key := create_collection.key_columns;
    IF key IS NULL THEN
        SELECT array_agg(a.attname::text ORDER BY k.ordinal) INTO key
        FROM pg_index AS i
        CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, ordinal)
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = base.oid AND i.indisprimary AND i.indimmediate AND k.ordinal <= i.indnkeyatts;
        IF key IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PS022',
                MESSAGE = format('table %s has no primary key, or a deferrable one', relation),
                HINT = 'Add one (ALTER TABLE ... ADD PRIMARY KEY), or name columns under a unique index that are NOT NULL: key_columns => ''{...}''.';
        END IF;
    ELSE
        PERFORM pgsim._check_columns(relation, 'key_columns', key);
        IF NOT EXISTS (
            SELECT FROM pg_index AS i
            WHERE i.indrelid = base.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
              AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute AS a
                   WHERE a.attrelid = base.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
                  = (SELECT array_agg(k ORDER BY k COLLATE "C") FROM unnest(key) AS k)
        ) OR EXISTS (
            SELECT FROM pg_attribute AS a WHERE a.attrelid = base.oid AND a.attname = ANY (key) AND NOT a.attnotnull
        ) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS022',
                MESSAGE = format('%s of table %s cannot serve as its key', key, relation),
                HINT = 'A key is a set of NOT NULL columns under a unique index or constraint on just these columns.';
        END IF;
    END IF;
    PERFORM pgsim._check_key_types(relation, key);
    name := coalesce(name, base.relname::text);
    PERFORM pgsim._check_name('collection', name);
    text_columns := coalesce(text_columns, '{}');
    filter_columns := coalesce(filter_columns, '{}');
    PERFORM pgsim._check_columns(relation, 'text_columns', text_columns);
    PERFORM pgsim._check_columns(relation, 'filter_columns', filter_columns);
    IF text_config IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'text_config is NULL', HINT = 'Name a text search configuration: \dF lists them.';
    END IF;

    BEGIN
        INSERT INTO pgsim._collection (name, relation, key_columns, text_columns, text_config, filter_columns)
        VALUES (create_collection.name, create_collection.relation, key, create_collection.text_columns,
                (SELECT format('%I.%I', n.nspname, t.cfgname) FROM pg_ts_config AS t JOIN pg_namespace AS n ON n.oid = t.cfgnamespace
                 WHERE t.oid = create_collection.text_config),
                create_collection.filter_columns)
        RETURNING id INTO new_id;
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020',
            MESSAGE = (SELECT format('table %s is registered already, as collection %L', c.relation, c.name)
                       FROM pgsim._collection AS c WHERE c.relation = create_collection.relation
                       UNION ALL SELECT format('collection %L exists already, of table %s', c.name, c.relation)
                       FROM pgsim._collection AS c WHERE c.name = create_collection.name LIMIT 1),
            HINT = 'Use it as it is, name the new one otherwise (name => ...), or forget the old one with pgsim.drop_collection.';
    END;
    INSERT INTO pgsim._embedding (collection_id, name, source_columns) VALUES (new_id, 'default', create_collection.text_columns);
    RETURN create_collection.name;
END
$$;
COMMENT ON FUNCTION pgsim.create_collection IS
$$Registers a table for search and returns the collection's name.

relation: an ordinary or partitioned table that you own. name: default the table's name without its schema.
key_columns: default the primary key; otherwise NOT NULL columns under one unique index. text_columns: what the default
embedding is made from. text_config: their language, as a text search configuration.
filter_columns: columns that searches filter by most; a filter may name any column all the same.
The table itself is not changed. Errors: PS005, PS006, PS010, PS011, PS020, PS022, PS032.$$;

CREATE FUNCTION pgsim.create_embedding(collection text, name text, source_columns text[]) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._check_name('embedding', name);
    source_columns := coalesce(source_columns, '{}');
    PERFORM pgsim._check_columns(c.relation, 'source_columns', source_columns);
    BEGIN
        INSERT INTO pgsim._embedding (collection_id, name, source_columns)
        VALUES (c.id, create_embedding.name, create_embedding.source_columns);
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('collection %L has an embedding %L already', collection, name),
            HINT = 'Use it, or take another name.';
    END;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim.create_embedding IS
$$Declares another named vector of a collection (title, image, an aspect) and returns its name.

source_columns: the columns its text comes from; empty when you make the vectors yourself. The embedding named default
exists from the start. Errors: PS001, PS005, PS006, PS011, PS020, PS032.$$;

CREATE FUNCTION pgsim.create_index(
    collection text, model text, embedding text = 'default', dims int = NULL, element text = NULL, method text = 'hnsw',
    where_filter jsonb = NULL, options jsonb = '{}'
) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    s record;
    t pgsim._target;
    built regclass;
BEGIN
    PERFORM pgsim._require_registrar();
    -- One at a time for a version, so that each finds a name of its own.
    t := pgsim._target(collection, model, embedding);
    PERFORM FROM pgsim._version AS v WHERE v.id = t.version_id FOR NO KEY UPDATE;
    IF method = 'codes' THEN
        PERFORM pgsim._check_codes(t, dims, element, where_filter, options);
        RETURN pgsim._create_codes(t, true, dims, element, options);
    END IF;
    IF method = 'inverted' THEN
        RETURN pgsim._finish_inverted(t, pgsim._create_inverted(t, dims, element, where_filter, options, true));
    END IF;
    SELECT * INTO s FROM pgsim._index_statement(collection, model, embedding, dims, element, method, where_filter, options);
    EXECUTE s.statement;
    built := pgsim._register_index(s.version_id, s.name, s.full_dims, s.full_element, method, where_filter, options);
    IF NOT coalesce(options, '{}') ? 'slice' AND pgsim._wants_codes(t, dims, where_filter) THEN
        PERFORM pgsim._create_codes(t, true);
    END IF;
    RETURN built;
END
$$;
COMMENT ON FUNCTION pgsim.create_index IS
$$Builds a vector index for a version and returns it. model NULL: the active version.

method: hnsw (options m 2 to 100, ef_construction 4 to 1000), ivfflat (option lists; default by the number of rows; build it
after the rows are in) or codes: a narrow table of key, filter columns and one bit a dimension, which makes filtered searches fast; or, by dims and
element halfvec, of the first dimensions themselves, after a map of the model (option map, its name).
inverted, of sparse vectors under ip or cosine, is exact for any number of them.
The first index of the full width on a collection that declares filter columns makes codes as well. element: vector (up to 2000 dimensions), halfvec (up to 4000, half the bytes) or bit (one bit for each sign, up to 64000); default the
model's. Of sparse vectors hnsw takes up to 1000 numbers that are not zero, or the greatest of each (option top_weights, 1 to 1000). dims: index a prefix: of a model that declares prefixes one of them, of another one any. What an index on a prefix or on bits finds is ranked by the whole vectors (docs/matryoshka.md). Option slice of hnsw and ivfflat, a name: index that slice of the vectors.
where_filter: index only rows that match, for an adopted column.
Writes to the table wait while it is built; "pgsim index create" and Alembic's create_similarity_index build it CONCURRENTLY.
Errors: PS001 to PS006, PS010, PS012, PS014, PS015, PS020, PS032, PS035, PS054.$$;

CREATE FUNCTION pgsim.create_model(
    name text, dim int, metric text = 'cosine', element text = 'vector', matryoshka int[] = NULL, layer int = NULL,
    query_prefix text = NULL, document_prefix text = NULL, properties jsonb = '{}', slices jsonb = NULL
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._check_name('model', name);
    IF dim IS NULL OR dim NOT BETWEEN 1 AND (CASE element WHEN 'sparsevec' THEN 1000000000 ELSE 16000 END) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dim is %s; a model has 1 to 16000 dimensions, a sparse one up to 1000000000', coalesce(dim::text, 'NULL')),
            HINT = 'Give the width of the vectors that the model makes; of sparse ones it is the size of the vocabulary, and element is ''sparsevec''.';
    END IF;
    IF metric IS NULL OR metric NOT IN ('cosine', 'l2', 'ip', 'l1') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('metric is %s; known are cosine, l2, ip and l1', coalesce(quote_literal(left(metric, 80)), 'NULL')),
            HINT = 'The model''s card says which it was trained for; cosine suits most.';
    END IF;
    IF element IS NULL OR element NOT IN ('vector', 'halfvec', 'sparsevec') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('element is %s; known are vector (4 bytes a dimension), halfvec (2 bytes) and sparsevec (8 bytes a number that is not zero)', coalesce(quote_literal(left(element, 80)), 'NULL')),
            HINT = 'It says how vectors are stored; an index may use another.';
    END IF;
    matryoshka := coalesce(matryoshka, '{}');
    IF array_ndims(matryoshka) > 1 OR array_position(matryoshka, NULL) IS NOT NULL
       OR EXISTS (SELECT FROM unnest(matryoshka) AS d WHERE d NOT BETWEEN 1 AND dim)
       OR matryoshka <> coalesce((SELECT array_agg(DISTINCT d ORDER BY d) FROM unnest(matryoshka) AS d), '{}') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('matryoshka is %s; it lists prefix lengths of 1 to %s, each longer than the one before', matryoshka, dim),
            HINT = 'For instance: matryoshka => ''{64,128,256,384}''.';
    END IF;
    IF element = 'sparsevec' AND matryoshka <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('matryoshka is %s; sparse vectors have no prefixes', matryoshka), HINT = 'Leave it out.';
    END IF;
    slices := pgsim._check_slices(slices, dim, element);
    IF layer < 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('layer is %s; it is 0 or more', layer), HINT = 'Leave it out for the last layer.';
    END IF;
    IF properties IS NULL OR jsonb_typeof(properties) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'properties is not a JSON object', HINT = 'Anything you want to keep with the model: properties => ''{"revision": "2024-05"}''.';
    END IF;
    BEGIN
        INSERT INTO pgsim._model (name, dim, metric, element, matryoshka, layer, query_prefix, document_prefix, properties, slices)
        VALUES (create_model.name, create_model.dim, create_model.metric, create_model.element, create_model.matryoshka, create_model.layer,
                coalesce(create_model.query_prefix, ''), coalesce(create_model.document_prefix, ''), create_model.properties, create_model.slices);
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('model %L exists already', name),
            HINT = 'A model is one model at one revision and never changes: register another revision under another name.';
    END;
    RETURN name;
END
$$;
COMMENT ON FUNCTION pgsim.create_model IS
$$Registers an embedding model, at one revision, and returns its name.

dim: width of its vectors, 1 to 16000. metric: cosine, l2, ip (inner product) or l1. element: how vectors are stored, vector,
halfvec or sparsevec: of a sparse model (SPLADE, uniCOIL) dim is the size of its vocabulary, up to 1000000000. matryoshka: prefix lengths that are embeddings by themselves. layer: the layer it reads, when not the last.
query_prefix, document_prefix: text set before what is embedded. properties: anything you want to keep with it.
slices: parts of the vector by their names, as ranges of dimensions, which count from 1: {"title": "[1,129)"} are the first 128; each can be indexed and searched by itself.
Errors: PS010, PS011, PS020, PS032.$$;

CREATE FUNCTION pgsim.create_version(collection text, model text, embedding text = 'default', column_name text = NULL) RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    m pgsim._model;
    e pgsim._embedding;
    new_id int;
    table_name text;
    version_relation regclass;
    given_type text;
    wanted_type text;
    base_version pgsim._version;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    m := pgsim._model_row(model);
    e := pgsim._embedding_row(c, embedding);
    -- One at a time for an embedding, so that just one version is the first.
    PERFORM FROM pgsim._embedding AS s WHERE s.id = e.id FOR UPDATE;
    IF EXISTS (SELECT FROM pgsim._version AS v WHERE v.embedding_id = e.id AND v.model_id = m.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('embedding %L of collection %L has a version under model %L already', embedding, collection, model),
            HINT = 'Use it, or drop it first with pgsim.drop_version.';
    END IF;
    IF EXISTS (SELECT FROM pgsim._version AS v JOIN pgsim._model AS o ON o.id = v.model_id WHERE v.embedding_id = e.id AND (o.element = 'sparsevec') <> (m.element = 'sparsevec')) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('embedding %L of collection %L has %s vectors, and model %L makes %s ones', embedding, collection,
                CASE m.element WHEN 'sparsevec' THEN 'dense' ELSE 'sparse' END, model, CASE m.element WHEN 'sparsevec' THEN 'sparse' ELSE 'dense' END),
            HINT = format('Give them an embedding of their own, which is searched beside it: pgsim.create_embedding(%L, ''sparse'', source_columns), then pgsim.create_version(%1$L, %L, embedding => ''sparse'').', collection, model);
    END IF;

    IF m.map_id IS NOT NULL THEN
        base_version := pgsim._base_version(c, e, m, column_name);
    END IF;

    wanted_type := format('%s.%I(%s)', pgsim._vector_schema(), m.element, m.dim);
    IF column_name IS NOT NULL THEN
        PERFORM pgsim._check_columns(c.relation, 'column_name', ARRAY[column_name]);
        SELECT format('%s.%I%s', t.typnamespace::regnamespace, t.typname, CASE WHEN a.atttypmod > 0 THEN format('(%s)', a.atttypmod) ELSE '' END) INTO given_type
        FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = c.relation AND a.attname = create_version.column_name AND NOT a.attisdropped;
        IF given_type <> wanted_type THEN
            RAISE EXCEPTION USING ERRCODE = 'PS012',
                MESSAGE = format('column %I of %s is %s; model %L has %s', column_name, c.relation, given_type, model, wanted_type),
                HINT = 'Register a model of the column''s type and width, or give the column its width with ALTER TABLE ... ALTER COLUMN ... TYPE.';
        END IF;
        IF EXISTS (SELECT FROM pgsim._version AS v WHERE v.relation = c.relation AND v.column_name = create_version.column_name) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('column %I of %s is adopted already', column_name, c.relation),
                HINT = 'A column holds the vectors of one model.';
        END IF;
        version_relation := c.relation;
    END IF;

    INSERT INTO pgsim._version (embedding_id, model_id, state, relation, column_name, adopted, follows)
    VALUES (e.id, m.id,
            CASE WHEN EXISTS (SELECT FROM pgsim._version AS v WHERE v.embedding_id = e.id) THEN 'building' ELSE 'active' END,
            coalesce(version_relation, 'pgsim._version'), coalesce(create_version.column_name, 'embedding'), create_version.column_name IS NOT NULL, base_version.id)
    RETURNING id INTO new_id;
    IF column_name IS NULL THEN
        table_name := pgsim._version_name(c.name, e.name, m.name, new_id);
        version_relation := pgsim._create_version_table(c, table_name, wanted_type);
        UPDATE pgsim._version AS v SET relation = version_relation WHERE v.id = new_id;
        PERFORM pgsim._sync_version_privileges(c, version_relation);
    END IF;
    PERFORM pgsim._sync_triggers(c);
    PERFORM pgsim._record_transition(new_id, 'create', NULL, (SELECT v.state FROM pgsim._version AS v WHERE v.id = new_id));
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION pgsim.create_version IS
$$Gives an embedding a version under a model, and returns the version's id. The first version of an embedding becomes active.

column_name NULL: a table of its own in schema pgsim_data, empty at first, with the base table's owner, grants and row-level
security; its rows go with the base rows. Otherwise: adopts that vector column of the base table where it stands, moving nothing.
Under a derived model it follows the version of the same embedding under the model that the map begins at: every change there is mapped in the
writer's own transaction, pgsim.fill_version maps the rows that are there, and no embedder is called.
From here on changes of the source columns are queued; pgsim.enqueue_missing queues what has no vector yet.
Errors: PS001, PS002, PS003, PS005, PS006, PS010, PS012, PS020, PS032, PS035.$$;

CREATE FUNCTION pgsim.drop_collection(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
BEGIN
    PERFORM pgsim._require_registrar();
    SELECT * INTO c FROM pgsim._collection AS s WHERE s.name = drop_collection.name;
    IF c.id IS NULL THEN
        c := pgsim._collection_row(name);
    END IF;
    PERFORM pgsim._require_owner(c.relation);
    -- The strongest lock first: the foreign keys and triggers that go need it in the end, and others may hold what comes before.
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', c.relation);
    END IF;
    PERFORM pgsim._drop_version(v.id) FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id WHERE e.collection_id = c.id;
    PERFORM pgsim._drop_text(c);
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
        PERFORM pgsim._sync_triggers(c);
    END IF;
    DELETE FROM pgsim._queue AS q WHERE q.version_id = -c.id;
    DELETE FROM pgsim._collection AS d WHERE d.id = c.id;
END
$$;
COMMENT ON FUNCTION pgsim.drop_collection IS
    'Forgets a collection: its versions with their tables and indexes, its text index, its triggers, its queue. The table itself and its columns stay as they are. Errors: PS001, PS032.';

CREATE FUNCTION pgsim.drop_embedding(collection text, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    e pgsim._embedding;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    e := pgsim._embedding_row(c, name);
    IF e.name = 'default' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the embedding ''default'' of %L stays as long as the collection', collection),
            HINT = 'Drop its versions with pgsim.drop_version, or the collection with pgsim.drop_collection.';
    END IF;
    PERFORM pgsim._drop_version(v.id) FROM pgsim._version AS v WHERE v.embedding_id = e.id;
    DELETE FROM pgsim._embedding AS d WHERE d.id = e.id;
    PERFORM pgsim._sync_triggers(c);
END
$$;
COMMENT ON FUNCTION pgsim.drop_embedding IS 'Drops an embedding of a collection with all its versions. The embedding named default goes with its collection. Errors: PS001, PS003, PS006, PS032, PS035.';

CREATE FUNCTION pgsim.drop_index(index regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_id int;
    codes_of record;
BEGIN
    PERFORM pgsim._require_registrar();
    SELECT i.version_id, v.relation INTO codes_of FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id WHERE i.relation = drop_index.index AND i.method = 'codes';
    IF FOUND THEN
        PERFORM pgsim._require_owner(codes_of.relation);
        PERFORM pgsim._drop_codes(codes_of.version_id, index);
        RETURN;
    END IF;
    SELECT i.id INTO found_id
    FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id
    JOIN pg_index AS x ON x.indexrelid = drop_index.index AND x.indrelid = v.relation
    JOIN pg_class AS k ON k.oid = x.indexrelid AND k.relname = i.name;
    IF found_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS008', MESSAGE = format('%s is not an index that pgsim made', coalesce(index::text, 'NULL')),
            HINT = 'The view pgsim.indexes lists them; drop others with DROP INDEX.';
    END IF;
    PERFORM pgsim._require_owner((SELECT x.indrelid FROM pg_index AS x WHERE x.indexrelid = drop_index.index));
    IF EXISTS (SELECT FROM pgsim._index AS i WHERE i.id = found_id AND i.method = 'inverted') THEN
        PERFORM pgsim._drop_inverted(found_id);
        RETURN;
    END IF;
    EXECUTE format('DROP INDEX %s', index);
    DELETE FROM pgsim._index AS i WHERE i.id = found_id;
END
$$;
COMMENT ON FUNCTION pgsim.drop_index IS 'Drops an index that pgsim made; of codes, their table. Errors: PS008, PS032.';

CREATE FUNCTION pgsim.drop_model(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m pgsim._model;
BEGIN
    PERFORM pgsim._require_registrar();
    m := pgsim._model_row(name);
    BEGIN
        DELETE FROM pgsim._model AS d WHERE d.id = m.id;
    EXCEPTION WHEN foreign_key_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'PS021', MESSAGE = format('model %L is in use', name),
            DETAIL = 'By: ' || (SELECT string_agg(u.by, '; ') FROM (
                SELECT format('%L, embedding %L', v.collection, v.embedding) AS by FROM pgsim.versions AS v WHERE v.model = drop_model.name
                UNION ALL SELECT format('map %L', p.name) FROM pgsim._map AS p WHERE m.id IN (p.from_model_id, p.to_model_id)) AS u),
            HINT = 'Drop its versions first, with pgsim.drop_version, and maps with pgsim.drop_map.';
    END;
END
$$;
COMMENT ON FUNCTION pgsim.drop_model IS 'Forgets a model that no version is under. Errors: PS002, PS021, PS032.';

CREATE FUNCTION pgsim.drop_version(collection text, model text, embedding text = 'default', force boolean = false, reason text = NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    e pgsim._embedding;
    v pgsim._version;
    followers regclass[];
BEGIN
    PERFORM pgsim._lock_embedding(collection, embedding);
    c := pgsim._collection_row(collection);
    e := pgsim._embedding_row(c, embedding);
    SELECT * INTO v FROM pgsim._version AS s WHERE s.embedding_id = e.id AND s.model_id = (pgsim._model_row(model)).id;
    IF v.id IS NULL THEN
        PERFORM pgsim._target(collection, model, embedding);
    END IF;
    IF v.state = 'active' AND NOT coalesce(force, false) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035',
            MESSAGE = format('the version of %L under model %L is active: searches are answered from it', collection, model),
            HINT = 'Drop it all the same with force => true.';
    END IF;
    followers := pgsim._release_followers(v.id, force);
    PERFORM pgsim._record_transition(v.id, 'drop', v.state, NULL, reason, v.state = 'active');
    PERFORM pgsim._drop_version(v.id);
    PERFORM pgsim._sync_triggers(c);
    PERFORM pgsim._sync_version_privileges(c, f) FROM unnest(followers) AS f;
END
$$;
COMMENT ON FUNCTION pgsim.drop_version IS
$$Drops a version: its table and indexes; of an adopted column only the indexes that pgsim made, the column stays.

force: drop it even when it is active, or when a derived version follows it: that stays, and from then on takes vectors itself, mapped on their
way (which takes all rows to be mapped). reason stands in pgsim.history, which keeps the step. Errors: PS001 to PS006, PS021, PS032, PS035.$$;

CREATE FUNCTION pgsim.enqueue_missing(collection text, model text = NULL, embedding text = 'default', order_by text = NULL) RETURNS bigint
LANGUAGE sql
RETURN pgsim._enqueue_missing(enqueue_missing.collection, enqueue_missing.model, enqueue_missing.embedding, enqueue_missing.order_by, pg_catalog.current_setting('search_path'));
COMMENT ON FUNCTION pgsim.enqueue_missing IS
$$Queues the rows of a version that have no vector, or one made from another text, and are not queued yet; returns how many.

It finds them by comparing the tables, so it also mends a queue that missed something: rows that were there before the version,
that came in through a partition made since, or were written while triggers were off. Of an adopted column it finds the NULLs.
Rows without text are left out, and those set aside (pgsim.poison_rows). It takes no lock on the base table.

order_by: in which order they are to be embedded; what it queued before in another order is queued anew, and counted. recency: rows
last written first. hot: rows that recorded searches found most often first (pgsim.record_searches). Anything else is SQL over the
table, 'published DESC, id'; never build it from what users type. model NULL: the active version.
Errors: PS001 to PS006, PS010, PS032, PS035, PS047.$$;

CREATE FUNCTION pgsim.sync_privileges(collection text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    version regclass;
    codes regclass;
    lapsed text[];
    text_lapsed boolean := false;
    lapsed_maps text[];
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    FOR version IN SELECT v.relation FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id
                   JOIN pg_class AS r ON r.oid = v.relation WHERE e.collection_id = c.id AND NOT v.adopted LOOP
        PERFORM pgsim._sync_version_privileges(c, version);
        PERFORM pgsim._sync_removal_trigger(version);
    END LOOP;
    FOR codes IN SELECT i.relation FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._embedding AS e ON e.id = v.embedding_id
                 JOIN pg_class AS r ON r.oid = i.relation WHERE e.collection_id = c.id AND i.method IN ('codes', 'inverted') LOOP
        PERFORM pgsim._sync_codes_privileges(c, codes);
    END LOOP;
    IF EXISTS (SELECT FROM pgsim._text AS x JOIN pg_class AS r ON r.oid = x.documents WHERE x.collection_id = c.id) THEN
        PERFORM pgsim._sync_text_privileges(c);
        text_lapsed := EXISTS (SELECT FROM pgsim._trigger_drift(c) AS d WHERE d.name LIKE '!pgsim\_text\_%' AND d.definition IS NOT NULL);
    END IF;
    SELECT array_agg(DISTINCT split_part(d.name, '_', 3)) INTO lapsed
    FROM pgsim._trigger_drift(c) AS d WHERE d.name ~ '^!pgsim_(codes|inverted)_' AND d.definition IS NOT NULL;
    SELECT array_agg(DISTINCT split_part(d.name, '_', 3)) INTO lapsed_maps
    FROM pgsim._trigger_drift(c) AS d WHERE d.name ~ '^[!~]pgsim_map_' AND d.definition IS NOT NULL;
    PERFORM pgsim._sync_triggers(c);
    IF text_lapsed AND row_security_active(c.relation) THEN
        UPDATE pgsim._text AS x SET complete = false WHERE x.collection_id = c.id;
    ELSIF text_lapsed THEN
        PERFORM pgsim._fill_text(c, pgsim._text_row(c));
    END IF;
    PERFORM pgsim._repair_mapped(pgsim._target(v.collection, v.model, v.embedding))
    FROM pgsim.versions AS v WHERE v.id::text = ANY (lapsed_maps) AND NOT row_security_active(c.relation);
    -- What was written while triggers were missing or off is not in the codes.
    UPDATE pgsim._index AS i SET complete = false WHERE i.method IN ('codes', 'inverted') AND i.id::text = ANY (lapsed) AND row_security_active(c.relation);
    PERFORM pgsim._repair_codes(pgsim._target(v.collection, v.model, v.embedding), i.relation, c.filter_columns)
    FROM pgsim._index AS i JOIN pgsim.versions AS v ON v.id = i.version_id JOIN pg_class AS r ON r.oid = i.relation
    WHERE i.method = 'codes' AND i.complete AND i.id::text = ANY (lapsed) AND NOT row_security_active(c.relation);
    PERFORM pgsim._fill_inverted(pgsim._target(v.collection, v.model, v.embedding), i.relation, true)
    FROM pgsim._index AS i JOIN pgsim.versions AS v ON v.id = i.version_id JOIN pg_class AS r ON r.oid = i.relation
    WHERE i.method = 'inverted' AND i.complete AND i.id::text = ANY (lapsed) AND NOT row_security_active(c.relation);
END
$$;
COMMENT ON FUNCTION pgsim.sync_privileges IS
$$Brings a collection's tables up to its base table, after GRANT, REVOKE, a change of owner or of row-level security, or a new partition.

Version tables (and codes, text and inverted indexes, to read) take the base table's owner, its grants (SELECT, INSERT, UPDATE, DELETE) and, under row-level security, policies that ask
the base table; change capture reaches every partition, and triggers that were disabled are enabled. pgsim.check reports what has drifted. Errors: PS001, PS006, PS032.$$;

CREATE FUNCTION pgsim.upsert(
    collection text, model text, keys text[], vectors vector[] = NULL, embedding text = 'default', source_hashes bytea[] = NULL,
    skip_absent boolean = false, sparse_vectors sparsevec[] = NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    hash text;
    bad record;
    rows_named bigint;
    stored bigint;
    offered bigint := cardinality(keys);
    sparse boolean;
    statement text;
    unchanged text := '';
BEGIN
    IF model IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS002', MESSAGE = 'model is NULL', HINT = 'Name the model that made the vectors: nothing else tells one model''s vectors from another''s.';
    END IF;
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        -- What is stored there is mapped here.
        t := pgsim._followed(t);
        RETURN pgsim.upsert(collection, t.model, keys, vectors, embedding, source_hashes, skip_absent, sparse_vectors);
    END IF;
    sparse := t.element = 'sparsevec';
    IF sparse AND vectors IS NOT NULL THEN
        PERFORM pgsim._require_dense(t, 'vectors is');
    ELSIF NOT sparse AND sparse_vectors IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('sparse_vectors is given; model %L is dense, of %s numbers each', t.model, t.dim), HINT = 'Give dense vectors as vectors, or name the sparse model.';
    END IF;
    IF keys IS NULL OR num_nonnulls(vectors, sparse_vectors) = 0 OR array_ndims(keys) > 1 OR greatest(array_ndims(vectors), array_ndims(sparse_vectors)) > 1
       OR offered <> coalesce(cardinality(vectors), cardinality(sparse_vectors)) OR offered <> coalesce(cardinality(source_hashes), offered) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010',
            MESSAGE = format('%s keys, %s vectors%s; there must be as many of each', coalesce(offered::text, 'NULL'), coalesce(coalesce(cardinality(vectors), cardinality(sparse_vectors))::text, 'NULL'),
                             coalesce(' and ' || cardinality(source_hashes) || ' source_hashes', '')),
            HINT = 'Give two flat arrays of one length: the i-th vector belongs to the i-th key.';
    END IF;
    IF t.map_id IS NOT NULL THEN
        vectors := pgsim._mapped_queries(t, vectors, 'row');
    END IF;
    IF sparse THEN
        SELECT i.key, i.v INTO bad FROM unnest(keys, sparse_vectors) AS i (key, v) WHERE pgsim._sparse_problem(i.v, t.dim, t.metric) IS NOT NULL LIMIT 1;
        IF FOUND THEN
            PERFORM pgsim._check_sparse(bad.v, format('the vector of key %s', coalesce(quote_literal(left(bad.key, 200)), 'NULL')), t.model, t.dim, t.metric);
        END IF;
    END IF;
    SELECT i.key, i.v INTO bad
    FROM unnest(keys, vectors) AS i (key, v) WHERE NOT sparse AND pgsim._vector_problem(i.v, t.dim, t.metric, t.element) IS NOT NULL LIMIT 1;
    IF FOUND THEN
        PERFORM pgsim._check_vector(bad.v, format('the vector of key %s', coalesce(quote_literal(left(bad.key, 200)), 'NULL')), t.model, t.dim, t.metric, t.element);
    END IF;
    SELECT i.key, count(*) AS times INTO bad FROM unnest(keys) AS i (key) GROUP BY i.key HAVING i.key IS NULL OR count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016',
            MESSAGE = CASE WHEN bad.key IS NULL THEN 'a key is NULL' ELSE format('key %L is given %s times', left(bad.key, 200), bad.times) END,
            HINT = 'Give each key once.';
    END IF;
    rows_named := pgsim._check_keys(t.base, t.key_columns, keys);
    IF rows_named < offered THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('%s keys name %s rows: some are the same, written differently', offered, rows_named),
            HINT = 'Give each row once.';
    END IF;

    IF t.source_columns <> '{}' THEN
        PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    END IF;
    -- The hash of the text that was embedded says later whether the row changed meanwhile; without one the text of now is taken.
    hash := CASE WHEN source_hashes IS NOT NULL THEN 'i.source_hash' WHEN t.source_columns = '{}' THEN 'NULL::bytea'
                 ELSE format('pgsim._source_hash(%s)', pgsim._source_text('b.', t.source_columns)) END;
    -- What a worker brings late, of a text that changed meanwhile, must not replace what another has stored since.
    IF source_hashes IS NOT NULL AND skip_absent AND t.source_columns <> '{}' THEN
        unchanged := format('AND pgsim._source_hash(%s) OPERATOR(pg_catalog.=) i.source_hash', pgsim._source_text('b.', t.source_columns));
    END IF;
    BEGIN
        IF t.adopted THEN
            statement := format(
                'UPDATE %1$s AS b SET %2$I = i.v::%3$s.%4$I '
                'FROM (SELECT %5$s, k.v, k.source_hash FROM unnest($1, $2, $3) AS k (given, v, source_hash)) AS i WHERE %6$s %7$s',
                t.base_sql, t.column_name, t.vector_schema, t.element, pgsim._key_parse(t.base, 'k.given', t.key_columns, true),
                pgsim._key_join('b.', 'i.', t.key_columns, true), unchanged);
        ELSE
            statement := format(
                'INSERT INTO %1$s AS v (%2$s, embedding, provisional, source_hash, embedded_at) '
                'SELECT %3$s, i.v::%4$s.%5$I, false, %6$s, now() '
                'FROM (SELECT %7$s, k.v, k.source_hash FROM unnest($1, $2, $3) AS k (given, v, source_hash)) AS i JOIN %8$s AS b ON %9$s %10$s ORDER BY %3$s FOR KEY SHARE OF b '
                'ON CONFLICT (%2$s) DO UPDATE SET embedding = excluded.embedding, provisional = excluded.provisional, '
                'source_hash = excluded.source_hash, embedded_at = excluded.embedded_at',
                t.version_sql, pgsim._key_list('', t.key_columns, true), pgsim._key_list('b.', t.key_columns, false),
                t.vector_schema, t.element, hash, pgsim._key_parse(t.base, 'k.given', t.key_columns, true),
                t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true), unchanged);
        END IF;
        IF sparse THEN
            EXECUTE statement USING keys, sparse_vectors, source_hashes;
        ELSE
            EXECUTE statement USING keys, vectors, source_hashes;
        END IF;
        GET DIAGNOSTICS stored = ROW_COUNT;
    EXCEPTION
        WHEN cardinality_violation THEN
            RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = 'two keys name the same row', HINT = 'Give each row once.';
        WHEN program_limit_exceeded THEN
            IF NOT sparse THEN
                RAISE;
            END IF;
            RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('a vector has more numbers that are not zero than an index of %s takes: %s', t.version_sql, SQLERRM),
                HINT = format('Drop that index; make one of the greatest weights, pgsim.create_index(%L, %L, %L, options => ''{"top_weights": 1000}''), or method => ''inverted''.', collection, model, embedding);
        WHEN insufficient_privilege THEN
            RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not store vectors of %s: %s', current_user, t.base_sql, SQLERRM),
                HINT = format('It takes SELECT, INSERT and UPDATE on %s (SELECT and UPDATE for an adopted column), and row-level security that lets the rows be changed.', t.base_sql);
    END;
    IF stored < offered AND NOT coalesce(skip_absent, false) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS007',
            MESSAGE = format('%s of %s keys are not in %s, or %I may not see or change their rows', offered - stored, offered, t.base_sql, current_user),
            DETAIL = coalesce('Not there, or not visible: ' || pgsim._absent_keys(t.base, t.key_columns, keys), 'The rows are there, and row-level security keeps them from being changed.'),
            HINT = 'Insert the rows first. Nothing of this call was stored.';
    END IF;
    RETURN stored;
END
$$;
COMMENT ON FUNCTION pgsim.upsert IS
$$Stores vectors under a model, replacing what a key had, and returns how many. All of them, or none.

keys: base keys as text (of a composite key a JSON object). vectors: one for each, of the model's width; under a sparse model
sparse_vectors instead.
source_hashes: SHA-256 of the text each vector was made from, when it was read earlier; default the row's text of now (an adopted
column keeps none).
Under a derived model they are of the model that its map begins at, and stored under that where it has a version, which the derived one follows.
skip_absent: leave out keys that are not in the base table (rows deleted since they were read), where they are an error otherwise; and with
source_hashes also rows whose text has changed since, which are queued again.
Needs SELECT, INSERT and UPDATE on the base table. Errors: PS001 to PS007, PS010, PS012, PS013, PS016, PS032, PS035.$$;

CREATE FUNCTION pgsim._after_condition(t pgsim._target, distance text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last_key text := '(($1 -> ''$after'') ->> ''key'')';
    last_distance text := '(($1 -> ''$after'') ->> ''distance'')::float8';
    condition text := 'false';
    key_value text;
BEGIN
    FOR i IN REVERSE cardinality(t.key_columns) .. 1 LOOP
        SELECT format('%s::%s', CASE cardinality(t.key_columns) WHEN 1 THEN last_key ELSE format('(%s::jsonb ->> %L)', last_key, t.key_columns[i]) END,
                      format_type(a.atttypid, a.atttypmod))
        INTO key_value FROM pg_attribute AS a WHERE a.attrelid = t.base AND a.attname = t.key_columns[i] AND NOT a.attisdropped;
        condition := format('(k_%1$s OPERATOR(pg_catalog.>) %2$s OR k_%1$s OPERATOR(pg_catalog.=) %2$s AND %3$s)', i, key_value, condition);
    END LOOP;
    RETURN format('(%1$s > %2$s OR %1$s = %2$s AND %3$s)', distance, last_distance, condition);
END
$$;
COMMENT ON FUNCTION pgsim._after_condition IS 'The condition that a row comes after the last one of the page before, which $1 holds under $after: by distance, and at one distance by key.';

CREATE FUNCTION pgsim._among(p pgsim._search_plan, n float8) RETURNS float8
LANGUAGE sql IMMUTABLE
RETURN p.depth * greatest(1, p.reachable / greatest(n, 1) * CASE WHEN p.predicate IS NULL THEN 1 ELSE 1.3 END);
COMMENT ON FUNCTION pgsim._among IS
    'Among how many of the nearest rows the wanted ones are, when n match. What people filter by lies together, and seldom just where they ask: a filter takes some 30% more than its share says. (Measured on the Debian corpus: joins, tags, ranges.)';

CREATE FUNCTION pgsim._ann_seconds(c pgsim._calibration, p pgsim._search_plan, n float8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ef float8 := pgsim._expected_ef(c, p.recall, pgsim._among(p, n));
BEGIN
    -- pgvector takes no more than 1000. Those that lie far off look again.
    RETURN CASE WHEN ef > 1000 THEN 'Infinity' ELSE (c.ann_start + coalesce(c.ef_looks, 1) * ef * c.ann_candidate) * p.parts + greatest(p.depth, ef * n / greatest(p.reachable, 1) / 3) * c.keep_row END;
END
$$;
COMMENT ON FUNCTION pgsim._ann_seconds IS 'What a search by an HNSW index is expected to cost when n rows match; infinite where it cannot find the recall asked for.';

CREATE FUNCTION pgsim._at_recall(recall float8, curve float8[]) RETURNS float8
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    levels CONSTANT float8[] := pgsim._recall_levels();
    i int := 1;
BEGIN
    WHILE i < cardinality(levels) - 1 AND levels[i + 1] < recall LOOP
        i := i + 1;
    END LOOP;
    IF curve[i] = 'Infinity' OR curve[i + 1] = 'Infinity' THEN
        RETURN 'Infinity';
    END IF;
    -- Each ten times fewer misses cost about as much again: linear in the logarithm of what is missed.
    RETURN curve[i] + (curve[i + 1] - curve[i]) * ln((1 - levels[i]) / greatest(1 - recall, 1e-4)) / ln((1 - levels[i]) / (1 - levels[i + 1]));
END
$$;
COMMENT ON FUNCTION pgsim._at_recall IS 'A curve over pgsim._recall_levels() read at a recall: interpolated between its points, and beyond them extended.';

CREATE FUNCTION pgsim._calibrate_index(t pgsim._target, queries vector[], turned float8[] = NULL) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    depths CONSTANT int[] := pgsim._depths();
    efs CONSTANT int[] := '{40,80,160,320,640,1000}';
    element text := (SELECT u.element FROM pgsim._usable_index(t, t.dim, NULL) AS u WHERE u.method = 'hnsw');
    distance text := format('v.%I OPERATOR(%s.%s) $1', t.column_name, t.vector_schema, pgsim._distance_operator(t.metric));
    indexed text := format('%s OPERATOR(%s.%s) %s',
        pgsim._vector_expression(format('v.%I', t.column_name), t.vector_schema, t.prefix_metric, t.dim, t.element, t.dim, coalesce(element, t.element)), t.vector_schema,
        pgsim._distance_operator(t.metric), pgsim._vector_expression('$1', t.vector_schema, t.prefix_metric, t.dim, 'vector', t.dim, coalesce(element, t.element)));
    exact_sql text := format('SELECT array_agg(n.d) FROM (SELECT (%s) OPERATOR(pg_catalog.+) 0 AS d FROM %s AS v ORDER BY d LIMIT 200) AS n', distance, t.version_sql);
    index_sql text := format('SELECT array_agg(n.d) FROM (SELECT %s AS d FROM %s AS v ORDER BY %s LIMIT $2) AS n', distance, t.version_sql, indexed);
    previous jsonb;
    truth float8[];
    found float8[];
    started timestamptz;
    seconds float8;
    measured jsonb := '[]';
    funnels jsonb := '[]';
    of_query jsonb;
    ef int;
BEGIN
    FOR q IN 1 .. cardinality(queries) LOOP
        CONTINUE WHEN element = 'halfvec' AND pgsim._vector_problem(queries[q], t.dim, t.metric, 'halfvec') IS NOT NULL;
        EXECUTE exact_sql INTO truth USING queries[q];
        truth := array_remove(array_remove(truth, NULL), 'NaN');
        of_query := '[]';
        FOREACH ef IN ARRAY CASE WHEN element IS NULL THEN '{}' ELSE efs END LOOP
            previous := pgsim._set(jsonb_build_object('hnsw.iterative_scan', 'off', 'hnsw.ef_search', ef::text, 'enable_seqscan', 'off', 'enable_sort', 'off', 'jit', 'off'));
            EXECUTE index_sql INTO found USING queries[q], least(ef, 200);
            -- One in four is timed, and that tells enough.
            seconds := NULL;
            IF q % 4 = 1 THEN
                started := clock_timestamp();
                EXECUTE index_sql USING queries[q], 10;
                seconds := extract(epoch FROM clock_timestamp() - started);
            END IF;
            PERFORM pgsim._set(previous);
            of_query := of_query || (
                SELECT coalesce(jsonb_agg(jsonb_build_object('ef', ef, 'depth', d, 'seconds', seconds, 'distance', truth[d], 'asked', coalesce(turned[q], 0) < 1, 'recall', pgsim._tie_recall(found, truth[1:d]))), '[]')
                FROM unnest(depths) AS d WHERE d <= cardinality(truth) AND d <= ef);
        END LOOP;
        -- Rows that no ef finds say nothing of which to take. (Of a query that somebody asked they count all the same.)
        IF turned IS NULL OR pgsim._tie_recall(found, truth[1:10]) = 1 THEN
            measured := measured || of_query;
        END IF;
        IF turned IS NULL OR element IS NULL OR pgsim._tie_recall(found, truth[1:10]) = 1 THEN
            funnels := funnels || pgsim._calibrate_funnels(t, queries[q], truth, coalesce(turned[q], 0) < 1, q % 4 = 1);
        END IF;
    END LOOP;
    RETURN jsonb_build_object('index', measured, 'funnels', funnels);
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_index IS 'How much of the nearest ten to two hundred rows the index finds at some values of hnsw.ef_search, how far the last of them lies, and in what time. turned: by how much each query was turned, where nobody asked it; what is turned by 1 or more lies farther than most that is asked.';

CREATE FUNCTION pgsim._calibrate_part(collection text, model text, embedding text, queries vector[], sample int, part text, first int, last int) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := pgsim._target(collection, model, embedding);
    asked queries%TYPE;
    turns CONSTANT float8[] := '{0.3,0.6,0.9,1.2}';
    turned float8[];
    taken queries%TYPE := pgsim._recall_queries(collection, queries, model, embedding, coalesce(sample, pgsim._calibration_sample(t)), 0);
BEGIN
    PERFORM pgsim._require_registrar();
    PERFORM pgsim._require_all_rows(t);
    IF t.map_id IS NOT NULL THEN
        taken := pgsim._mapped_queries(t, taken);
    END IF;
    IF part = 'codes' THEN
        PERFORM pgsim._calibrate_margins(t, coalesce(t.codes_dims, t.dim), coalesce(t.codes_element, 'bit'), t.codes_map);
        RETURN '{}';
    ELSIF part = 'rows' THEN
        RETURN pgsim._calibrate_rows(t, taken[1:8]);
    END IF;
    asked := taken[first:last];
    IF queries IS NULL THEN
        -- An index finds its own rows more easily than anything else. Turned, some little and some far, they lie about as questions do, and tell how much harder far ones are.
        FOR i IN first .. last LOOP
            asked[i - first + 1] := pgsim._turned(taken[i], ARRAY(SELECT taken[1 + (17 * i + 7 * j) % cardinality(taken)] FROM generate_series(1, 16) AS j), turns[1 + i % 4]);
            turned[i - first + 1] := turns[1 + i % 4];
        END LOOP;
    END IF;
    RETURN pgsim._calibrate_index(t, asked, turned);
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_part IS 'One step of a calibration; pgsim._store_calibration makes one of them all.';

CREATE FUNCTION pgsim._calibrate_rows(t pgsim._target, queries vector[]) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- More rows than these tell nothing new.
    part text := CASE WHEN t.rows > 50000 THEN format('TABLESAMPLE SYSTEM (%s) REPEATABLE (0)', round((5e6 / t.rows)::numeric, 4)) END;
    stored text := format('%s.%I', CASE WHEN t.adopted THEN 'b' ELSE 'v' END, t.column_name);
    distance text := format('%s OPERATOR(%s.%s) $1', stored, t.vector_schema, pgsim._distance_operator(t.metric));
    -- A version table of its own is read as searches read it: row by row of the base table.
    own text := CASE WHEN NOT t.adopted THEN format(' JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END;
    keys text := pgsim._key_list('b.', t.key_columns, false);
    drawn text := format('SELECT %s FROM %s AS b TABLESAMPLE BERNOULLI (%s) REPEATABLE (0) LIMIT 500', keys, t.base_sql, round(least(100, 5e4 / greatest(t.rows, 1))::numeric, 4));
    statements text[];
    best float8;
    seconds float8[] := '{}';
    counted float8;
    kept float8;
    started timestamptz;
    -- Of a sample a join by hashes would read the whole other table.
    previous jsonb := pgsim._set('{"jit": "off", "max_parallel_workers_per_gather": "0"}' || CASE WHEN part IS NULL THEN '{}' ELSE '{"enable_hashjoin": "off", "enable_mergejoin": "off"}' END::jsonb);
BEGIN
    statements := ARRAY[
        format('SELECT count(%s) FROM (SELECT b.* FROM %s AS b %s) AS b', split_part(keys, ', ', 1), t.base_sql, part),
        concat('SELECT count(*) FROM (SELECT (', distance, ') OPERATOR(pg_catalog.+) 0 AS d FROM ', format('(SELECT b.* FROM %s AS b %s) AS b', t.base_sql, part), own, ' ORDER BY d LIMIT 10) AS n'),
        -- Rows by their keys, one at a time, scattered over the table.
        concat('SELECT count(*) FROM (SELECT ', distance, ' AS d FROM (', drawn, ') AS k CROSS JOIN LATERAL ',
               format('(SELECT * FROM %s AS b WHERE %s LIMIT 1) AS b', t.base_sql, pgsim._key_join('b.', 'k.', t.key_columns, false)), own, ' ORDER BY d LIMIT 10) AS n'),
        format('SELECT count(*) FROM (%s) AS k', drawn),
        CASE WHEN t.codes_sql IS NOT NULL THEN
            format('SELECT count(*) FROM (SELECT c.code %s %s AS h FROM %s AS c %s ORDER BY h LIMIT 1000) AS n', pgsim._code_distance(t.vector_schema, t.codes_element),
                   format('(SELECT %s)', pgsim._code_expression('$1', t.vector_schema, t.dim, t.codes_dims, t.codes_element, t.codes_map)), t.codes_sql, part) END];
    FOR s IN 1 .. cardinality(statements) LOOP
        best := NULL;
        FOR q IN 1 .. CASE WHEN statements[s] IS NULL THEN 0 ELSE cardinality(queries) END LOOP
            started := clock_timestamp();
            EXECUTE statements[s] USING queries[q];
            best := least(best, extract(epoch FROM clock_timestamp() - started));
        END LOOP;
        seconds := seconds || best;
    END LOOP;
    EXECUTE statements[1] INTO counted;
    EXECUTE statements[4] INTO kept;
    PERFORM pgsim._set(previous);
    counted := greatest(counted, 1);
    kept := greatest(kept, 1);
    RETURN jsonb_build_object(
        'scan_row', seconds[1] / counted,
        'keep_row', greatest(seconds[3] - seconds[4], 1e-7 * kept) / kept,
        -- Found through an index rows lie less scattered than by their keys, and more so than in a scan: half way in the logarithm.
        'exact_row', sqrt(greatest(seconds[2] - seconds[1], 1e-7 * counted) / counted * greatest(seconds[3] - seconds[4], 1e-7 * kept) / kept),
        'code_row', seconds[5] / counted);
END
$$;
COMMENT ON FUNCTION pgsim._calibrate_rows IS 'What a row costs, in seconds: read in a scan, ranked by its vector among matches, fetched by its key and ranked, listed by its code; with the join of a version table of its own. The best of some runs.';

CREATE FUNCTION pgsim._calibration_parts(collection text, model text, embedding text, queries vector[], sample int) RETURNS TABLE (part text, first int, last int)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    given int;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_dense(t, 'calibration is',
        'Nothing of it is needed: exact searches and the inverted index find everything. What an hnsw index finds pgsim.recall measures, and a higher recall => ... looks further.');
    PERFORM pgsim._require_all_rows(t);
    given := cardinality(pgsim._recall_queries(collection, queries, model, embedding, coalesce(sample, pgsim._calibration_sample(t)), 0));
    IF given < 10 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('collection %L has %s queries to be calibrated with, and ten are the least', collection, given),
            HINT = 'Store vectors first: until then the defaults serve. Or give more queries.';
    END IF;
    RETURN QUERY
        SELECT 'codes', 1, given WHERE t.codes_sql IS NOT NULL
        UNION ALL SELECT 'rows', 1, given
        UNION ALL SELECT 'index', q, least(q + 4, given) FROM generate_series(1, given, 5) AS q WHERE (pgsim._usable_index(t, t.dim, NULL)).method = 'hnsw' OR pgsim._has_funnel(t.version_id);
END
$$;
COMMENT ON FUNCTION pgsim._calibration_parts IS 'The steps of a calibration, each a call of pgsim._calibrate_part, for those who want to show how far it is.';

CREATE FUNCTION pgsim._calibration_sample(t pgsim._target) RETURNS int
LANGUAGE sql IMMUTABLE
RETURN greatest(60, least(200, 200 * 2e5 / greatest(t.rows, 1)))::int;
COMMENT ON FUNCTION pgsim._calibration_sample IS 'How many rows a calibration takes for queries: each is compared with every row.';

CREATE FUNCTION pgsim._check_after(t pgsim._target, after jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known boolean;
BEGIN
    IF jsonb_typeof(after) <> 'object' OR jsonb_typeof(after -> 'distance') IS DISTINCT FROM 'number' OR jsonb_typeof(after -> 'key') IS DISTINCT FROM 'string'
       OR coalesce(jsonb_typeof(after -> 'rank') <> 'number' OR (after ->> 'rank')::numeric NOT BETWEEN 1 AND 1000000 OR (after ->> 'rank')::numeric % 1 <> 0, false)
       OR (after - '{distance,key,rank}'::text[]) <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('after is %s; it is the last row of the page before: its distance, its key and its rank', left(after::text, 200)),
            HINT = 'For instance: after => jsonb_build_object(''distance'', distance, ''key'', key, ''rank'', rank). Without the rank every match is ranked.';
    END IF;
    BEGIN
        PERFORM (after ->> 'distance')::float8;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the distance of after, %s..., is no double precision number', left(after ->> 'distance', 40)),
            HINT = 'Give it as pgsim.search returned it.';
    END;
    BEGIN
        EXECUTE format('SELECT k IS NOT NULL FROM (SELECT %s) AS k', pgsim._key_parse(t.base, '$1', t.key_columns, true)) INTO known USING after ->> 'key';
    EXCEPTION WHEN data_exception THEN
        known := false;
    END;
    IF NOT known THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('the key of after, %s, cannot be read as %s', quote_literal(left(after ->> 'key', 80)), pgsim._key_types(t.base, t.key_columns)),
            HINT = 'Give it as pgsim.search returned it.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_after IS 'Raises PS010 or PS016 for a cursor that is not the last row of a page.';

CREATE FUNCTION pgsim._check_k(k int) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF k IS NULL OR k NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k is %s; it is a number of rows from 1 to 10000', coalesce(k::text, 'NULL')), HINT = 'Ask for the rows you will look at.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_k IS 'Raises PS010 for a number of rows that a search does not give.';

CREATE FUNCTION pgsim._check_search(t pgsim._target, r pgsim._search_request) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    d int;
BEGIN
    -- A search that looks at every row on its own behalf asks for more.
    IF r.k IS NULL OR r.k < 1 THEN
        PERFORM pgsim._check_k(r.k);
    END IF;
    IF r.mode IS NULL OR r.mode NOT IN ('auto', 'exact', 'ann', 'codes') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('mode is %s; known are auto, exact, ann and codes', coalesce(quote_literal(left(r.mode, 80)), 'NULL')),
            HINT = 'Leave it out: auto takes what costs least.';
    END IF;
    IF r.dims IS NOT NULL THEN
        IF cardinality(r.dims) = 0 OR array_ndims(r.dims) > 1 OR array_position(r.dims, NULL) IS NOT NULL
           OR r.dims <> (SELECT array_agg(DISTINCT u ORDER BY u) FROM unnest(r.dims) AS u) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dims is %s; it lists prefix lengths, each longer than the one before', r.dims),
                HINT = 'One length searches that prefix alone; several rank what the shorter found by the longer: dims => ''{64,384}''.';
        END IF;
        FOREACH d IN ARRAY r.dims LOOP
            PERFORM pgsim._check_dims(t, d, 'dims holds');
        END LOOP;
        IF r.mode = 'codes' OR r.mode = 'exact' AND cardinality(r.dims) > 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('mode is %s and dims is %s; only an index finds candidates by a prefix', r.mode, r.dims),
                HINT = 'Leave out one of them.';
        END IF;
        PERFORM pgsim._check_reach(t, r);
    END IF;
    IF r.oversample IS NOT NULL AND (r.dims IS NULL OR cardinality(r.dims) < 2) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('oversample is %s, but there are no candidates to keep more of', r.oversample),
            HINT = 'It goes with dims of two lengths or more.';
    END IF;
    IF r.oversample NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('oversample is %s; it is a factor from 1 to 1000', r.oversample), HINT = 'Left out, as many candidates are kept as the recall asks for.';
    END IF;
    IF r.where_sql IS NOT NULL AND btrim(r.where_sql) = '' OR r.where_sql IS NULL AND (r.where_values IS NOT NULL OR r.where_columns IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'where_sql is empty, or where_values or where_columns is given without it',
            HINT = 'where_sql is a condition on the table that reads its values: where_sql => ''size < ($1 ->> ''''size'''')::int'', where_values => ''{"size": 100}''.';
    END IF;
    IF r.where_values IS NOT NULL AND (jsonb_typeof(r.where_values) <> 'object' OR EXISTS (SELECT FROM jsonb_object_keys(r.where_values) AS n WHERE left(n, 1) = '$')) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'where_values is not a JSON object, or has a name that begins with $', HINT = 'Names that begin with $ are the filter''s.';
    END IF;
    IF r.recall IS NOT NULL AND NOT r.recall BETWEEN .5 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('recall is %s; it is a share from 0.5 to 1', r.recall),
            HINT = 'It is how much of the exact answer is to be found, on average; the default is 0.95.';
    END IF;
    IF r.max_distance = 'NaN' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'max_distance is NaN', HINT = 'Give a distance in the metric''s own measure; for ip that is the negative inner product.';
    END IF;
    IF r.where_columns IS NOT NULL THEN
        PERFORM pgsim._check_columns(t.base, 'where_columns', r.where_columns);
    END IF;
    IF r.distinct_on IS NOT NULL THEN
        PERFORM pgsim._check_columns(t.base, 'distinct_on', ARRAY[r.distinct_on]);
        IF NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.base AND a.attname = r.distinct_on AND pgsim._is_ordered(a.atttypid)) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('distinct_on is %s, whose type has no order', quote_ident(r.distinct_on)), HINT = 'Name a column of a type that ORDER BY takes.';
        END IF;
    END IF;
    IF r.after IS NOT NULL THEN
        PERFORM pgsim._check_after(t, r.after);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_search IS 'Raises PS010 for an argument of a search that is outside what is allowed.';

CREATE FUNCTION pgsim._choose_strategy(p pgsim._search_plan, thorough boolean) RETURNS pgsim._search_plan
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    r pgsim._search_request := p.request;
    c pgsim._calibration;
    n float8 := least(p.expected, p.reachable);
    exact_seconds float8;
    codes_seconds float8 := 'Infinity';
    ann_seconds float8 := 'Infinity';
    cheapest float8;
    index record;
    funnel pgsim._funnel_choice;
    -- Of all rows, before a partial index narrows them.
    reachable CONSTANT float8 := p.reachable;
    funnel_seconds float8 := 'Infinity';
    covering boolean := false;
    interval_of float8[];
BEGIN
    c := pgsim._calibrated(t);
    p.bound := NULL;
    p.far := NULL;
    p.ladder := NULL;
    p.keep := NULL;
    IF p.no_codes IS NULL THEN
        p.no_codes := pgsim._codes_serve(t, p.predicate, p.columns);
        IF p.no_codes IS NULL AND r.where_sql IS NOT NULL THEN
            p.no_codes := pgsim._codes_refusal(p);
        END IF;
    END IF;
    p.doubtful := p.predicate IS NOT NULL AND (cardinality(p.columns) IS DISTINCT FROM 1 OR strpos(p.predicate, 'EXISTS (SELECT') > 0);
    exact_seconds := p.scanned * c.scan_row + n * c.exact_row;
    p.margin := pgsim._at_recall(1 - .4 * (1 - p.recall), c.margins);
    p.shortlist := pgsim._last_shortlist(p.depth, 1 - .4 * (1 - p.recall), n);
    p.codes_second := p.no_codes IS NULL AND p.margin < 'Infinity' AND r.dims IS NULL;
    IF p.codes_second THEN
        codes_seconds := pgsim._codes_seconds(c, n, p.depth, p.margin, t.codes_element);
    END IF;
    -- No index answers before its first forty candidates.
    cheapest := least(exact_seconds, codes_seconds);
    IF thorough OR r.mode = 'ann' OR cheapest > c.ann_start + 40 * c.ann_candidate THEN
        p.ef := pgsim._expected_ef(c, p.recall, pgsim._among(p, n));
    END IF;
    -- What index there is, is looked up only where a plain one would be the better choice, or a partial one may be.
    IF r.mode = 'ann' OR p.doubtful AND n * 10 > p.reachable / 20
       OR p.recall < 1 AND cheapest > c.ann_start + 40 * c.ann_candidate AND (cheapest > c.ann_start + p.ef * c.ann_candidate OR pgsim._has_partial(t.version_id) OR pgsim._has_funnel(t.version_id)) THEN
        index := pgsim._usable_index(t, coalesce(r.dims[1], t.dim), r.filter);
        p.index_name := index.name;
        p.element := index.element;
        p.method := index.method;
        covering := coalesce(index.covering, false);
        IF covering AND index.rows >= 0 THEN
            p.reachable := greatest(index.rows, 1);
            n := least(n, p.reachable);
        ELSIF p.doubtful AND r.mode = 'auto' AND index.name IS NOT NULL AND cheapest > .004
              AND (pgsim._ann_seconds(c, p, least(10 * n, p.reachable)) < pgsim._codes_seconds(c, least(10 * n, p.reachable), p.depth, p.margin, t.codes_element))
                  <> (pgsim._ann_seconds(c, p, n / 10) < pgsim._codes_seconds(c, n / 10, p.depth, p.margin, t.codes_element)) THEN
            -- Statistics of single columns may be off by ten where several meet, and here that would decide.
            interval_of := pgsim._sampled_share(CASE WHEN p.codes_second THEN t.codes_sql ELSE t.base_sql END, t.base, p.predicate, p.given, p.settings);
            IF n / p.reachable NOT BETWEEN interval_of[1] AND interval_of[2] THEN
                n := p.reachable * (interval_of[1] + interval_of[2]) / 2;
                p.expected := n;
                exact_seconds := p.scanned * c.scan_row + n * c.exact_row;
                codes_seconds := CASE WHEN p.codes_second THEN pgsim._codes_seconds(c, n, p.depth, p.margin, t.codes_element) ELSE 'Infinity' END;
            END IF;
        END IF;
        p.ef := pgsim._expected_ef(c, p.recall, pgsim._among(p, n));
        IF p.method = 'ivfflat' THEN
            p.probes := greatest(least(10, index.lists),
                ceil(index.lists * least(1, pgsim._at_recall(p.recall, '{0.005,0.015,0.03,0.06,0.1,0.15,0.2,0.4}') * (1 + ln(greatest(1, p.reachable / greatest(n, 1)))))));
            ann_seconds := c.ann_start + p.reachable * p.probes / index.lists * c.exact_row;
        ELSIF p.method = 'hnsw' THEN
            ann_seconds := pgsim._ann_seconds(c, p, n);
            IF c.ef_far > 0 AND r.dims IS NULL THEN
                p.far := c.ef_far;
                p.typical := pgsim._typical_distance(c, p.depth * greatest(1, greatest(t.rows, p.reachable) / greatest(n, 1)));
                p.worth_ef := CASE WHEN p.codes_second THEN (codes_seconds - c.ann_start) / c.ann_candidate END;
            END IF;
        END IF;
        IF r.dims IS NULL AND index.funnels IS NOT FALSE OR cardinality(r.dims) > 1 THEN
            funnel := pgsim._choose_funnel(p, c, least(p.expected, reachable), reachable);
            funnel_seconds := coalesce(funnel.seconds, 'Infinity');
        END IF;
        IF cardinality(r.dims) > 1 OR funnel_seconds < ann_seconds THEN
            -- Of one by hand over ivfflat only the candidates are reckoned; how that index is read stands above.
            IF index.method = 'ivfflat' AND funnel.index_name IS NULL THEN
                funnel.element := index.element;
                funnel_seconds := ann_seconds + funnel.keep * c.keep_row;
            ELSE
                p.method := 'hnsw';
                p.index_name := funnel.index_name;
                covering := coalesce(funnel.covering, false);
            END IF;
            p.ladder := funnel.ladder;
            p.keep := funnel.keep;
            p.element := funnel.element;
            p.ef := funnel.ef;
            p.far := funnel.far;
            p.typical := funnel.typical;
            p.worth_ef := CASE WHEN p.codes_second THEN (codes_seconds - c.ann_start) / funnel.candidate END;
            p.reachable := coalesce(funnel.reachable, reachable);
            n := least(p.expected, p.reachable);
            ann_seconds := CASE WHEN cardinality(r.dims) > 1 THEN 'Infinity' ELSE ann_seconds END;
        END IF;
        p.covering := covering;
    END IF;
    IF p.far > 0 AND p.ef < 40 THEN
        -- More than was needed reaches farther.
        p.typical := p.typical + ln(40.0 / greatest(p.ef, 1)) / p.far;
    END IF;
    p.ef := greatest(40, least(p.ef, 1000));
    -- Fewer matches among the nearest than a third of the expected ones say that the filter and the query disagree.
    p.wanted := greatest(p.depth, CASE WHEN p.predicate IS NOT NULL AND least(ann_seconds, funnel_seconds) < 'Infinity' THEN p.ef * n / greatest(p.reachable, 1) / 3 ELSE 0 END);
    -- Each candidate brings some fourteen others to be looked at. When they have cost what the next best would, that takes over.
    p.tuples := least(1e9, greatest(20 * p.ef, 20 * p.keep, 14 * least(exact_seconds, codes_seconds) / coalesce(funnel.candidate, c.ann_candidate)));
    IF r.mode = 'codes' AND NOT p.codes_second THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('mode is codes, and codes cannot answer: %s', coalesce(p.no_codes, 'they tell the rows of this table apart too little')),
            HINT = 'Leave mode out. Codes are made by pgsim.create_index(..., method => ''codes'') and mirror the columns named in filter_columns.';
    ELSIF r.mode <> 'auto' THEN
        p.strategy := CASE r.mode WHEN 'ann' THEN pgsim._index_strategy(p, covering) ELSE r.mode END;
    ELSIF p.few THEN
        p.strategy := 'exact';
        p.bound := 1000;
    ELSIF p.recall = 1 OR r.after IS NOT NULL AND NOT r.after ? 'rank' THEN
        -- After a place without a rank, any number of rows may come before.
        p.strategy := 'exact';
    ELSE
        p.strategy := CASE WHEN exact_seconds <= least(codes_seconds, ann_seconds, funnel_seconds) THEN 'exact' WHEN codes_seconds <= least(ann_seconds, funnel_seconds) THEN 'codes'
                           ELSE pgsim._index_strategy(p, covering) END;
        -- An estimate may be far too low. Then the search stops at so many matches, and what is made for many takes over.
        IF p.strategy = 'exact' AND p.predicate IS NOT NULL AND p.depth <= 1000 AND r.distinct_on IS NULL AND r.after IS NULL AND (p.codes_second OR pgsim._ann_seconds(c, p, p.reachable) < p.reachable * c.exact_row / 4) THEN
            p.bound := least(1e9, greatest(1000, 4 * n, 4 * p.depth));
        END IF;
    END IF;
    IF p.strategy = 'codes' AND NOT pgsim._codes_kept(t.base, t.version_id, t.codes_columns) THEN
        p.no_codes := 'they are not told of every change; see pgsim.check';
        RETURN pgsim._choose_strategy(p, thorough);
    END IF;
    IF thorough THEN
        p.costs := jsonb_strip_nulls(jsonb_build_object('exact', exact_seconds, 'codes', nullif(codes_seconds, 'Infinity'), 'ann', nullif(ann_seconds, 'Infinity'), 'funnel', nullif(funnel_seconds, 'Infinity')));
        p.reason := CASE
            WHEN r.mode <> 'auto' THEN format('mode is %s', r.mode)
            WHEN p.few THEN format('about %s rows match: so few are ranked before anything else has begun', n::bigint)
            WHEN p.recall = 1 THEN 'recall is 1'
            WHEN r.after IS NOT NULL AND NOT r.after ? 'rank' THEN 'after has no rank, so any number of rows may come before'
            ELSE format('about %s of %s rows match%s; milliseconds expected: exact %s, codes %s, index %s', n::bigint, p.reachable::bigint, CASE WHEN interval_of IS NOT NULL THEN ' (sampled)' END,
                        pgsim._milliseconds(exact_seconds), CASE WHEN p.no_codes IS NULL THEN pgsim._milliseconds(codes_seconds) ELSE format('no (%s)', p.no_codes) END,
                        pgsim._milliseconds(ann_seconds))
                 || CASE WHEN funnel.reason IS NOT NULL THEN format(', funnel %s (%s)', pgsim._milliseconds(funnel_seconds), funnel.reason) ELSE '' END END;
    END IF;
    RETURN p;
END
$$;
COMMENT ON FUNCTION pgsim._choose_strategy IS 'Decides between ranking every match, codes and a vector index: by what each is expected to cost at the recall asked for. thorough: costs and reason are wanted too.';

CREATE FUNCTION pgsim._codes_serve(t pgsim._target, predicate text, columns text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE
        WHEN t.codes_sql IS NULL THEN 'there are none'
        WHEN t.codes_sql ~ '^\d' OR NOT has_table_privilege(t.codes_sql::regclass, 'SELECT') THEN 'they may not be read'
        WHEN predicate IS NOT NULL AND columns IS NULL THEN 'the columns that where_sql reads are not named in where_columns'
        WHEN NOT columns <@ t.codes_columns THEN 'the filter reads columns that are not declared in filter_columns'
        WHEN row_security_active(t.base) THEN 'row-level security is active' END;
END
$$;
COMMENT ON FUNCTION pgsim._codes_serve IS 'Why codes cannot answer a search, or NULL when they can: they mirror the declared filter columns alone, and know nothing of policies.';

CREATE FUNCTION pgsim._count(base_sql text, predicate text, given jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    matches bigint;
BEGIN
    EXECUTE 'SELECT count(*) FROM ' || base_sql || coalesce(' WHERE ' || predicate, '') INTO matches USING given;
    RETURN matches;
END
$$;
COMMENT ON FUNCTION pgsim._count IS 'How many rows of a base table match a predicate. It has the caller''s search_path, as the search has.';

CREATE FUNCTION pgsim._count_drawn(sampled text, name text, predicate text, given jsonb, places tid[], OUT drawn bigint, OUT matches bigint)
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    EXECUTE pg_catalog.format(E'SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE (%s\n)) FROM (SELECT * FROM %s WHERE ctid OPERATOR(pg_catalog.=) ANY ($2)) AS %I', predicate, sampled, name)
    INTO drawn, matches USING given, places;
END
$$;
COMMENT ON FUNCTION pgsim._count_drawn IS 'Of rows at places of a table how many there are and match a predicate. It has the caller''s search_path, as the search has.';

CREATE FUNCTION pgsim._depths() RETURNS int[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{10,20,50,100,200}'::int[];
COMMENT ON FUNCTION pgsim._depths IS 'Among how many nearest rows the recall of an index is measured; between them it is interpolated.';

CREATE FUNCTION pgsim._execute_search(p pgsim._search_plan, query vector, explained boolean, OUT keys text[], OUT distances float8[], OUT details jsonb, OUT started timestamptz)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    r pgsim._search_request := p.request;
    stage_started timestamptz;
    statement text;
    settings jsonb;
    previous jsonb;
    stage jsonb;
    found bigint;
    listed bigint;
    complete boolean;
    doubt text;
    farther boolean;
    needed float8;
    fallbacks text[] := '{}';
    stages jsonb := '[]';
BEGIN
    IF explained THEN
        started := clock_timestamp();
    END IF;
    IF pgsim._vector_problem(query, t.dim, t.metric, t.element) IS NOT NULL THEN
        PERFORM pgsim._check_vector(query, 'the query', t.model, t.dim, t.metric, t.element);
    END IF;
    IF r.dims IS NOT NULL AND (t.metric = 'cosine' AND pgsim._prefix_is_zero(query, r.dims[1]) OR r.dims[cardinality(r.dims)] < t.dim AND pgsim._prefix_is_zero(query, r.dims[cardinality(r.dims)])) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('the first %s dimensions of the query are all zeros: such a prefix has no direction', r.dims[CASE t.metric WHEN 'cosine' THEN 1 ELSE cardinality(r.dims) END]),
            HINT = 'Search by a longer prefix, or leave dims out.';
    END IF;
    LOOP
        IF p.strategy = 'codes' AND (CASE WHEN t.codes_map IS NOT NULL THEN pgsim._image_is_zero(t.codes_map, t.codes_dims, query)
                                          ELSE (t.metric <> 'cosine' OR t.codes_dims < t.dim) AND pgsim._prefix_is_zero(query, t.codes_dims) END) THEN
            fallbacks := fallbacks || 'what codes compare is all zeros in the query: it has no direction, and they tell of nothing else'::text;
            p.strategy := 'exact';
            p.bound := NULL;
        END IF;
        settings := p.settings;
        IF p.ladder IS NOT NULL AND p.strategy = 'funnel' AND p.shallow_query IS NULL AND pgsim._prefix_is_zero(query, p.ladder[1]) THEN
            fallbacks := fallbacks || format('the first %s dimensions of the query are all zeros: they have no direction', p.ladder[1]);
            p.strategy := 'exact';
        END IF;
        IF p.strategy = 'funnel' AND p.shallow_query IS NOT NULL THEN
            p.rungs := ROW(p.ladder, ARRAY[p.element, t.element], ARRAY[p.keep, p.depth])::pgsim._rungs;
        ELSIF r.dims IS NOT NULL OR p.strategy NOT IN ('exact', 'codes') AND (p.ladder IS NOT NULL OR p.element <> t.element) THEN
            p.rungs := pgsim._search_rungs(t, p.depth, coalesce(p.ladder, r.dims), p.keep, p.strategy = 'exact', p.element);
            IF p.strategy <> 'exact' THEN
                IF 'halfvec' = ANY ((p.rungs).elements) AND pgsim._half_problem(query, t.metric, (p.rungs).dims[1]) IS NOT NULL THEN
                    fallbacks := fallbacks || 'the query does not fit the half precision of the index'::text;
                    p.strategy := 'exact';
                    CONTINUE;
                END IF;
                -- pgvector gives no more than ef_search candidates at once.
                p.ef := greatest(p.ef, least(1000, CASE WHEN p.ladder IS NOT NULL THEN p.keep WHEN r.dims IS NOT NULL THEN greatest(100, 2 * r.k) END));
            END IF;
        ELSE
            p.rungs := NULL;
        END IF;
        IF p.strategy NOT IN ('exact', 'codes') THEN
            settings := settings || pgsim._index_settings(p);
        END IF;
        statement := pgsim._search_statement(p);
        IF settings <> '{}' THEN
            previous := pgsim._set(settings);
        END IF;
        IF p.covering AND p.strategy IN ('partial', 'funnel') AND r.mode = 'auto' AND NOT pgsim._plan_indexes(pgsim._plan(statement, p.given, query)) ? p.index_name THEN
            -- By another index the rows that match lie farther apart than was reckoned with.
            PERFORM pgsim._set(previous);
            fallbacks := fallbacks || format('PostgreSQL does not take the partial index %s', p.index_name);
            p.strategy := CASE WHEN p.codes_second AND pgsim._codes_kept(t.base, t.version_id, t.codes_columns) THEN 'codes' ELSE 'exact' END;
            CONTINUE;
        END IF;
        IF explained THEN
            stage_started := clock_timestamp();
            EXECUTE statement INTO keys, distances, found, listed USING p.given, query, p.shallow_query;
            stage := jsonb_build_object('seconds', extract(epoch FROM clock_timestamp() - stage_started)) || pgsim._explain_stage(p, statement, settings, query);
        ELSE
            EXECUTE statement INTO keys, distances, found, listed USING p.given, query, p.shallow_query;
        END IF;
        IF settings <> '{}' THEN
            PERFORM pgsim._set(previous);
        END IF;
        complete := coalesce(cardinality(keys), 0) >= r.k
            -- Rows beyond the distance asked for are there, so none within it is missing for want of rows.
            OR coalesce(distances[cardinality(distances)] > r.max_distance, false)
            OR CASE p.strategy
                   WHEN 'exact' THEN coalesce(found <= p.bound, true)
                   -- Codes that list fewer rows than they may have listed all that match.
                   WHEN 'codes' THEN coalesce(listed, 0) < p.shortlist AND coalesce(found = listed, true) AND r.after IS NULL AND r.distinct_on IS NULL
                   ELSE false END;
        doubt := CASE
            WHEN p.strategy = 'exact' THEN CASE WHEN found > p.bound THEN format('more than %s rows match, where %s were expected', p.bound, p.expected::bigint) END
            WHEN NOT complete AND p.strategy = 'codes' THEN format('codes gave %s of %s rows', coalesce(cardinality(keys), 0), r.k)
            WHEN p.strategy = 'codes' THEN NULL
            WHEN NOT complete THEN format('the index gave %s of %s rows', coalesce(cardinality(keys), 0), r.k)
            WHEN r.mode = 'auto' AND found < p.wanted THEN format('of the rows that the index found nearest only %s match, where %s were expected', found, p.wanted)
        END;
        farther := doubt IS NULL AND p.far > 0 AND p.strategy NOT IN ('exact', 'codes') AND distances[cardinality(distances)] > p.typical;
        IF explained THEN
            stages := stages || jsonb_strip_nulls(stage || jsonb_build_object('strategy', p.strategy, 'fallback', doubt,
                'farther', CASE WHEN farther THEN format('the last row lies at %s, which is beyond %s', distances[cardinality(distances)]::real, p.typical::real) END));
        END IF;
        IF farther THEN
            -- The neighbours of a query that lies far from all are harder to find. How far it lies is known only now, and most need no second look.
            needed := p.ef * exp(least(10, .6 + p.far * (distances[cardinality(distances)] - p.typical)));
            p.far := NULL;
            p.keep := least(100000, p.keep * needed / p.ef);
            p.ef := least(1000, needed);
            p.tuples := greatest(p.tuples, 20 * p.ef);
            IF r.mode = 'auto' AND needed > p.worth_ef AND pgsim._codes_kept(t.base, t.version_id, t.codes_columns) THEN
                p.strategy := 'codes';
            END IF;
            CONTINUE;
        END IF;
        EXIT WHEN doubt IS NULL;
        fallbacks := fallbacks || doubt;
        IF p.strategy = 'exact' THEN
            -- Each time more are reckoned with, and the next bound is beyond them.
            p.few := false;
            p.expected := 10.0 * p.bound;
            p.reachable := greatest(p.reachable, p.expected);
            p.scanned := greatest(p.scanned, p.expected);
            p := pgsim._choose_strategy(p, explained);
        ELSE
            p.strategy := CASE WHEN p.strategy <> 'codes' AND p.codes_second AND pgsim._codes_kept(t.base, t.version_id, t.codes_columns) THEN 'codes' ELSE 'exact' END;
            p.bound := NULL;
        END IF;
    END LOOP;
    IF r.max_distance IS NOT NULL THEN
        WHILE distances[cardinality(distances)] > r.max_distance LOOP
            keys := trim_array(keys, 1);
            distances := trim_array(distances, 1);
        END LOOP;
    END IF;

    details := jsonb_build_object('strategy', p.strategy, 'model', t.model);
    IF r.dims IS NOT NULL OR p.strategy = 'funnel' THEN
        details := details || jsonb_build_object('dims', to_jsonb(coalesce((p.rungs).dims, ARRAY[t.dim])));
    END IF;
    IF fallbacks <> '{}' THEN
        details := details || jsonb_build_object('fallbacks', to_jsonb(fallbacks));
    END IF;
    IF explained THEN
        details := details || jsonb_build_object(
            'collection', t.collection, 'version', t.version_id, 'dims', to_jsonb(coalesce((p.rungs).dims, ARRAY[t.dim])),
            'reason', p.reason, 'recall', p.recall, 'rows', coalesce(cardinality(keys), 0),
            'estimated_matches', p.estimated, 'matches', pgsim._count(t.base_sql, p.predicate, p.given), 'filter', p.predicate, 'values', p.given,
            'costs', p.costs, 'rungs', CASE WHEN p.strategy = 'funnel' THEN to_jsonb(p.rungs) END, 'stages', stages, 'index', stages -> -1 -> 'index', 'ef', stages -> -1 -> 'ef', 'keep', stages -> -1 -> 'keep',
            'tuples', stages -> -1 -> 'tuples', 'statement', statement, 'settings', settings, 'complete', complete,
            'calibration', pgsim._calibration_state(t),
            'seconds', jsonb_build_object('search', extract(epoch FROM clock_timestamp() - started)));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._execute_search IS
    'Runs a planned search: its strategy, and what takes over when that gives fewer rows than match, or too few to be trusted. The settings it changes are as they were when it returns; an error undoes them with the transaction.';

CREATE FUNCTION pgsim._expected_ef(c pgsim._calibration, recall float8, among float8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    depths CONSTANT int[] := pgsim._depths();
    -- Somewhat better than asked: a hundred queries tell what is missed only to a third or so.
    missed float8 := ln(greatest(.8 * (1 - recall), 1e-4));
    i int := 1;
    narrow float8;
    wide float8;
BEGIN
    -- More rows need no less, whatever was measured.
    narrow := exp(least(20, (c.ef_intercepts[1] - missed) / c.ef_slope));
    wide := greatest(narrow, exp(least(20, (c.ef_intercepts[2] - missed) / c.ef_slope)));
    WHILE i < cardinality(depths) - 1 AND depths[i + 1] < among LOOP
        i := i + 1;
        narrow := wide;
        wide := greatest(narrow, exp(least(20, (c.ef_intercepts[i + 1] - missed) / c.ef_slope)));
    END LOOP;
    RETURN least(1e9, ceil(CASE WHEN among <= depths[1] THEN narrow
                     WHEN among > depths[i + 1] THEN wide * least(1e4, among / depths[i + 1])
                     ELSE narrow + (wide - narrow) * (among - depths[i]) / (depths[i + 1] - depths[i]) END));
END
$$;
COMMENT ON FUNCTION pgsim._expected_ef IS
    'The hnsw.ef_search at which an index finds a recall of so many nearest rows, among which the wanted ones match, where queries whose last row lies beyond ef_typical look again.';

CREATE FUNCTION pgsim._explain_stage(p pgsim._search_plan, statement text, settings jsonb, query vector) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Run a second time to be counted. How many rows a policy hides is not for those whom it binds.
    counted boolean := NOT row_security_active((p.target).base);
    plan jsonb := pgsim._plan(statement, p.given, query, counted, p.shallow_query);
BEGIN
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'index', pgsim._plan_indexes(plan),
        'ef', CASE WHEN p.strategy NOT IN ('exact', 'codes') THEN (settings ->> 'hnsw.ef_search')::int END,
        'keep', CASE WHEN p.strategy = 'codes' THEN p.shortlist WHEN p.strategy = 'funnel' THEN greatest(p.wanted, (p.rungs).keep[1]) WHEN p.strategy <> 'exact' THEN p.wanted END,
        'margin', CASE WHEN p.strategy = 'codes' THEN round(p.margin::numeric, 2) END,
        'tuples', CASE WHEN counted THEN (
            SELECT round(sum((n ->> 'Actual Loops')::numeric * ((n ->> 'Actual Rows')::numeric + coalesce((n ->> 'Rows Removed by Filter')::numeric, 0)
                                                                + coalesce((n ->> 'Rows Removed by Index Recheck')::numeric, 0))))
            FROM jsonb_path_query(plan, '$.** ? (exists(@."Relation Name") && @."Node Type" != "CTE Scan")') AS n) END));
END
$$;
COMMENT ON FUNCTION pgsim._explain_stage IS 'What one stage of a search read, for explain_search.';

CREATE FUNCTION pgsim._explained(statement text, given jsonb, query vector, counted boolean, shallow_query vector = NULL) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    plan json;
BEGIN
    -- A loop, and not EXECUTE ... INTO: a cursor takes one statement and no more.
    FOR plan IN EXECUTE pg_catalog.concat('EXPLAIN (FORMAT JSON', CASE WHEN counted THEN ', ANALYZE, TIMING off, SUMMARY off' END, ') ', statement) USING given, query, shallow_query LOOP
        RETURN plan;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._explained IS 'What EXPLAIN tells of a statement over $1, the values, and $2, the query vector, or $3, that of a shallow layer; counted: it runs, and the plan tells the rows read. It has the caller''s search_path, as the statement has.';

CREATE FUNCTION pgsim._fit_index(
    measured jsonb[], OUT ef_intercepts float8[], OUT ef_slope float8, OUT ef_far float8, OUT ef_looks float8, OUT ef_typical float8[], OUT ann_start float8, OUT ann_candidate float8, OUT queries int
)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    depths int[];
    places float8[];
    efs float8[];
    missed float8[];
    asked boolean[];
    middle float8;
    spread float8;
    slope float8 := 1;
    growth float8 := 0;
    h record;
    det float8;
    share float8;
    reach float8;
    best_share float8;
    best_cost float8;
BEGIN
    queries := coalesce((SELECT count(*) FROM unnest(measured) AS m WHERE m ->> 'depth' = '10' AND m ->> 'ef' = '40'), 0);
    IF queries = 0 THEN
        RETURN;
    END IF;
    SELECT greatest(0, regr_intercept(s.seconds, s.ef)), greatest(1e-7, regr_slope(s.seconds, s.ef)) INTO ann_start, ann_candidate
    FROM (SELECT (m ->> 'ef')::float8 AS ef, percentile_cont(.5) WITHIN GROUP (ORDER BY (m ->> 'seconds')::float8) AS seconds
          FROM unnest(measured) AS m WHERE m ->> 'depth' = '10' AND m ->> 'seconds' IS NOT NULL GROUP BY 1) AS s;
    SELECT avg((m ->> 'distance')::float8), greatest(1e-9, stddev_pop((m ->> 'distance')::float8)) INTO middle, spread FROM unnest(measured) AS m;
    SELECT array_agg((m ->> 'depth')::int), array_agg(((m ->> 'distance')::float8 - middle) / spread), array_agg(ln((m ->> 'ef')::float8)), array_agg(1 - (m ->> 'recall')::float8),
           array_agg((m ->> 'asked')::boolean)
    INTO depths, places, efs, missed, asked FROM unnest(measured) AS m;

    -- Poisson regression: what is missed is exp(a of the depth + growth * distance - slope * ln ef). Given each depth's misses, a drops out, and Newton's
    -- steps find the other two. A prior of growth 0 and slope 1, as heavy as a query or two, holds them where next to nothing is missed.
    FOR i IN 1 .. 30 LOOP
        SELECT sum(g.yd - g.y * g.d) - growth AS to_growth, sum(g.y * g.x - g.yx) - 4 * (slope - 1) AS to_slope,
               sum(g.y * (g.dd - g.d * g.d)) + 1 AS growth_growth, sum(g.y * (g.xx - g.x * g.x)) + 4 AS slope_slope, sum(g.y * (g.d * g.x - g.dx)) AS growth_slope
        INTO h
        FROM (SELECT sum(r.y) AS y, sum(r.y * r.d) AS yd, sum(r.y * r.x) AS yx, sum(r.w * r.d) / sum(r.w) AS d, sum(r.w * r.x) / sum(r.w) AS x,
                     sum(r.w * r.d * r.d) / sum(r.w) AS dd, sum(r.w * r.d * r.x) / sum(r.w) AS dx, sum(r.w * r.x * r.x) / sum(r.w) AS xx
              FROM (SELECT u.*, exp(growth * u.d - slope * u.x) AS w FROM unnest(depths, places, efs, missed) AS u (depth, d, x, y)) AS r GROUP BY r.depth) AS g;
        det := h.growth_growth * h.slope_slope - h.growth_slope * h.growth_slope;
        EXIT WHEN abs(h.to_growth) + abs(h.to_slope) < 1e-9;
        growth := least(5, greatest(0, growth + least(1, greatest(-1, (h.slope_slope * h.to_growth - h.growth_slope * h.to_slope) / det))));
        slope := least(2.5, greatest(.2, slope + least(.5, greatest(-.5, (h.growth_growth * h.to_slope - h.growth_slope * h.to_growth) / det))));
    END LOOP;

    -- Queries whose last row lies beyond the reach of the first look have a second one, by an ef that grows by growth / slope: so much misses as much of a far query as of
    -- a near one. A second look is by .6 more in the logarithm at least, else it is not worth its start. How many queries the first one is to serve, most of them or all, is
    -- what costs least for the same rows missed.
    FOREACH share IN ARRAY '{0.6,0.75,0.9,1}'::float8[] LOOP
        SELECT percentile_cont(share) WITHIN GROUP (ORDER BY u.d) INTO reach FROM unnest(depths, places, asked) AS u (depth, d, asked) WHERE u.depth = 10 AND u.asked;
        SELECT avg(CASE WHEN u.d <= reach THEN 1 ELSE 1 + exp(least(3, .6 + growth / slope * (u.d - reach))) END) AS looks, avg(exp(growth * least(u.d, reach) - CASE WHEN u.d <= reach THEN 0 ELSE .6 * slope END)) AS missed
        INTO h FROM unnest(depths, places, asked) AS u (depth, d, asked) WHERE u.depth = 10 AND u.asked;
        IF best_share IS NULL OR h.looks * power(h.missed, 1 / slope) < best_cost THEN
            best_cost := h.looks * power(h.missed, 1 / slope);
            best_share := share;
            ef_looks := h.looks;
        END IF;
    END LOOP;
    ef_slope := slope;
    ef_far := CASE WHEN best_share < 1 THEN growth / slope / spread ELSE 0 END;
    WITH taken AS (
        SELECT u.depth, percentile_cont(best_share) WITHIN GROUP (ORDER BY u.d) FILTER (WHERE u.asked) AS typical, sum(u.y) AS y, sum(exp(growth * u.d - slope * u.x)) AS w,
               array_agg(u.d) FILTER (WHERE u.asked) AS ds
        FROM unnest(depths, places, efs, missed, asked) AS u (depth, d, x, y, asked) GROUP BY u.depth
    ), line AS (
        -- What was never missed is taken for half a row missed.
        SELECT t.depth, middle + spread * t.typical AS typical,
               ln(greatest(t.y, .5 / t.depth) / t.w) + ln((SELECT avg(exp(CASE WHEN d <= t.typical THEN growth * d ELSE growth * t.typical - .6 * slope END)) FROM unnest(t.ds) AS d)) AS intercept
        FROM taken AS t
    )
    SELECT array_agg(l.intercept ORDER BY d.ordinal), array_agg(l.typical ORDER BY d.ordinal) INTO ef_intercepts, ef_typical
    FROM unnest(pgsim._depths()) WITH ORDINALITY AS d (depth, ordinal)
    -- A table of fewer rows than the depth has the line of the deepest that it has.
    CROSS JOIN LATERAL (SELECT * FROM line AS l WHERE l.depth <= d.depth ORDER BY l.depth DESC LIMIT 1) AS l;
END
$$;
COMMENT ON FUNCTION pgsim._fit_index IS 'From what an index was measured to find: how what it misses falls with ef and grows with the distance of the last row asked for, and the line of the time over ef.';

CREATE FUNCTION pgsim._has_partial(version_id int) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = _has_partial.version_id AND i.where_filter IS NOT NULL);
COMMENT ON FUNCTION pgsim._has_partial IS 'Whether a version has partial vector indexes.';

CREATE FUNCTION pgsim._index_settings(p pgsim._search_plan) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p.method = 'ivfflat' THEN
        RETURN jsonb_build_object('ivfflat.iterative_scan', 'relaxed_order', 'ivfflat.probes', p.probes::text);
    END IF;
    RETURN jsonb_build_object('hnsw.iterative_scan', 'relaxed_order', 'hnsw.ef_search', coalesce(p.ef, 100)::text, 'hnsw.max_scan_tuples', coalesce(p.tuples, 20000)::text);
END
$$;
COMMENT ON FUNCTION pgsim._index_settings IS 'pgvector''s settings for a search by a vector index.';

CREATE FUNCTION pgsim._index_strategy(p pgsim._search_plan, covering boolean) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN p.ladder IS NOT NULL THEN 'funnel' WHEN covering THEN 'partial' WHEN p.pruned THEN 'partition' ELSE 'ann' END;
COMMENT ON FUNCTION pgsim._index_strategy IS 'What a search by a vector index is called: a funnel, by a covering partial index, by the one partition that is needed, or plain ann.';

CREATE FUNCTION pgsim._milliseconds(seconds float8) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN seconds < 'Infinity' THEN pg_catalog.round((seconds * 1e3)::numeric, 2)::text ELSE 'no' END;
COMMENT ON FUNCTION pgsim._milliseconds IS 'A time as explain_search words it.';

CREATE FUNCTION pgsim._plan(statement text, given jsonb, query vector, counted boolean = false, shallow_query vector = NULL) RETURNS jsonb
LANGUAGE sql VOLATILE
RETURN pgsim._explained(statement, given, query, counted, shallow_query)::jsonb -> 0 -> 'Plan';
COMMENT ON FUNCTION pgsim._plan IS 'The plan that PostgreSQL makes for a statement, from what pgsim._explained gives.';

CREATE FUNCTION pgsim._plan_indexes(plan jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT i.name), '[]') FROM pg_catalog.jsonb_path_query(plan, '$.**."Index Name"') AS i (name));
COMMENT ON FUNCTION pgsim._plan_indexes IS 'The indexes that a plan reads.';

CREATE FUNCTION pgsim._plan_search(r pgsim._search_request, thorough boolean = true, slice text = NULL) RETURNS pgsim._search_plan
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p pgsim._search_plan;
    t pgsim._target := pgsim._target(r.collection, r.model, r.embedding);
    compiled record;
    estimate json;
    -- Compiling a scan of some thousand rows takes longer than the scan.
    settings jsonb := CASE WHEN current_setting('jit') = 'on' THEN '{"jit": "off"}' ELSE '{}' END;
    previous jsonb;
BEGIN
    IF t.element = 'sparsevec' THEN
        PERFORM pgsim._require_dense(t, 'query is');
    END IF;
    IF slice IS NOT NULL THEN
        t := pgsim._slice_target(t, slice);
    END IF;
    IF t.state = 'retired' THEN
        PERFORM pgsim._refuse_retired(t);
    END IF;
    IF NOT has_table_privilege(t.base, 'SELECT') OR NOT has_schema_privilege(t.base_schema, 'USAGE') OR NOT has_table_privilege(t.version, 'SELECT') THEN
        PERFORM pgsim._require_select(t.base, t.version);
    END IF;
    IF r.recall IS NOT NULL AND r.recall NOT BETWEEN .5 AND 1 OR r.k IS NULL OR r.k NOT BETWEEN 1 AND 10000 OR r.mode IS NULL OR r.mode <> 'auto'
       OR num_nonnulls(r.dims, r.oversample, r.max_distance, r.after, r.distinct_on, r.where_sql, r.where_values, r.where_columns) > 0 THEN
        PERFORM pgsim._check_search(t, r);
    END IF;
    compiled := pgsim._compile_filter(t.base, r.filter, coalesce(r.where_values, '{}'), false);
    p.target := t;
    p.request := r;
    p.predicate := compiled.predicate;
    p.columns := compiled.columns;
    p.given := compiled."values";
    p.recall := coalesce(r.recall, .95);
    p.depth := r.k;
    IF num_nonnulls(r.where_sql, r.after, r.distinct_on) > 0 THEN
        IF r.where_sql IS NOT NULL THEN
            p.predicate := concat_ws(' AND ', p.predicate, format(E'(%s\n)', r.where_sql));
            p.columns := CASE WHEN r.where_columns IS NOT NULL THEN p.columns || r.where_columns END;
            settings := settings || jsonb_build_object('search_path', concat_ws(', ', 'pg_catalog', nullif(r.search_path, '')));
        END IF;
        IF r.after IS NOT NULL THEN
            p.given := p.given || jsonb_build_object('$after', r.after);
            p.depth := least(r.k + coalesce((r.after ->> 'rank')::numeric::int, 0), 20000);
        END IF;
        IF r.distinct_on IS NOT NULL THEN
            p.depth := 4 * p.depth;
        END IF;
    END IF;
    p.settings := settings;
    p.reachable := greatest(t.rows, 0);
    p.parts := 1;
    -- Where policies hide rows, only PostgreSQL can tell how many are left.
    IF p.predicate IS NULL AND t.rows >= 0 AND NOT t.partitioned AND NOT row_security_active(t.base) THEN
        p.expected := t.rows;
        p.scanned := t.rows;
    ELSE
        IF settings <> '{}' THEN
            previous := pgsim._set(settings);
        END IF;
        estimate := pgsim._explained(concat('SELECT FROM ', t.base_sql, E' WHERE ' || p.predicate), p.given, NULL, false);
        IF previous IS NOT NULL THEN
            PERFORM pgsim._set(previous);
        END IF;
        p.expected := (estimate #>> '{0,Plan,Plan Rows}')::float8;
        IF t.partitioned THEN
            SELECT coalesce(sum(greatest(k.reltuples, 0)), 0), greatest(count(*), 1), count(*) = 1 INTO p.reachable, p.parts, p.pruned
            FROM pg_partition_tree(t.base) AS l JOIN pg_class AS k ON k.oid = l.relid
            WHERE l.isleaf AND to_jsonb(k.relname) IN (SELECT e FROM jsonb_path_query(estimate::jsonb, '$.**."Relation Name"') AS e);
        END IF;
        p.reachable := greatest(p.reachable, p.expected, 1);
        -- No name looks like this: JSON escapes the quotes in it.
        p.scanned := CASE WHEN strpos(estimate::text, '"Node Type": "Seq Scan"') > 0 THEN p.reachable ELSE p.expected END;
    END IF;
    p.estimated := p.expected;
    -- Whoever is bound by row-level security gets every answer through the base table: the version table's policies may lag behind.
    p.through_base := t.adopted OR p.predicate IS NOT NULL OR r.distinct_on IS NOT NULL OR row_security_active(t.base);
    -- So few rows are ranked before anything else has begun. (Should there be more, it stops, and looks again.)
    p.few := p.scanned < 400 AND r.mode = 'auto' AND p.predicate IS NOT NULL AND p.depth <= 100 AND settings = '{}' AND num_nonnulls(r.dims, r.max_distance, r.after, r.distinct_on, r.where_sql) = 0;
    IF p.few AND NOT thorough THEN
        p.strategy := 'exact';
        p.bound := 1000;
        RETURN p;
    END IF;
    RETURN pgsim._choose_strategy(p, thorough);
END
$$;
COMMENT ON FUNCTION pgsim._plan_search IS 'Checks the arguments of a search, compiles its filter, estimates its matches and decides how it is answered. It reads no row but the planner''s statistics.';

CREATE FUNCTION pgsim._recall_levels() RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{0.5,0.8,0.9,0.95,0.98,0.99,0.995,0.999}'::float8[];
COMMENT ON FUNCTION pgsim._recall_levels IS 'The recalls at which a calibration is kept; between them it is interpolated.';

CREATE FUNCTION pgsim._record_some(p pgsim._search_plan, query vector, keys text[], distances float8[], details jsonb, started timestamptz) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    r pgsim._search_request := p.request;
    seconds float8 := extract(epoch FROM clock_timestamp() - started);
    audited boolean := random() < t.audit_share;
    exact_started timestamptz := clock_timestamp();
    exact record;
    exact_seconds float8;
    recall float8;
BEGIN
    IF NOT audited AND random() >= t.record_share OR pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean
       OR current_setting('pgsim.recording', true) = 'off' THEN
        RETURN;
    END IF;
    IF audited THEN
        p.strategy := 'exact';
        SELECT e.distances AS truth INTO exact FROM pgsim._execute_search(p, query, false) AS e;
        exact_seconds := extract(epoch FROM clock_timestamp() - exact_started);
        recall := pgsim._tie_recall(distances, exact.truth);
    END IF;
    PERFORM pgsim._record_search(
        collection_id => t.collection_id, version_id => t.version_id,
        shape => concat_ws(', ', nullif(pgsim._filter_shape(r.filter), ''), CASE WHEN r.where_sql IS NOT NULL THEN 'where_sql' END), filter => r.filter,
        k => r.k, recall_asked => p.recall, strategy => details ->> 'strategy', estimated => p.estimated, matches => NULL,
        returned => coalesce(cardinality(keys), 0), seconds => seconds, exact_seconds => exact_seconds, recall => recall, keys => keys);
END
$$;
COMMENT ON FUNCTION pgsim._record_some IS 'Records a share of searches, as pgsim.record_searches sets it, and of those audited how much of the exact answer they found.';

CREATE FUNCTION pgsim._run_search(
    r pgsim._search_request, queries vector[], h pgsim._fusion_request, explained boolean,
    OUT query int, OUT keys text[], OUT distances float8[], OUT metric text, OUT details jsonb, OUT scores float8[], OUT row_details jsonb[]
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    started timestamptz := clock_timestamp();
    executed record;
    p pgsim._search_plan;
    t pgsim._target;
    statement text;
    found bigint;
BEGIN
    IF r.k > 10000 THEN
        PERFORM pgsim._check_k(r.k);
    END IF;
    IF cardinality(h.texts) = 1 AND h.texts[1] IS NOT NULL AND coalesce(cardinality(queries), 1) = 1 AND h.text_form = 'any' AND h.per_group = 1 AND r.k >= 1 AND r.mode = 'auto' AND NOT explained
       AND num_nonnulls(queries[1], h.sparse, h.legs, h.fusion, h.weights, h.rank_constant, h.candidates, r.filter, r.model, r.recall, r.dims, r.oversample, r.max_distance, r.after, r.distinct_on,
                        r.where_sql, r.where_values, r.where_columns) = 0 THEN
        executed := pgsim._search_plain_text(r.collection, h.texts[1], r.k);
        IF executed.keys IS NOT NULL THEN
            query := 1;
            keys := executed.keys;
            scores := executed.scores;
            row_details := executed.row_details;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    IF num_nonnulls(h.texts, h.sparse, h.legs, h.fusion, h.weights, h.rank_constant, h.candidates) > 0 OR h.text_form IS DISTINCT FROM 'any' OR h.per_group IS DISTINCT FROM 1 THEN
        IF least(cardinality(queries), cardinality(h.texts), cardinality(h.sparse)) <> greatest(cardinality(queries), cardinality(h.texts), cardinality(h.sparse)) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = concat_ws(' and ', format('there are %s queries', cardinality(queries)), cardinality(h.texts) || ' text_queries', cardinality(h.sparse) || ' sparse_queries'),
                HINT = 'Give one of each for every search, or leave a kind out.';
        END IF;
        FOR i IN 1 .. coalesce(cardinality(queries), cardinality(h.texts), cardinality(h.sparse), 1) LOOP
            query := i;
            executed := pgsim._search_fused(r, queries[i], h.texts[i], h.sparse[i], h, explained);
            keys := executed.keys;
            distances := executed.distances;
            metric := executed.metric;
            details := executed.details;
            scores := executed.scores;
            row_details := executed.row_details;
            RETURN NEXT;
        END LOOP;
        RETURN;
    END IF;
    p := pgsim._plan_search(r, explained);
    t := p.target;
    metric := t.metric;
    IF queries IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'queries is NULL', HINT = 'Give an array of query vectors; an empty one has no answers.';
    END IF;
    IF t.map_id IS NOT NULL THEN
        queries := pgsim._mapped_queries(t, queries);
    END IF;
    IF p.few AND NOT explained THEN
        statement := pgsim._search_statement(p);
    END IF;
    FOR i IN 1 .. cardinality(queries) LOOP
        query := i;
        -- Whatever happens around a statement that ranks so few rows takes as long as the statement.
        IF statement IS NOT NULL AND pgsim._vector_problem(queries[i], t.dim, metric, t.element) IS NULL THEN
            EXECUTE statement INTO keys, distances, found USING p.given, queries[i];
            IF found <= p.bound THEN
                details := jsonb_build_object('strategy', 'exact', 'model', t.model);
                IF t.record_share > 0 OR t.audit_share > 0 THEN
                    PERFORM pgsim._record_some(p, queries[i], keys, distances, details, started);
                    started := clock_timestamp();
                END IF;
                RETURN NEXT;
                CONTINUE;
            END IF;
        END IF;
        executed := pgsim._execute_search(p, queries[i], explained);
        keys := executed.keys;
        distances := executed.distances;
        details := executed.details;
        IF explained THEN
            details := jsonb_set(details, '{seconds,plan}', to_jsonb(extract(epoch FROM executed.started - started)));
        ELSIF t.record_share > 0 OR t.audit_share > 0 THEN
            PERFORM pgsim._record_some(p, queries[i], keys, distances, details, started);
        END IF;
        RETURN NEXT;
        started := clock_timestamp();
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._run_search IS
    'Runs a search for each query vector, planned once; what search, search_batch and explain_search share. Anything beyond one vector is fused by pgsim._search_fused, and has scores and row_details.';

CREATE FUNCTION pgsim._sampled_share(sampled text, base regclass, predicate text, given jsonb, settings jsonb) RETURNS float8[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    places CONSTANT int := 1000;
    pages bigint := pg_relation_size(sampled::regclass) / current_setting('block_size')::int;
    lines int;
    drawn record;
    previous jsonb;
    p float8;
    half float8;
BEGIN
    -- Rows of one page came together, so each row is drawn by itself: a page and a line of it at random. Where no row lies, none is drawn.
    SELECT least(200, greatest(1, 1.2 * r.reltuples / greatest(r.relpages, 1))) INTO lines FROM pg_class AS r WHERE r.oid = sampled::regclass;
    IF settings <> '{}' THEN
        previous := pgsim._set(settings);
    END IF;
    drawn := pgsim._count_drawn(sampled, (SELECT r.relname FROM pg_class AS r WHERE r.oid = base), predicate, given,
        ARRAY(SELECT format('(%s,%s)', floor(random() * pages), 1 + floor(random() * lines)) FROM generate_series(1, places))::tid[]);
    IF previous IS NOT NULL THEN
        PERFORM pgsim._set(previous);
    END IF;
    -- Agresti and Coull 1998, Approximate is better than "exact" for interval estimation of binomial proportions.
    p := (drawn.matches + 2.0) / (drawn.drawn + 4);
    half := 2 * sqrt(p * (1 - p) / (drawn.drawn + 4));
    RETURN ARRAY[greatest(0, p - half), least(1, p + half)];
END
$$;
COMMENT ON FUNCTION pgsim._sampled_share IS 'Between which shares of a table''s rows match a predicate, by a thousand rows drawn at random (95% interval).';

CREATE FUNCTION pgsim._search_rungs(t pgsim._target, k int, ladder int[], keep int, exact boolean, first_element text) RETURNS pgsim._rungs
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r pgsim._rungs;
    candidates int := greatest(k, coalesce(keep, k + 10));
    rungs int;
BEGIN
    r.dims := coalesce(ladder, ARRAY[t.dim]);
    IF exact THEN
        -- Whoever ranks every match has no use for the shorter ones.
        r.dims := r.dims[cardinality(r.dims):];
    END IF;
    rungs := cardinality(r.dims);
    r.elements := array_fill(t.element, ARRAY[rungs]);
    IF NOT exact THEN
        r.elements[1] := coalesce(first_element, t.element);
        IF r.elements[rungs] <> t.element THEN
            -- What an index of narrower elements found is ranked by the stored ones.
            r.dims := r.dims || r.dims[rungs];
            r.elements := r.elements || t.element;
            rungs := rungs + 1;
        END IF;
    END IF;
    -- From the first rung's candidates down to k, by the same factor at each step.
    r.keep := array_fill(k, ARRAY[rungs]);
    FOR i IN 1 .. rungs - 1 LOOP
        r.keep[i] := ceil(k * power(candidates::float8 / k, (rungs - i)::float8 / (rungs - 1)));
    END LOOP;
    RETURN r;
END
$$;
COMMENT ON FUNCTION pgsim._search_rungs IS 'The rungs of a search for k rows: the model''s full width, or the prefix lengths of a ladder, of which the first keeps so many candidates.';

CREATE FUNCTION pgsim._search_statement(p pgsim._search_plan) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    r pgsim._rungs := p.rungs;
    exact boolean := p.strategy = 'exact';
    own boolean := NOT t.adopted;
    by_name boolean := (p.request).where_sql IS NOT NULL;
    distinct_on text := (p.request).distinct_on;
    rungs int := coalesce(cardinality(r.dims), 1);
    key_count int := cardinality(t.key_columns);
    stored text := pgsim._stored_vector(t, format('%s.%I', CASE WHEN own THEN 'v' ELSE 'b' END, t.column_name));
    sparse text := CASE WHEN t.element = 'sparsevec' THEN format('($1 ->> ''$sparse'')::%s.sparsevec(%s)', t.vector_schema, t.dim) END;
    source text;
    shallow pgsim._target;
    key_column text;
    keys text := '';
    key_order text := '';
    key_text text := '';
    group_column text := '';
    distance text;
    distances text := '';
    first_order text;
    kept text := '';
    statement text;
BEGIN
    FOR i IN 1 .. key_count LOOP
        key_column := CASE WHEN own THEN format('v.%I', pgsim._key_column(i, key_count)) ELSE format('b.%I', t.key_columns[i]) END;
        keys := keys || format('%s AS k_%s, ', key_column, i);
        key_order := key_order || ', k_' || i;
        key_text := key_text || format(', %L, k_%s', t.key_columns[i], i);
    END LOOP;
    key_text := CASE key_count WHEN 1 THEN 'k_1::text' ELSE format('pg_catalog.jsonb_build_object(%s)::text', substr(key_text, 3)) END;
    IF distinct_on IS NOT NULL THEN
        keys := keys || format('b.%I AS g, ', distinct_on);
        group_column := ', g';
    END IF;
    IF p.strategy = 'codes' THEN
        statement := pgsim._codes_statement(p, left(keys, -2), key_order || group_column, stored);
        distances := ', d_1';
        rungs := 1;
    ELSE
        source := t.base_sql || ' AS b';
        IF p.strategy = 'funnel' AND p.shallow_query IS NOT NULL THEN
            shallow := p.shallow;
        END IF;
        IF p.predicate IS NOT NULL THEN
            -- In a subquery the predicate sees the table's columns alone, and under the table's own name.
            source := CASE WHEN own OR by_name THEN format(E'(SELECT * FROM %s WHERE %s\n) AS b', t.base_sql, p.predicate)
                           ELSE format('%s WHERE %s', source, p.predicate) END;
        END IF;
        IF own THEN
            source := CASE WHEN p.through_base THEN format('%s AS v JOIN %s ON %s', t.version_sql, source, pgsim._key_join('b.', 'v.', t.key_columns, true))
                           ELSE t.version_sql || ' AS v' END;
        END IF;

        IF shallow.version_id IS NOT NULL AND NOT shallow.adopted THEN
            source := format('%s AS w JOIN %s ON %s', shallow.version_sql, CASE WHEN own THEN format('(%s)', source) ELSE format('(SELECT * FROM %s%s) AS b', t.base_sql, E' WHERE ' || p.predicate || E'\n') END,
                             pgsim._key_join('b.', 'w.', t.key_columns, true));
        END IF;

        -- The first rung reads the table. For an index its ORDER BY is the index's own expression and nothing beside it;
        -- adding 0 keeps an exact scan off every vector index, and the key settles ties.
        FOR i IN 1 .. rungs LOOP
            distance := CASE WHEN r.dims IS NULL THEN format('%s OPERATOR(%s.%s) %s%s', stored, t.vector_schema, pgsim._distance_operator(t.metric),
                                                             coalesce(sparse, '$2'), CASE WHEN sparse IS NOT NULL OR t.element = 'vector' THEN '' ELSE format('::%s.%I(%s)', t.vector_schema, t.element, t.dim) END)
                ELSE format('%s OPERATOR(%s.%s) %s',
                    pgsim._vector_expression(stored, t.vector_schema, t.prefix_metric, t.dim, t.element, r.dims[i], r.elements[i]),
                    t.vector_schema, pgsim._distance_operator(t.metric, r.elements[i]),
                    coalesce(sparse, pgsim._vector_expression('$2', t.vector_schema, t.prefix_metric, t.dim, 'vector', r.dims[i], r.elements[i]))) END;
            IF exact THEN
                distance := format('(%s) OPERATOR(pg_catalog.+) 0', distance);
            END IF;
            IF i = 1 AND shallow.version_id IS NOT NULL THEN
                first_order := format('%s OPERATOR(%s.%s) %s',
                    pgsim._vector_expression(format('%s.%I', CASE WHEN shallow.adopted THEN 'b' ELSE 'w' END, shallow.column_name), t.vector_schema, shallow.metric, shallow.dim, shallow.element, r.dims[1], r.elements[1]),
                    t.vector_schema, pgsim._distance_operator(shallow.metric, r.elements[1]),
                    pgsim._vector_expression('$3', t.vector_schema, shallow.metric, shallow.dim, 'vector', r.dims[1], r.elements[1]));
            ELSIF i = 1 THEN
                first_order := distance;
            END IF;
            IF i > 1 OR rungs = 1 THEN
                distances := distances || format(', %s AS d_%s', distance, i);
            END IF;
        END LOOP;
        statement := format('SELECT %s FROM %s', left(keys, -2) || distances, source);
        IF p.bound IS NOT NULL AND exact THEN
            -- Counted where they are kept: a window over them would keep them once more.
            kept := format('WITH pgsim_matches AS MATERIALIZED (%s LIMIT %s) ', statement, p.bound + 1);
            statement := 'SELECT * FROM pgsim_matches';
        ELSIF NOT exact THEN
            statement := format('SELECT *, %s AS found FROM (%s ORDER BY %s LIMIT %s) AS r_0', CASE WHEN p.predicate IS NULL THEN 'NULL::bigint' ELSE 'pg_catalog.count(*) OVER ()' END, statement, first_order, greatest(p.wanted, r.keep[1]));
        END IF;
        FOR i IN 2 .. rungs LOOP
            statement := format('SELECT * FROM (%s) AS r_%s ORDER BY d_%s LIMIT %s', statement, i - 1, i || key_order, r.keep[i]);
        END LOOP;
    END IF;

    IF distinct_on IS NOT NULL THEN
        statement := format('SELECT DISTINCT ON (g) * FROM (%s) AS h ORDER BY g, d_%s', statement, rungs || key_order);
    END IF;
    IF (p.request).after IS NOT NULL THEN
        -- OFFSET 0 keeps the condition from computing the distance a second time.
        statement := format('SELECT * FROM (%s OFFSET 0) AS f WHERE %s', statement, pgsim._after_condition(t, 'd_' || rungs));
    END IF;
    -- A row without a vector has no distance, and a zero vector no cosine distance: NULL and NaN come last. (A condition further in
    -- would read each row's vector before the filter has seen the row.)
    RETURN kept || format('SELECT pg_catalog.array_agg(%1$s) FILTER (WHERE d_%2$s OPERATOR(pg_catalog.<) ''NaN''), pg_catalog.array_agg(d_%2$s) FILTER (WHERE d_%2$s OPERATOR(pg_catalog.<) ''NaN''), %3$s FROM (%4$s ORDER BY d_%5$s LIMIT %6$s) AS n', key_text, rungs,
                  CASE WHEN kept <> '' THEN '(SELECT pg_catalog.count(*) FROM pgsim_matches), NULL::bigint'
                       WHEN exact THEN 'NULL::bigint, NULL::bigint'
                       WHEN p.strategy = 'codes' THEN 'pg_catalog.max(found), pg_catalog.max(listed)' ELSE 'pg_catalog.max(found), NULL::bigint' END,
                  CASE WHEN distinct_on IS NULL AND (p.request).after IS NULL AND (exact OR p.strategy = 'codes') AND rungs = 1 THEN statement
                       ELSE format('SELECT * FROM (%s) AS m', statement) END,
                  rungs || key_order, (p.request).k);
END
$$;
COMMENT ON FUNCTION pgsim._search_statement IS
    'The one statement of a search, over $1, the filter''s values, and $2, the query vector. Its row: keys, distances, how many rows an index or codes gave that match, and how many codes listed.';

CREATE FUNCTION pgsim._set(settings jsonb) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    given CONSTANT jsonb := pg_catalog.jsonb_path_query_array(settings, '$.keyvalue()');
    previous jsonb := '{}';
    name text;
    value text;
BEGIN
    -- Assignments take a tenth of what a query takes.
    FOR i IN 0 .. pg_catalog.jsonb_array_length(given) - 1 LOOP
        name := given -> i ->> 'key';
        previous := previous || pg_catalog.jsonb_build_object(name, pg_catalog.current_setting(name, true));
        value := pg_catalog.set_config(name, given -> i ->> 'value', true);
    END LOOP;
    RETURN previous;
END
$$;
COMMENT ON FUNCTION pgsim._set IS
    'Sets settings until the transaction ends, and returns what they were, so that they can be given back the same way. It has no SET clause, which would undo search_path; and no function has one for pgvector''s settings, since pg_restore could not create it where pgvector is not loaded.';

CREATE FUNCTION pgsim._store_calibration(collection text, model text, embedding text, parts jsonb[]) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    c pgsim._calibration;
    costs jsonb := '{}';
    part jsonb;
    rows float8;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    rows := CASE WHEN t.rows < 0 THEN pgsim._rows_estimate(t.base) ELSE t.rows END;
    FOREACH part IN ARRAY parts LOOP
        costs := costs || (part - 'index' - 'funnels');
    END LOOP;
    INSERT INTO pgsim._calibration AS k (version_id, rows, queries) VALUES (t.version_id, rows, 0) ON CONFLICT DO NOTHING;
    SELECT * INTO c FROM pgsim._calibration AS k WHERE k.version_id = t.version_id FOR UPDATE;
    c.rows := rows;
    c.measured_at := now();
    c.scan_row := (costs ->> 'scan_row')::float8;
    c.exact_row := (costs ->> 'exact_row')::float8;
    c.keep_row := (costs ->> 'keep_row')::float8;
    c.code_row := (costs ->> 'code_row')::float8;
    SELECT f.ef_intercepts, f.ef_slope, f.ef_far, f.ef_looks, f.ef_typical, f.ann_start, f.ann_candidate, f.queries
    INTO c.ef_intercepts, c.ef_slope, c.ef_far, c.ef_looks, c.ef_typical, c.ann_start, c.ann_candidate, c.queries
    FROM pgsim._fit_index((SELECT array_agg(m) FROM unnest(parts) AS p (part) CROSS JOIN LATERAL jsonb_array_elements(p.part -> 'index') AS m)) AS f;
    c.funnels := pgsim._fit_funnels((SELECT array_agg(m) FROM unnest(parts) AS p (part) CROSS JOIN LATERAL jsonb_array_elements(p.part -> 'funnels') AS m));
    DELETE FROM pgsim._calibration AS k WHERE k.version_id = t.version_id;
    INSERT INTO pgsim._calibration SELECT c.*;
    RETURN to_jsonb(c) || jsonb_build_object('collection', t.collection, 'model', t.model, 'recall_levels', pgsim._recall_levels(), 'warnings', pgsim._funnel_warnings(t, c.funnels));
END
$$;
COMMENT ON FUNCTION pgsim._store_calibration IS 'Puts the parts of a calibration together and stores it, for the searches that follow.';

CREATE FUNCTION pgsim._typical_distance(c pgsim._calibration, among float8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    depths CONSTANT int[] := pgsim._depths();
    i int := 1;
BEGIN
    WHILE i < cardinality(depths) - 1 AND depths[i + 1] < among LOOP
        i := i + 1;
    END LOOP;
    -- Distances grow with the logarithm of the depth, about; beyond the last depth too.
    RETURN c.ef_typical[i] + (c.ef_typical[i + 1] - c.ef_typical[i]) * ln(greatest(among, depths[1]) / depths[i]) / ln(depths[i + 1]::float8 / depths[i]);
END
$$;
COMMENT ON FUNCTION pgsim._typical_distance IS 'Up to which distance of the last of so many nearest rows the first look suffices; NULL where that was not measured.';

CREATE FUNCTION pgsim.explain_search(
    collection text, query vector = NULL, k int = 10, filter jsonb = NULL, text_query text = NULL, sparse_query sparsevec = NULL, model text = NULL, embedding text = 'default',
    recall float8 = NULL, mode text = 'auto', dims int[] = NULL, fusion text = NULL, weights jsonb = NULL, text_form text = 'any', legs jsonb = NULL,
    rank_constant float8 = NULL, candidates int = NULL, oversample int = NULL, max_distance float8 = NULL, after jsonb = NULL, distinct_on text = NULL,
    per_group int = 1, where_sql text = NULL, where_values jsonb = NULL, where_columns text[] = NULL
) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.details
    FROM pgsim._run_search(
        ROW(explain_search.collection, explain_search.k, explain_search.filter, explain_search.model, explain_search.embedding, explain_search.recall, explain_search.mode, explain_search.dims,
            explain_search.oversample, explain_search.max_distance, explain_search.after, explain_search.distinct_on, explain_search.where_sql, explain_search.where_values, explain_search.where_columns,
            pg_catalog.current_setting('search_path'))::pgsim._search_request,
        ARRAY[explain_search.query],
        ROW(CASE WHEN explain_search.text_query IS NOT NULL THEN ARRAY[explain_search.text_query] END, explain_search.text_form, explain_search.legs, explain_search.fusion, explain_search.weights, explain_search.rank_constant,
            explain_search.candidates, explain_search.per_group, CASE WHEN explain_search.sparse_query IS NOT NULL THEN ARRAY[explain_search.sparse_query] END)::pgsim._fusion_request, true) AS r;
END;
COMMENT ON FUNCTION pgsim.explain_search IS
$$Runs a search and tells what was done and why; it takes the same arguments as pgsim.search.

strategy (exact, codes, ann, partial, partition, funnel), reason, costs (seconds expected of each), rungs (of a funnel: dims, elements and how many each keeps), estimated_matches and matches (counted);
stages: each that was run, with what it read (index, tuples), its settings (ef, keep, margin), its seconds, and the fallback taken after it;
complete: true when k rows came, or every row that matches; calibration; rows; dims; filter and values (the predicate and what it reads from
$1); statement (the last one, over $1, the values, and $2, the query vector); settings; seconds (plan and search).
Of several legs: fusion (name, method, rank_constant, candidates), and legs: the kind, weight, rows, seconds and details of each, the details of a vector
being those above. Errors: PS001 to PS006, PS009 to PS016, PS032, PS035, PS050.$$;

CREATE FUNCTION pgsim.fetch(collection text, keys text[], columns text[] = NULL) RETURNS TABLE (key text, data jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection := pgsim._collection_row(collection);
    shown text[] := columns;
BEGIN
    PERFORM pgsim._require_select(c.relation, c.relation);
    IF shown IS NULL THEN
        -- Vectors are long and say nothing to a reader: an adopted column comes only when it is named.
        SELECT array_agg(a.attname::text ORDER BY a.attnum) INTO shown
        FROM pg_attribute AS a
        WHERE a.attrelid = c.relation AND a.attnum > 0 AND NOT a.attisdropped
          AND NOT EXISTS (SELECT FROM pgsim._version AS v WHERE v.relation = c.relation AND v.adopted AND v.column_name = a.attname);
    ELSE
        PERFORM pgsim._check_columns(c.relation, 'columns', shown);
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT i.given, to_jsonb(d) FROM (SELECT %s, k.given, k.ordinal FROM unnest($1) WITH ORDINALITY AS k (given, ordinal)) AS i '
        'JOIN %s AS b ON %s CROSS JOIN LATERAL (SELECT %s) AS d ORDER BY i.ordinal',
        pgsim._key_parse(c.relation, 'k.given', c.key_columns, true), c.relation, pgsim._key_join('b.', 'i.', c.key_columns, true),
        (SELECT string_agg(format('b.%I', s), ', ') FROM unnest(shown) AS s))
    USING keys;
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('a key cannot be read as %s: %s', pgsim._key_types(c.relation, c.key_columns), SQLERRM),
        HINT = 'Give keys as pgsim.search returns them.';
END
$$;
COMMENT ON FUNCTION pgsim.fetch IS
$$Reads rows of a collection's table by the keys that a search gave, in the order of the keys.

data holds the columns named, by default all but adopted vector columns. A key without a row (deleted, or not visible to you) is
left out. Grants and row-level security of the table hold. Errors: PS001, PS005, PS006, PS010, PS016, PS032.$$;

CREATE FUNCTION pgsim.search(
    collection text, query vector = NULL, k int = 10, filter jsonb = NULL, text_query text = NULL, sparse_query sparsevec = NULL, model text = NULL, embedding text = 'default',
    recall float8 = NULL, mode text = 'auto', dims int[] = NULL, fusion text = NULL, weights jsonb = NULL, text_form text = 'any', legs jsonb = NULL,
    rank_constant float8 = NULL, candidates int = NULL, oversample int = NULL, max_distance float8 = NULL, after jsonb = NULL, distinct_on text = NULL,
    per_group int = 1, where_sql text = NULL, where_values jsonb = NULL, where_columns text[] = NULL
) RETURNS TABLE (key text, score float8, distance float8, rank int, details jsonb)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT n.key, coalesce(n.score, pgsim.score(r.metric, n.distance)), n.distance, n.rank::int + coalesce((search.after ->> 'rank')::numeric::int, 0), coalesce(n.details, r.details)
    FROM pgsim._run_search(
        ROW(search.collection, search.k, search.filter, search.model, search.embedding, search.recall, search.mode, search.dims,
            search.oversample, search.max_distance, search.after, search.distinct_on, search.where_sql, search.where_values, search.where_columns,
            pg_catalog.current_setting('search_path'))::pgsim._search_request,
        ARRAY[search.query],
        ROW(CASE WHEN search.text_query IS NOT NULL THEN ARRAY[search.text_query] END, search.text_form, search.legs, search.fusion, search.weights, search.rank_constant,
            search.candidates, search.per_group, CASE WHEN search.sparse_query IS NOT NULL THEN ARRAY[search.sparse_query] END)::pgsim._fusion_request, false) AS r
    CROSS JOIN LATERAL unnest(r.keys, r.distances, r.scores, r.row_details) WITH ORDINALITY AS n (key, distance, score, details, rank)
    ORDER BY n.rank;
END;
COMMENT ON FUNCTION pgsim.search IS
$$Finds the k rows of a collection that answer a query vector, a text, a sparse vector, or several of these best, among those that a filter admits, in rank order.

Returns key (the base key as text; a JSON object of a composite one), score (higher is better), distance (the metric's own; NULL where the
vector did not find the row), rank (from 1) and details. Fewer than k rows come back only when fewer match. Ties come in the order of their keys.

query: a vector of the model's width. k: 1 to 10000. filter: conditions as JSON, {"section": "games", "size": {"$lt": 100}}.
where_sql, where_values: a condition as SQL over the table, its values read as ($1->>'name')::type; never build it from what
users type; where_columns: the columns it reads, if you want codes to serve it. model: default the active version's.
recall: the share of the exact answer that is to be found, on average, .5 to 1 (default .95). mode: auto takes what costs least at
that recall; exact ranks every match; codes and ann use just these, and exact when they give too few. max_distance: rows farther away
are left out. after: the last row of the page before, {"distance": ..., "key": ..., "rank": ...}. distinct_on: a column, of whose every
value only the best row comes, or the best per_group. dims: prefix lengths that the model declares, or
that an index has; one searches that prefix alone, of several each ranks what the shorter kept: at first oversample times k, or as many as the
recall asks for. Left out, a funnel is one of the ways that auto compares.

sparse_query: a sparse vector, one more leg (sparse), of the collection's sparse embedding. Under ip and cosine rows that share nothing with
it do not match.
text_query: words, ranked by BM25 (pgsim.enable_text first); text_form: how they are read. Alone, they answer alone; with query, both are
legs, each gives candidates rows (200, or twice k where that is more), and these are fused. fusion: minmax (default), relative_score,
tmm, dbsf, rrf (with rank_constant, 60), or a name of pgsim.create_fusion. weights: of every leg, {"dense": 0.7, "text": 0.3}; 0 leaves
one out. legs: more of them by name: {"title": {"query": [...], "embedding": "title"}, "phrase": {"text_query": "...", "text_form": "phrase"},
"recent": {"column": "published", "half_life": "30 days"}, "part": {"slice": "title"}}; docs/hybrid.md tells all.
Row-level security and grants of the table hold. Errors: PS001 to PS006, PS009 to PS016, PS032, PS035, PS050.$$;

CREATE FUNCTION pgsim.search_batch(
    collection text, queries vector[] = NULL, k int = 10, filter jsonb = NULL, text_queries text[] = NULL, sparse_queries sparsevec[] = NULL, model text = NULL, embedding text = 'default',
    recall float8 = NULL, mode text = 'auto', dims int[] = NULL, fusion text = NULL, weights jsonb = NULL, text_form text = 'any', legs jsonb = NULL,
    rank_constant float8 = NULL, candidates int = NULL, oversample int = NULL, max_distance float8 = NULL, after jsonb = NULL, distinct_on text = NULL,
    per_group int = 1, where_sql text = NULL, where_values jsonb = NULL, where_columns text[] = NULL
) RETURNS TABLE (query int, key text, score float8, distance float8, rank int, details jsonb)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
    SELECT r.query, n.key, coalesce(n.score, pgsim.score(r.metric, n.distance)), n.distance, n.rank::int + coalesce((search_batch.after ->> 'rank')::numeric::int, 0), coalesce(n.details, r.details)
    FROM pgsim._run_search(
        ROW(search_batch.collection, search_batch.k, search_batch.filter, search_batch.model, search_batch.embedding, search_batch.recall, search_batch.mode, search_batch.dims,
            search_batch.oversample, search_batch.max_distance, search_batch.after, search_batch.distinct_on, search_batch.where_sql, search_batch.where_values, search_batch.where_columns,
            pg_catalog.current_setting('search_path'))::pgsim._search_request,
        search_batch.queries,
        ROW(search_batch.text_queries, search_batch.text_form, search_batch.legs, search_batch.fusion, search_batch.weights, search_batch.rank_constant,
            search_batch.candidates, search_batch.per_group, search_batch.sparse_queries)::pgsim._fusion_request, false) AS r
    CROSS JOIN LATERAL unnest(r.keys, r.distances, r.scores, r.row_details) WITH ORDINALITY AS n (key, distance, score, details, rank)
    ORDER BY r.query, n.rank;
END;
COMMENT ON FUNCTION pgsim.search_batch IS
$$Searches for many query vectors in one call: planned once, answered each as by pgsim.search, whose arguments it takes.

query is the place of the vector in queries, from 1; a query that finds nothing has no rows. text_queries, sparse_queries: one for each vector, or in
their place; NULL in either leaves that one out. legs are the same for all.
Errors: PS001 to PS006, PS009 to PS016, PS032, PS035, PS050.$$;

CREATE FUNCTION pgsim._check_sparse(v sparsevec, what text, model text, dim int, metric text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    problem text := pgsim._sparse_problem(v, dim, metric);
BEGIN
    IF problem IS NULL THEN
        RETURN;
    ELSIF problem LIKE 'has %' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012',
            MESSAGE = format('%s %s; model %L has %s', what, problem, model, dim),
            HINT = 'The number after the slash is the model''s width, the size of its vocabulary as a rule: {1:0.5,7:1.25}/30522. Or name the model that made it.';
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'PS013',
            MESSAGE = format('%s %s; model %L takes sparse vectors%s', what, problem, model,
                             CASE metric WHEN 'cosine' THEN ' with at least one number that is not zero (one of zeros has no direction)' ELSE '' END),
            HINT = CASE WHEN v IS NULL THEN 'Leave out what has no vector: a row without one is not found, and nothing else is lost.'
                        ELSE 'Leave the row out: the model found nothing to say of its text, and nothing finds it.' END;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_sparse IS 'Raises PS012 or PS013 for a sparse vector that a model cannot have made.';

CREATE FUNCTION pgsim._create_inverted(t pgsim._target, dims int, element text, where_filter jsonb, options jsonb, fill boolean) RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    table_name text := pgsim._version_name(t.collection, NULL, t.model, t.version_id) || '_terms';
    terms regclass;
    new_id int;
BEGIN
    PERFORM pgsim._require_owner(t.version);
    SELECT * INTO c FROM pgsim._collection AS s WHERE s.id = t.collection_id;
    IF t.element <> 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('method is inverted; model %L is dense, and every row would be under every term', t.model), HINT = 'Use method => ''hnsw''.';
    ELSIF t.metric NOT IN ('ip', 'cosine') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('an inverted index finds rows that share something with a query, and by metric %s every row has a distance', t.metric), HINT = 'Use method => ''hnsw'', or a model of metric ip.';
    ELSIF coalesce(dims, t.dim) <> t.dim OR coalesce(element, 'sparsevec') <> 'sparsevec' OR where_filter IS NOT NULL OR coalesce(options, '{}') <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'dims, element, where_filter and options do not go with an inverted index, which holds every row', HINT = 'Leave them out.';
    ELSIF EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'inverted') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('collection %L has an inverted index under model %L already', t.collection, t.model), HINT = 'Use it, or drop it first with pgsim.drop_index.';
    ELSIF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = t.version AND r.relkind = 'p') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is partitioned, and an inverted index is for ordinary tables', t.version_sql), HINT = 'Give the vectors a version table of their own: create_version without column_name.';
    ELSIF EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.version AND a.attname = t.column_name AND a.attgenerated = 'v') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('column %I is generated and not stored, so that nothing tells when it changes', t.column_name), HINT = 'Make it GENERATED ALWAYS AS (...) STORED.';
    ELSIF fill AND current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('in a %s transaction an inverted index would lack what others have committed since it began', current_setting('transaction_isolation')),
            HINT = 'Make it in a READ COMMITTED transaction.';
    END IF;
    PERFORM pgsim._require_all_rows(t);
    EXECUTE format('CREATE %s TABLE pgsim_data.%I (term int NOT NULL, docs int NOT NULL, top real NOT NULL, length numeric)',
                   (SELECT CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED' END FROM pg_class AS r WHERE r.oid = t.version), table_name);
    terms := format('pgsim_data.%I', table_name)::regclass;
    EXECUTE format('CREATE INDEX ON %s (term)', terms);
    EXECUTE format('COMMENT ON TABLE %s IS %L', terms, format('Terms of collection %s under model %s: in how many rows each is, and its greatest weight; pgsim keeps it, and reads it for sparse searches.', t.collection, t.model));
    INSERT INTO pgsim._index (version_id, name, method, dims, element, options, relation, complete)
    VALUES (t.version_id, pgsim._free_name(t.version, (SELECT left(r.relname, 30) || CASE WHEN t.adopted THEN '_' || left(t.column_name, 12) ELSE '' END FROM pg_class AS r WHERE r.oid = t.version) || '_inverted'), 'inverted', t.dim, 'sparsevec', '{}', terms, false) RETURNING id INTO new_id;
    PERFORM pgsim._sync_codes_privileges(c, terms);
    -- Writers wait from here until the transaction ends. What they add after that is counted as they add it.
    PERFORM pgsim._sync_triggers(c);
    IF fill THEN
        PERFORM pgsim._fill_inverted(t, terms);
        EXECUTE format('CREATE INDEX %I ON %s %s', (SELECT i.name FROM pgsim._index AS i WHERE i.id = new_id), t.version, pgsim._inverted_definition(t));
        PERFORM pgsim._finish_inverted(t, new_id);
    END IF;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION pgsim._create_inverted IS
    'Makes an inverted index of sparse vectors: a GIN index of their terms, and a table of each term''s rows and greatest weight with the triggers that keep it. fill false leaves it empty and unused, for _fill_inverted, CREATE INDEX CONCURRENTLY and _finish_inverted. Returns its id.';

CREATE FUNCTION pgsim._drop_inverted(id int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    version regclass;
    terms regclass;
    index regclass;
BEGIN
    SELECT s.* INTO c
    FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS s ON s.id = e.collection_id
    WHERE i.id = _drop_inverted.id;
    SELECT r.oid, o.oid, k.oid INTO version, terms, index
    FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id LEFT JOIN pg_class AS r ON r.oid = v.relation LEFT JOIN pg_class AS o ON o.oid = i.relation
    LEFT JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = r.relnamespace AND k.relkind = 'i'
    WHERE i.id = _drop_inverted.id;
    -- The triggers go first, and writers wait until all of it is gone.
    PERFORM pgsim._lock_tables(array_remove(ARRAY[version, terms], NULL)) WHERE num_nonnulls(version, terms) > 0;
    DELETE FROM pgsim._index AS i WHERE i.id = _drop_inverted.id;
    IF version IS NOT NULL AND EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
        PERFORM pgsim._sync_triggers(c);
    END IF;
    IF index IS NOT NULL THEN
        EXECUTE format('DROP INDEX %s', index);
    END IF;
    IF terms IS NOT NULL THEN
        EXECUTE format('DROP TABLE %s', terms);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._drop_inverted IS 'Drops an inverted index of sparse vectors, its table of terms, and the triggers that kept it.';

CREATE FUNCTION pgsim._fill_inverted(t pgsim._target, terms regclass, anew boolean = false) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF anew THEN
        EXECUTE format('TRUNCATE %s', terms);
    END IF;
    -- Rows that came since the triggers are there are counted a second time, which misleads nobody: counts say where to begin, and bounds stay what they are.
    EXECUTE format('INSERT INTO %s (term, docs, top) SELECT e.term, count(*), max(abs(e.weight))::real FROM %s AS r CROSS JOIN LATERAL pgsim._sparse_entries(%s) AS e GROUP BY e.term',
                   terms, t.version, pgsim._inverted_vector(t.metric, t.column_name, t.vector_schema));
    EXECUTE format('ANALYZE %s', terms);
END
$$;
COMMENT ON FUNCTION pgsim._fill_inverted IS 'Counts the rows of each term of an inverted index, and takes its greatest weight.';

CREATE FUNCTION pgsim._finish_inverted(t pgsim._target, id int) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    index regclass;
BEGIN
    SELECT k.oid INTO index FROM pgsim._index AS i JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = t.version_schema WHERE i.id = _finish_inverted.id;
    -- Statistics of the terms would take long to gather, and nothing reads them.
    EXECUTE format('ALTER INDEX %s ALTER COLUMN 1 SET STATISTICS 0', index);
    EXECUTE format('COMMENT ON INDEX %s IS %L', index, pgsim._index_comment(t.version_id));
    UPDATE pgsim._index AS i SET complete = true WHERE i.id = _finish_inverted.id;
    RETURN index;
END
$$;
COMMENT ON FUNCTION pgsim._finish_inverted IS 'Lets searches use an inverted index that is built; its GIN index.';

CREATE FUNCTION pgsim._text_terms(impacts sparsevec) RETURNS int[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.string_to_array(pg_catalog.regexp_replace(pg_catalog.ltrim(pg_catalog.split_part(impacts::text, '}', 1), '{'), ':[^,]+', '', 'g'), ',')::int[];
COMMENT ON FUNCTION pgsim._text_terms IS
    'The ids of a row''s words. An index is made of it, so it never changes. (A column of their own beside the impacts would take a fifth more of all bytes.)';

CREATE FUNCTION pgsim._inverted_definition(t pgsim._target) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- Without a list of pending entries, which each search would read through.
RETURN pg_catalog.format('USING gin (pgsim._text_terms(%I)) WITH (fastupdate = off)', t.column_name);
COMMENT ON FUNCTION pgsim._inverted_definition IS 'How the GIN index of an inverted index is declared.';

CREATE FUNCTION pgsim._inverted_problems(c pgsim._collection, version_id int, subject text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x record;
    problems text;
    again text;
    beyond bigint;
BEGIN
    SELECT i.*, v.model, v.embedding, v.relation AS version, v.column_name, m.metric, r.oid IS NULL AS gone, k.indexrelid IS NULL AS lacking INTO x
    FROM pgsim._index AS i JOIN pgsim.versions AS v ON v.id = i.version_id JOIN pgsim._model AS m ON m.name = v.model LEFT JOIN pg_class AS r ON r.oid = i.relation
    LEFT JOIN (pg_index AS k JOIN pg_class AS n ON n.oid = k.indexrelid) ON k.indrelid = v.relation AND n.relname = i.name AND k.indisvalid
    WHERE i.version_id = _inverted_problems.version_id AND i.method = 'inverted';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    again := format('SELECT pgsim._drop_inverted(%s); SELECT pgsim.create_index(%L, %L, embedding => %L, method => ''inverted'')', x.id, c.name, x.model, x.embedding);
    IF x.gone OR x.lacking THEN
        RETURN QUERY SELECT 'error', subject, format('inverted index %s is gone, or a part of it', x.name), again;
        RETURN;
    ELSIF NOT x.complete THEN
        RETURN QUERY SELECT 'error', subject, format('inverted index %s is not complete: its build failed or is under way, or the column of its vectors was renamed', x.name), again;
        RETURN;
    END IF;
    SELECT string_agg(format('%s %s %s', CASE WHEN d.missing THEN 'lack' ELSE 'have beyond it' END, d.privilege, d.grantee), ', ') INTO problems
    FROM pgsim._privilege_drift(c.relation, x.relation, '{SELECT}') AS d;
    IF problems IS NOT NULL OR pgsim._codes_security_drift(c.relation, x.relation) THEN
        RETURN QUERY SELECT 'error', subject, format('the terms of inverted index %s are not as open as %s is: they %s', x.name, c.relation, coalesce(problems, 'differ in row-level security')),
            format('SELECT pgsim.sync_privileges(%L)', c.name);
    END IF;
    IF row_security_active(c.relation) THEN
        RETURN;
    END IF;
    -- Some thousand rows stand for all, or a table of millions would take minutes. (A bound may be too high: that costs time alone.)
    EXECUTE format('SELECT count(*) FROM (SELECT r.* FROM %s AS r ORDER BY r.ctid DESC LIMIT 2000) AS r CROSS JOIN LATERAL pgsim._sparse_entries(%s) AS e '
                   'WHERE NOT EXISTS (SELECT FROM %s AS h WHERE h.term = e.term AND h.top >= (abs(e.weight) * (1 - 1e-6))::real)',
                   x.version, pgsim._inverted_vector(x.metric, x.column_name, pgsim._vector_schema()), x.relation) INTO beyond;
    IF beyond > 0 THEN
        RETURN QUERY SELECT 'error', subject, format('inverted index %s does not know how great %s weights are, and may leave rows out: its triggers were off', x.name, beyond), again;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._inverted_problems IS 'What is wrong with the inverted index of a version, for pgsim.check.';

CREATE FUNCTION pgsim._inverted_row(t pgsim._target) RETURNS pgsim._index
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x pgsim._index;
BEGIN
    -- Bounds that are not kept would leave rows out without a word, and policies hide them.
    SELECT i.* INTO x
    FROM pgsim._index AS i JOIN pg_class AS r ON r.oid = i.relation
    JOIN pg_class AS k ON k.relname = i.name AND k.relnamespace = t.version_schema JOIN pg_index AS g ON g.indexrelid = k.oid AND g.indrelid = t.version AND g.indisvalid
    WHERE i.version_id = t.version_id AND i.method = 'inverted' AND i.complete AND NOT row_security_active(t.base) AND has_table_privilege(i.relation, 'SELECT')
      AND 3 = (SELECT count(*) FROM pg_trigger AS w WHERE w.tgrelid = t.version AND w.tgenabled IN ('O', 'A')
               AND w.tgname IN (format('!pgsim_inverted_%s_insert', i.id), format('!pgsim_inverted_%s_update', i.id), format('!pgsim_inverted_%s_truncate', i.id)));
    RETURN x;
END
$$;
COMMENT ON FUNCTION pgsim._inverted_row IS 'The inverted index that can serve a search of a version, or NULL.';

CREATE FUNCTION pgsim._inverted_statement(p pgsim._search_plan, clauses text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    n int := cardinality(t.key_columns);
    key_column text;
    keys text := '';
    named text := '';
    key_order text := '';
    of_base text := '';
    key_text text := '';
    admits text := '';
BEGIN
    FOR i IN 1 .. n LOOP
        key_column := CASE WHEN t.adopted THEN format('v.%I', t.key_columns[i]) ELSE format('v.%I', pgsim._key_column(i, n)) END;
        keys := keys || format('%s AS k_%s, ', key_column, i);
        named := named || format('k_%s, ', i);
        key_order := key_order || format(', k_%s', i);
        of_base := of_base || format('%I OPERATOR(pg_catalog.=) pgsim_c.k_%s AND ', t.key_columns[i], i);
        key_text := key_text || format(', %L, k_%s', t.key_columns[i], i);
    END LOOP;
    key_text := CASE n WHEN 1 THEN 'k_1::text' ELSE format('pg_catalog.jsonb_build_object(%s)::text', substr(key_text, 3)) END;
    IF p.predicate IS NOT NULL THEN
        -- The base table says which rows are wanted, one row at a time by its key, best first.
        admits := format(E' CROSS JOIN LATERAL (SELECT FROM %s WHERE %s (%s\n) LIMIT 1) AS b', t.base_sql, of_base, p.predicate);
    END IF;
    RETURN format('WITH pgsim_c AS MATERIALIZED (SELECT * FROM (SELECT %sv.%I OPERATOR(%s.%s) ($1 ->> ''$sparse'')::%s.sparsevec(%s) AS d FROM %s AS v WHERE %s OFFSET 0) AS s WHERE d < %s ORDER BY d%s) ',
                  keys, t.column_name, t.vector_schema, pgsim._distance_operator(t.metric), t.vector_schema, t.dim, t.version_sql,
                  (SELECT string_agg(format('pgsim._text_terms(v.%I) OPERATOR(pg_catalog.&&) ''{%s}''::int[]', t.column_name, u), ' AND ') FROM unnest(clauses) AS u),
                  CASE t.metric WHEN 'ip' THEN 0 ELSE 1 END, key_order)
        || format('SELECT pg_catalog.array_agg(%s ORDER BY d%s), pg_catalog.array_agg(d ORDER BY d%2$s), (SELECT pg_catalog.count(*) FROM pgsim_c) FROM (SELECT %sd FROM pgsim_c', key_text, key_order, named)
        || admits || format(' LIMIT %s) AS n', p.depth);
END
$$;
COMMENT ON FUNCTION pgsim._inverted_statement IS
    'The statement of a search by an inverted index, over $1, the filter''s values and the query: of rows that have a term of each clause the best, their distances, and how many rows were ranked.';

CREATE FUNCTION pgsim._keep_inverted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x record;
    vector text;
    added text := CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN CASE TG_LEVEL WHEN 'ROW' THEN '(SELECT ($2).*)' ELSE 'pgsim_rows' END END;
    removed text := CASE WHEN TG_OP IN ('DELETE', 'UPDATE') THEN CASE TG_LEVEL WHEN 'ROW' THEN '(SELECT ($1).*)' ELSE 'pgsim_before' END END;
    counted text;
    statement text;
    changed int[];
BEGIN
    SELECT i.id, i.relation::text AS terms, i.complete, v.column_name, m.metric,
           EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = TG_RELID AND a.attname = v.column_name AND NOT a.attisdropped) AS usable
    INTO x FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._model AS m ON m.id = v.model_id WHERE i.id = TG_ARGV[1]::int;
    IF NOT FOUND OR x.terms ~ '^\d' THEN
        RETURN NULL;
    END IF;
    IF NOT x.usable THEN
        IF x.complete THEN
            PERFORM pgsim._give_up_keeping(x.id, NULL, format('pgsim no longer uses the inverted index of %s: the column of its vectors was renamed or dropped', TG_RELID::regclass));
        END IF;
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('TRUNCATE %s', x.terms);
        RETURN NULL;
    END IF;
    vector := pgsim._inverted_vector(x.metric, x.column_name, pgsim._vector_schema());
    counted := concat_ws(' UNION ALL ',
        'SELECT e.term, 1 AS docs, abs(e.weight)::real AS top FROM ' || added || format(' AS r CROSS JOIN LATERAL pgsim._sparse_entries(%s) AS e', vector),
        'SELECT e.term, -1 AS docs, 0::real AS top FROM ' || removed || format(' AS r CROSS JOIN LATERAL pgsim._sparse_entries(%s) AS e', vector));
    -- Appended and added up now and then, so that no writer waits for another.
    statement := format('WITH pgsim_changed AS (INSERT INTO %1$s AS h (term, docs, top) SELECT s.term, s.docs, s.top '
                   '  FROM (SELECT n.term, pg_catalog.sum(n.docs) AS docs, pg_catalog.max(n.top) AS top FROM (%2$s) AS n GROUP BY n.term) AS s '
                   '  LEFT JOIN LATERAL (SELECT pg_catalog.max(k.top) AS top FROM %1$s AS k WHERE k.term = s.term) AS k ON true '
                   '  WHERE s.docs <> 0 OR s.top > coalesce(k.top, 0) RETURNING h.term) '
                   'SELECT pg_catalog.array_agg(c.term) FROM pgsim_changed AS c', x.terms, counted);
    IF TG_LEVEL = 'ROW' THEN
        EXECUTE statement INTO changed USING OLD, NEW;
    ELSE
        EXECUTE statement INTO changed;
    END IF;
    IF changed IS NOT NULL THEN
        PERFORM pgsim._fold_counts(x.terms::regclass, -x.id, changed);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._keep_inverted IS
    'Trigger: keeps the terms of an inverted index up with its vectors, in the writer''s own transaction. It runs as its owner, to whom they belong, reads only what was changed, and writes nothing else.';
REVOKE ALL ON FUNCTION pgsim._keep_inverted FROM PUBLIC;

CREATE FUNCTION pgsim._inverted_triggers(c pgsim._collection) RETURNS TABLE (relation regclass, name text, definition text, arguments bytea)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- Their names begin with !: triggers fire in the order of their names, and what a trigger of the user's changes further must get here later.
    SELECT v.relation, format('!pgsim_inverted_%s_%s', i.id, t.name),
           format('AFTER %s ON %s %s EXECUTE FUNCTION pgsim._keep_inverted(%L, %L)', t.event, v.relation, t.condition, c.id, i.id),
           convert_to(c.id::text, 'UTF8') || '\x00' || convert_to(i.id::text, 'UTF8') || '\x00'
    FROM pgsim._index AS i JOIN pgsim._version AS v ON v.id = i.version_id JOIN pgsim._embedding AS e ON e.id = v.embedding_id
    JOIN pg_class AS r ON r.oid = v.relation JOIN pg_class AS k ON k.oid = i.relation
    CROSS JOIN LATERAL (VALUES
        ('insert', 'INSERT', 'REFERENCING NEW TABLE AS pgsim_rows FOR EACH STATEMENT', NULL),
        ('delete', 'DELETE', 'REFERENCING OLD TABLE AS pgsim_before FOR EACH STATEMENT', NULL),
        ('truncate', 'TRUNCATE', 'FOR EACH STATEMENT', NULL),
        -- Of an adopted column most updates are of others: a row trigger with a condition costs those next to nothing.
        ('update', 'UPDATE', 'FOR EACH ROW WHEN ' || pgsim._changed_condition(ARRAY[v.column_name]), true),
        ('update', 'UPDATE', 'REFERENCING OLD TABLE AS pgsim_before NEW TABLE AS pgsim_rows FOR EACH STATEMENT', false)
    ) AS t (name, event, condition, adopted)
    WHERE e.collection_id = c.id AND i.method = 'inverted' AND coalesce(t.adopted = v.adopted, true)
      -- Of a column that is gone no trigger can be made, and none is of use.
      AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = v.relation AND a.attname = v.column_name AND NOT a.attisdropped);
END;
COMMENT ON FUNCTION pgsim._inverted_triggers IS 'The triggers that keep the inverted indexes of a collection''s sparse vectors, where the vectors are.';

CREATE FUNCTION pgsim._inverted_vector(metric text, column_name text, vector_schema text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.format(CASE metric WHEN 'cosine' THEN '%2$s.l2_normalize(r.%1$I)' ELSE 'r.%1$I' END, column_name, vector_schema);
COMMENT ON FUNCTION pgsim._inverted_vector IS 'The vector whose weights bound what a term can add to a score: under cosine that of length 1.';

CREATE FUNCTION pgsim._require_dense(t pgsim._target, what text, instead text = NULL) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF t.element = 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('%s for dense vectors; model %L is sparse', what, t.model),
            HINT = coalesce(instead, 'Name a dense model or its embedding. Sparse vectors are stored by pgsim.upsert(..., sparse_vectors => ...) and searched by pgsim.search(..., sparse_query => ...).');
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._require_dense IS 'Raises PS012 where a call that knows dense vectors alone is asked about a sparse model.';

CREATE FUNCTION pgsim._run_sparse(
    r pgsim._search_request, query text, predicate text, given jsonb, explained boolean,
    OUT keys text[], OUT distances float8[], OUT metric text, OUT details jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    started timestamptz := clock_timestamp();
    stage_started timestamptz;
    t pgsim._target := pgsim._sparse_target(r.collection, r.model, r.embedding);
    p pgsim._search_plan;
    vector text;
    -- A row that shares nothing with the query has this distance: it does not match.
    apart float8 := CASE t.metric WHEN 'ip' THEN 0 WHEN 'cosine' THEN 1 END;
    statement text;
    previous jsonb;
    found int;
    x pgsim._index;
    inverted record;
    settings jsonb;
    stage jsonb;
    doubt text;
    rows float8;
    matches float8;
    stages jsonb := '[]';
    fallbacks text[] := '{}';
BEGIN
    PERFORM pgsim._require_select(t.base, t.version);
    IF t.state = 'retired' THEN
        PERFORM pgsim._refuse_retired(t);
    END IF;
    BEGIN
        PERFORM pgsim._check_sparse(pgsim._sparse_of(query), 'the query', t.model, t.dim, t.metric);
        vector := pgsim._sparse_of(query);
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('the sparse query is no sparse vector: %s', SQLERRM),
            HINT = format('Give pgvector''s text, indices from 1 and the width after a slash: {1:0.5,7:1.25}/%s.', t.dim);
    END;
    IF r.mode NOT IN ('auto', 'exact', 'ann') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('mode is %L; of sparse vectors it is auto, exact or ann', r.mode), HINT = 'Leave it out: auto takes what costs least.';
    END IF;
    metric := t.metric;
    p.target := t;
    p.request := r;
    p.predicate := predicate;
    p.given := given || jsonb_build_object('$sparse', vector);
    p.depth := r.k;
    p.recall := coalesce(r.recall, .95);
    p.settings := CASE WHEN current_setting('jit') = 'on' THEN '{"jit": "off"}' ELSE '{}' END::jsonb;
    IF r.where_sql IS NOT NULL THEN
        p.settings := p.settings || jsonb_build_object('search_path', concat_ws(', ', 'pg_catalog', nullif(r.search_path, '')));
    END IF;
    p.through_base := t.adopted OR predicate IS NOT NULL OR row_security_active(t.base);
    rows := (SELECT k.reltuples FROM pg_class AS k WHERE k.oid = t.version);
    IF rows < 0 THEN
        -- Of a table that was never analyzed PostgreSQL knows how many pages it has.
        rows := (pgsim._plan(format('SELECT FROM %s', t.version), NULL, NULL) ->> 'Plan Rows')::float8;
    END IF;
    matches := rows;
    IF predicate IS NOT NULL OR row_security_active(t.base) THEN
        previous := pgsim._set(p.settings);
        matches := least((pgsim._plan(format('SELECT FROM %s', t.base_sql) || coalesce(E' WHERE ' || predicate, ''), p.given, NULL) ->> 'Plan Rows')::float8, rows);
        PERFORM pgsim._set(previous);
    END IF;
    p.strategy := 'exact';
    IF r.mode <> 'exact' AND r.k <= 10000 AND (r.mode = 'ann' OR matches > 500) THEN
        x := pgsim._inverted_row(t);
        IF x.id IS NULL AND p.recall < 1 OR r.mode = 'ann' THEN
            p := pgsim._sparse_ann(p, rows, matches);
        END IF;
        -- By its key a row of the table is looked at some four times as slowly as in a scan of those that match.
        IF p.strategy = 'exact' AND x.id IS NOT NULL AND 4 * matches > least(rows, 300 + 30 * r.k * rows / greatest(matches, 1)) THEN
            p.strategy := 'inverted';
        END IF;
    END IF;
    LOOP
        settings := p.settings;
        doubt := NULL;
        IF p.strategy = 'ann' THEN
            settings := settings || pgsim._index_settings(p);
        ELSIF p.strategy = 'inverted' THEN
            -- A scan of all rows would have the terms taken from each.
            settings := settings || '{"enable_seqscan": "off"}';
        END IF;
        previous := pgsim._set(settings);
        stage_started := clock_timestamp();
        IF p.strategy = 'inverted' THEN
            inverted := pgsim._search_inverted(p, x.relation, rows);
            keys := inverted.keys;
            distances := inverted.distances;
            statement := inverted.statement;
            stage := jsonb_build_object('rounds', inverted.rounds, 'candidates', inverted.candidates, 'index', jsonb_build_array(x.name));
            IF inverted.given_up THEN
                doubt := 'the terms of the query are in so many rows that ranking every row costs less';
            END IF;
        ELSE
            statement := pgsim._search_statement(p);
            EXECUTE statement INTO keys, distances USING p.given, NULL::text;
            stage := CASE WHEN explained THEN pgsim._explain_stage(p, statement, settings, NULL) ELSE '{}' END;
        END IF;
        PERFORM pgsim._set(previous);
        found := (SELECT count(*) FROM unnest(distances) AS d WHERE d < coalesce(apart, 'NaN'));
        IF p.strategy = 'ann' AND found < r.k THEN
            doubt := format('the index gave %s of %s rows', found, r.k);
        END IF;
        IF explained THEN
            stages := stages || jsonb_strip_nulls(stage || jsonb_build_object('strategy', p.strategy, 'seconds', extract(epoch FROM clock_timestamp() - stage_started), 'fallback', doubt));
        END IF;
        EXIT WHEN doubt IS NULL;
        fallbacks := fallbacks || doubt;
        p.strategy := CASE WHEN p.strategy = 'ann' AND x.id IS NOT NULL THEN 'inverted' ELSE 'exact' END;
        p.rungs := NULL;
    END LOOP;
    -- A row without a vector has no distance, and one of zeros no direction: NULL and NaN came last.
    keys := coalesce(keys[:found], '{}');
    distances := coalesce(distances[:found], '{}');
    details := jsonb_build_object('strategy', p.strategy, 'model', t.model);
    IF fallbacks <> '{}' THEN
        details := details || jsonb_build_object('fallbacks', to_jsonb(fallbacks));
    END IF;
    IF explained THEN
        details := details || jsonb_build_object('version', t.version_id, 'recall', p.recall, 'estimated_matches', matches, 'stages', stages, 'statement', statement,
                                                 'seconds', jsonb_build_object('search', extract(epoch FROM clock_timestamp() - started)));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._run_sparse IS
    'Searches sparse vectors. By an inner product or cosine a row matches when that is above zero; by a distance every row does. Fewer than k rows come only where fewer match.';

CREATE FUNCTION pgsim._search_inverted(
    p pgsim._search_plan, terms regclass, rows float8, OUT keys text[], OUT distances float8[], OUT statement text, OUT rounds int, OUT candidates bigint, OUT given_up boolean
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    query_terms int[];
    query_weights float8[];
    q pgsim._text_query;
    n int;
    reach int := 0;
    reached float8 := 0;
    wanted float8 := greatest(50, 5 * p.depth);
    slack float8;
    total float8;
    rest float8;
    least_score float8;
    clauses text[];
    ranked bigint;
BEGIN
    rounds := 0;
    candidates := 0;
    given_up := false;
    SELECT array_agg(e.term), array_agg(e.weight / CASE t.metric WHEN 'cosine' THEN e.length ELSE 1 END) INTO query_terms, query_weights
    FROM (SELECT e.term, e.weight, sqrt(sum(e.weight * e.weight) OVER ()) AS length FROM pgsim._sparse_entries(pgsim._sparse_of(p.given ->> '$sparse')) AS e) AS e;
    -- What a term can add is its weight in the query by the greatest it has in any row. Those that add much and are in few rows go first.
    EXECUTE format(
        'SELECT array_agg(k.term::text ORDER BY k.place), array_agg(k.docs ORDER BY k.place), array_agg(k.bound ORDER BY k.place) FROM ('
        '  SELECT s.term, s.docs, s.bound, row_number() OVER (ORDER BY s.docs / s.bound, s.term) AS place FROM ('
        '    SELECT e.term, greatest(sum(h.docs), 1)::float8 AS docs, max(abs(e.weight)) * max(h.top)::float8 AS bound '
        '    FROM unnest($1, $2) AS e (term, weight) JOIN %s AS h ON h.term = e.term GROUP BY e.term) AS s WHERE s.bound > 0) AS k', terms)
    INTO q.ids, q.docs, q.bounds
    USING query_terms, query_weights;
    n := coalesce(cardinality(q.ids), 0);
    IF n = 0 THEN
        RETURN;
    END IF;
    q.weights := q.bounds;
    total := (SELECT sum(b) FROM unnest(q.bounds) AS b);
    -- Products are added as single-precision numbers.
    slack := 1.2e-7 * (8 + n) * total;
    LOOP
        WHILE reach < n AND reached < wanted LOOP
            reach := reach + 1;
            reached := reached + q.docs[reach];
        END LOOP;
        IF reached > rows / 2 AND rounds = 0 AND rows > 2000 THEN
            -- To rank every row one after the other costs less then.
            given_up := true;
            RETURN;
        END IF;
        statement := pgsim._inverted_statement(p, ARRAY[array_to_string(q.ids[1 : reach], ',')]);
        EXECUTE statement INTO keys, distances, ranked USING p.given;
        rounds := rounds + 1;
        candidates := candidates + ranked;
        EXIT WHEN reach = n;
        IF cardinality(keys) >= p.depth THEN
            least_score := CASE t.metric WHEN 'cosine' THEN 1 ELSE 0 END - distances[cardinality(distances)] - slack;
            rest := (SELECT sum(b) FROM unnest(q.bounds[reach + 1 :]) AS b);
            -- Rows with none of these terms cannot be better than what was found.
            EXIT WHEN rest < least_score;
            clauses := CASE WHEN least_score > 0 THEN pgsim._text_clauses(q.ids, q.docs, q.weights, q.bounds, least_score) ELSE '{}' END;
            IF clauses = '{}' THEN
                clauses := ARRAY[array_to_string(q.ids, ',')];
            END IF;
            IF rows > 2000 AND (SELECT min(m.docs) FROM (SELECT sum(q.docs[array_position(q.ids, i)]) AS docs FROM unnest(clauses) AS u, unnest(string_to_array(u, ',')) AS i GROUP BY u) AS m) > rows / 2 THEN
                given_up := true;
                RETURN;
            END IF;
            statement := pgsim._inverted_statement(p, clauses);
            EXECUTE statement INTO keys, distances, ranked USING p.given;
            rounds := rounds + 1;
            candidates := candidates + ranked;
            EXIT;
        END IF;
        wanted := 8 * reached;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._search_inverted IS
    'Searches by an inverted index: rows that have the terms which count most are ranked at first, then those that might still be better, so that the answer is that of ranking all. given_up: so many rows would be ranked that a scan of all costs less.';

CREATE FUNCTION pgsim._sparse_ann(p pgsim._search_plan, rows float8, matches float8) RETURNS pgsim._search_plan
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target := p.target;
    index record := pgsim._usable_index(t, t.dim, (p.request).filter);
    kept int;
    ef float8;
BEGIN
    IF index.name IS NULL THEN
        RETURN p;
    END IF;
    p.reachable := CASE WHEN index.covering AND index.rows >= 0 THEN greatest(index.rows, 1) ELSE rows END;
    SELECT (i.options ->> 'top_weights')::int INTO kept FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.name = index.name;
    -- Four times what dense vectors need. (Measured: learned weights are found then, those of words alone to some 85%.)
    ef := greatest(40, 4 * pgsim._expected_ef(pgsim._calibrated(t), p.recall, pgsim._among(p, matches)));
    IF (p.request).mode <> 'ann' AND (ef > 1000 OR .5e-3 + 25e-6 * ef > matches * CASE WHEN p.predicate IS NULL THEN .5e-6 ELSE 1.5e-6 END) THEN
        RETURN p;
    END IF;
    p.strategy := 'ann';
    p.method := 'hnsw';
    p.ef := least(1000, ef);
    p.wanted := p.depth;
    p.tuples := greatest(20000, 20 * p.ef);
    IF kept IS NOT NULL THEN
        -- What the greatest weights found is ranked by all of them.
        p.rungs.dims := ARRAY[t.dim, t.dim];
        p.rungs.elements := ARRAY['top_' || kept, 'sparsevec'];
        p.rungs.keep := ARRAY[least(100000, 4 * p.depth + 10), p.depth];
        p.ef := greatest(p.ef, least(1000, 4 * p.depth + 10));
    END IF;
    RETURN p;
END
$$;
COMMENT ON FUNCTION pgsim._sparse_ann IS 'A search of sparse vectors by an HNSW index, where there is one that can find the recall asked for; else the plan as it was.';

CREATE FUNCTION pgsim._sparse_entries(v sparsevec) RETURNS TABLE (term int, weight float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100
BEGIN ATOMIC
    SELECT pg_catalog.split_part(e.entry, ':', 1)::int, pg_catalog.split_part(e.entry, ':', 2)::float8
    FROM pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.ltrim(pg_catalog.split_part(v::text, '}', 1), '{'), ',')) AS e (entry);
END;
COMMENT ON FUNCTION pgsim._sparse_entries IS 'The numbers of a sparse vector that are not zero, with their indices.';

CREATE FUNCTION pgsim._sparse_index(t pgsim._target, dims int, element text, method text, predicate text, options jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT int := 1000;
    heavy bigint;
    heaviest int;
BEGIN
    IF coalesce(dims, t.dim) <> t.dim OR coalesce(element, 'sparsevec') <> 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('dims is %s and element %s; an index of model %L has its %s dimensions and elements sparsevec', coalesce(dims::text, 'NULL'), coalesce(quote_literal(left(element, 80)), 'NULL'), t.model, t.dim),
            HINT = 'Leave dims and element out.';
    ELSIF method <> 'hnsw' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('method is %L; of sparse vectors it is hnsw or inverted', method),
            HINT = 'inverted is exact for any number of weights; hnsw finds most of the answer.';
    END IF;
    IF options ? 'top_weights' THEN
        RETURN 'top_' || CASE WHEN jsonb_typeof(options -> 'top_weights') = 'number' THEN options ->> 'top_weights' END;
    END IF;
    EXECUTE format('SELECT count(*), max(s.n) FROM (SELECT length(v.%1$I::text) - length(replace(v.%1$I::text, '':'', '''')) AS n FROM %2$s AS v WHERE %3$s) AS s WHERE s.n > %4$s', t.column_name, t.version, coalesce(predicate, 'true'), most)
    INTO heavy, heaviest;
    IF heavy > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010',
            MESSAGE = format('%s rows of %s have more than %s numbers that are not zero (up to %s), and pgvector''s hnsw takes no more of a sparse vector', heavy, t.version_sql, most, heaviest),
            HINT = format('Index the greatest weights of each, options => ''{"top_weights": %s}'': what they find is ranked by the whole vectors. Or take method => ''inverted'', which is exact for any number of them.', most);
    END IF;
    RETURN 'sparsevec';
END
$$;
COMMENT ON FUNCTION pgsim._sparse_index IS 'What an HNSW index of sparse vectors is made of: sparsevec, or top_ and a number, where only so many weights of each are indexed. PS010 where it cannot be made.';

CREATE FUNCTION pgsim._sparse_of(given text) RETURNS sparsevec
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN given::sparsevec;
COMMENT ON FUNCTION pgsim._sparse_of IS 'A sparse vector read from its text, wherever the extension lives.';

CREATE FUNCTION pgsim._sparse_problem(v sparsevec, dim int, metric text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN v IS NULL THEN 'is NULL'
    -- pgvector has no function for it.
    WHEN pg_catalog.split_part(v::text, '/', 2)::int <> dim THEN 'has ' || pg_catalog.split_part(v::text, '/', 2) || ' dimensions'
    WHEN metric = 'cosine' AND NOT l2_norm(v) > 0 THEN 'is all zeros'
END;
COMMENT ON FUNCTION pgsim._sparse_problem IS 'Why a sparse vector cannot be stored or searched under a model, or NULL. (pgvector itself refuses NaN and infinity.)';

CREATE FUNCTION pgsim._sparse_target(collection text, model text, embedding text) RETURNS pgsim._target
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    c pgsim._collection := pgsim._collection_row(collection);
    found_models text[];
    found_embeddings text[];
BEGIN
    -- Sparse vectors are an embedding of their own. Where there is one alone nobody need name it.
    SELECT array_agg(m.name ORDER BY e.name <> _sparse_target.embedding, e.name), array_agg(e.name ORDER BY e.name <> _sparse_target.embedding, e.name)
    INTO found_models, found_embeddings
    FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._model AS m ON m.id = v.model_id
    WHERE e.collection_id = c.id AND m.element = 'sparsevec'
      AND CASE WHEN _sparse_target.model IS NULL THEN v.state = 'active' ELSE m.name = _sparse_target.model END
      AND (_sparse_target.embedding = 'default' OR e.name = _sparse_target.embedding);
    IF cardinality(found_models) = 1 OR found_embeddings[1] = embedding THEN
        RETURN pgsim._target(collection, found_models[1], found_embeddings[1]);
    ELSIF cardinality(found_models) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('collection %L has several embeddings of sparse vectors, and none is named: %s', collection, array_to_string(found_embeddings, ', ')),
            HINT = 'Name it: embedding => ... where there is no dense query, or legs => ''{"sparse": {"sparse_query": "...", "embedding": "..."}}''.';
    END IF;
    IF model IS NULL AND embedding = 'default' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS004', MESSAGE = format('collection %L has no active version under a sparse model', collection),
            DETAIL = coalesce('It has: ' || (SELECT string_agg(format('%L (embedding %L, %s)', v.model, v.embedding, v.state), ', ' ORDER BY v.id)
                                             FROM pgsim.versions AS v WHERE v.collection = c.name), 'It has none.'),
            HINT = format('Make one: pgsim.create_model(name, dim => 30522, metric => ''ip'', element => ''sparsevec''), pgsim.create_embedding(%L, ''sparse'', source_columns), pgsim.create_version(%1$L, name, embedding => ''sparse'').', collection);
    END IF;
    t := pgsim._target(collection, model, embedding);
    RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('the query is sparse; model %L of embedding %L is dense: %s numbers each', t.model, embedding, t.dim),
        HINT = 'Give a dense vector as query, or name the embedding of the sparse model.';
END
$$;
COMMENT ON FUNCTION pgsim._sparse_target IS
    'The version that a sparse query searches: the one named, or where none is that of the embedding default, if it is sparse, or the only sparse one. PS010 where there are several.';

CREATE FUNCTION pgsim._top_weights(v sparsevec, n int) RETURNS sparsevec
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.length(v::text) - pg_catalog.length(pg_catalog.replace(v::text, ':', '')) <= n THEN v
    ELSE (
        SELECT ('{' || pg_catalog.string_agg(k.entry, ',') || '}/' || pg_catalog.split_part(v::text, '/', 2))::sparsevec
        FROM (
            SELECT e.entry FROM pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.ltrim(pg_catalog.split_part(v::text, '}', 1), '{'), ',')) WITH ORDINALITY AS e (entry, place)
            ORDER BY abs(pg_catalog.split_part(e.entry, ':', 2)::real) DESC, e.place LIMIT n
        ) AS k
    )
END;
COMMENT ON FUNCTION pgsim._top_weights IS 'A sparse vector with its n greatest weights alone, whatever their sign; of equal ones the first. Indexes are made of it, so it never changes.';

CREATE FUNCTION pgsim._begin_text(collection text, text_config regconfig, weights jsonb, k1 float8, b float8, backend text) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    x pgsim._text;
    columns text[];
    column_weights float8[];
    config_name text;
    bad text;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    PERFORM pgsim._check_text_backend(c, backend);
    -- Whoever makes one at the same time waits, and is told then.
    PERFORM FROM pgsim._collection AS s WHERE s.id = c.id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM pgsim._text AS s WHERE s.collection_id = c.id) OR EXISTS (SELECT FROM pgsim._text_backend AS s WHERE s.collection_id = c.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('collection %L has a text index already', c.name),
            HINT = format('Use it, or drop it first with pgsim.disable_text(%L).', c.name);
    ELSIF k1 IS NULL OR b IS NULL OR NOT (k1 = 0 OR k1 BETWEEN 0.01 AND 100) OR NOT b BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k1 is %s and b is %s; k1 is 0 or from 0.01 to 100, and b from 0 to 1', coalesce(k1::text, 'NULL'), coalesce(b::text, 'NULL')),
            HINT = 'The defaults, 1.2 and 0.75, suit most texts.';
    ELSIF weights IS NOT NULL AND jsonb_typeof(weights) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'weights is not a JSON object', HINT = 'It gives columns their weights: weights => ''{"title": 3, "body": 1}''.';
    END IF;
    IF backend = 'pgsim' THEN
        PERFORM pgsim._require_all_texts(c);
    END IF;
    SELECT left(w.key, 80) INTO bad FROM jsonb_each(weights) AS w
    WHERE CASE jsonb_typeof(w.value) WHEN 'number' THEN (w.value #>> '{}')::numeric NOT BETWEEN 0 AND 1000 OR (w.value #>> '{}')::numeric * 100 % 1 <> 0 ELSE true END LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the weight of %L is %s; it is a number from 0 to 1000 with at most two decimals', bad, left((weights -> bad)::text, 80)),
            HINT = 'A weight of 3 counts each word of the column three times; one of 0 leaves the column out.';
    END IF;
    columns := c.text_columns || ARRAY(SELECT w.key FROM jsonb_object_keys(weights) AS w (key) WHERE w.key <> ALL (c.text_columns));
    PERFORM pgsim._check_columns(c.relation, 'weights', columns);
    SELECT array_agg(n.name ORDER BY n.ordinal), array_agg(coalesce((weights ->> n.name)::float8, 1) ORDER BY n.ordinal) INTO columns, column_weights
    FROM unnest(columns) WITH ORDINALITY AS n (name, ordinal) WHERE coalesce((weights ->> n.name)::float8, 1) > 0;
    IF columns IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('there is no column of text to search in collection %L', c.name),
            HINT = 'Name columns and their weights, weights => ''{"body": 1}'', or register the table with text_columns.';
    END IF;
    SELECT string_agg(quote_ident(a.attname), ', ') INTO bad FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = ANY (columns) AND a.attgenerated = 'v';
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is generated and not stored, so that nothing tells when it changes', bad),
            HINT = 'Make it GENERATED ALWAYS AS (...) STORED.';
    END IF;
    config_name := coalesce(
        (SELECT format('%I.%I', n.nspname, t.cfgname) FROM pg_ts_config AS t JOIN pg_namespace AS n ON n.oid = t.cfgnamespace WHERE t.oid = _begin_text.text_config),
        c.text_config);
    IF backend <> 'pgsim' THEN
        PERFORM pgsim._create_text_backend(c, backend, config_name, columns, column_weights, k1, b);
        RETURN NULL;
    END IF;
    x := pgsim._create_text(c, config_name, columns, column_weights, k1, b);
    PERFORM pgsim._fill_text(c, x);
    RETURN x.documents;
END
$$;
COMMENT ON FUNCTION pgsim._begin_text IS
    'The first step of a text index, that takes the time: its tables are made and filled, and no writer waits. It returns the table of its documents, by which the next steps know it: _watch_text, _changed_texts, _repair_text and _finish_text. NULL: another extension keeps the index, and it is made.';

CREATE FUNCTION pgsim._changed_texts(documents regclass) RETURNS text[]
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made record := pgsim._text_in_making(documents);
    c pgsim._collection := made.c;
    keys text[];
BEGIN
    -- What the filling could not see is of a transaction that was under way then or came later. Volatile: it is to see what was committed until now.
    EXECUTE format('SELECT array_agg(n.key) FROM (SELECT %s FROM %s AS b WHERE age(b.xmin) <= age($1) AND b.xmin <> ALL ($2) UNION '
                   'SELECT %s FROM (SELECT %s FROM %s AS d WHERE NOT EXISTS (SELECT FROM %s AS b WHERE %s)) AS g) AS n (key)',
        pgsim._key_text(c.relation, 'b.', c.key_columns), c.relation, pgsim._key_text(c.relation, 'g.', c.key_columns),
        (SELECT string_agg(format('d.%I AS %I', n.name, k.name), ', ') FROM unnest(c.key_columns) WITH ORDINALITY AS k (name, ordinal)
         JOIN unnest(pgsim._key_names(c.key_columns, true)) WITH ORDINALITY AS n (name, ordinal) USING (ordinal)),
        documents, c.relation, pgsim._key_join('b.', 'd.', c.key_columns, true))
    INTO keys USING (made.x).filled_from::xid, (made.x).filled_with;
    RETURN coalesce(keys, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._changed_texts IS 'The third step of a text index, which locks nothing: keys of the rows that may have changed since it was filled, and of those that are gone.';

CREATE FUNCTION pgsim._check_text_backend(c pgsim._collection, backend text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known constant text := 'supported are pgsim, pg_textsearch and pg_search';
    leave constant text := 'Leave backend out for the text index that pgsim keeps itself, which needs no extension.';
    held text;
BEGIN
    IF backend = 'pgsim' THEN
        RETURN;
    ELSIF backend = 'vchord_bm25' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend %s is not supported yet; %s', backend, known), HINT = leave;
    ELSIF backend IS NULL OR backend NOT IN ('pg_textsearch', 'pg_search') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend is %s; %s', coalesce(quote_literal(left(backend, 80)), 'NULL'), known), HINT = leave;
    ELSIF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = backend) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('backend %s needs the extension of that name, which database %I has not', backend, current_database()),
            HINT = CASE WHEN EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = backend)
                        THEN format('Have an administrator run CREATE EXTENSION %s, with %1$s in shared_preload_libraries; or leave backend out.', backend)
                        ELSE 'The server has no such extension to create: have it installed, or leave backend out for the text index that pgsim keeps itself.' END;
    END IF;
    PERFORM pgsim._require_text_backend(backend);
    IF EXISTS (SELECT FROM pg_partitioned_table AS p WHERE p.partrelid = c.relation) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is partitioned, and backend %s scores each partition by the words of that partition alone', c.relation, backend),
            HINT = 'Leave backend out: the text index that pgsim keeps itself counts all partitions together.';
    END IF;
    IF backend = 'pg_search' THEN
        IF cardinality(c.key_columns) > 1 OR c.key_columns[1] LIKE '%.%' THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend %s needs a key of one column, without a dot in its name; that of collection %L is %s',
                    backend, c.name, (SELECT string_agg(quote_ident(k), ', ') FROM unnest(c.key_columns) AS k)), HINT = leave;
        ELSIF (SELECT r.relpersistence <> 'p' FROM pg_class AS r WHERE r.oid = c.relation) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is unlogged, and backend %s indexes no such table', c.relation, backend), HINT = leave;
        END IF;
        SELECT i.indexrelid::regclass::text INTO held
        FROM pg_index AS i JOIN pg_class AS r ON r.oid = i.indexrelid
        JOIN pg_depend AS d ON d.classid = 'pg_am'::regclass AND d.objid = r.relam AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        JOIN pg_extension AS e ON e.oid = d.refobjid
        WHERE i.indrelid = c.relation AND e.extname = backend LIMIT 1;
        IF held IS NOT NULL AND NOT EXISTS (SELECT FROM pgsim._text_backend AS t WHERE t.collection_id = c.id) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('%s has the index %s of extension %s, which allows a table one', c.relation, held, backend),
                HINT = format('DROP INDEX %s, or leave backend out for the text index that pgsim keeps itself.', held);
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_text_backend IS 'Raises PS010 for a backend of text searches that pgsim does not support for a collection, PS020 where the table has its index, and PS035 for one whose extension is not there.';

CREATE FUNCTION pgsim._check_text_form(x pgsim._text, form text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF x.documents IS NULL AND form IS DISTINCT FROM 'any' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010',
            MESSAGE = format('text_form is %s; backend %s knows any alone', coalesce(quote_literal(left(form, 80)), 'NULL'),
                             (SELECT s.backend FROM pgsim._text_backend AS s WHERE s.collection_id = x.collection_id)),
            HINT = 'Leave text_form out, or have pgsim keep the text index: disable_text, and enable_text without a backend.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_text_form IS 'Raises PS010 for a form of query that the backend of a text index cannot answer.';

CREATE FUNCTION pgsim._create_text(c pgsim._collection, text_config text, columns text[], weights float8[], k1 float8, b float8) RETURNS pgsim._text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x pgsim._text;
    stem text := pgsim._version_name(c.name, NULL, 'text', c.id);
    persistence text := (SELECT CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END FROM pg_class AS r WHERE r.oid = c.relation);
    made regclass;
BEGIN
    EXECUTE format('CREATE %sTABLE pgsim_data.%I (%s, length real NOT NULL, average real NOT NULL, impacts %s.sparsevec(1000000000) NOT NULL, PRIMARY KEY (%s))',
        persistence, stem || '_documents', pgsim._column_definitions(c.relation, c.key_columns, pgsim._key_names(c.key_columns, true)), pgsim._vector_schema(),
        pgsim._key_list('', c.key_columns, true));
    EXECUTE format('CREATE %sTABLE pgsim_data.%I (lexeme text COLLATE "C" NOT NULL, term int GENERATED ALWAYS AS IDENTITY (MAXVALUE 1000000000), docs int NOT NULL, top real NOT NULL)',
        persistence, stem || '_vocabulary');
    EXECUTE format('CREATE %sTABLE pgsim_data.%I (term int NOT NULL, docs int NOT NULL, top real NOT NULL, length numeric)', persistence, stem || '_changes');
    SELECT c.id, format('pgsim_data.%I', stem || '_documents'), format('pgsim_data.%I', stem || '_vocabulary'), format('pgsim_data.%I', stem || '_changes'),
           format('pgsim_data.%I', stem || '_words'), format('pgsim_data.%I', stem || '_best'), c.relation::text, _create_text.text_config, _create_text.columns, _create_text.weights, _create_text.k1, _create_text.b, true, false, NULL::xid8, NULL::xid[], now()
    INTO x;
    INSERT INTO pgsim._text VALUES (x.*);
    FOREACH made IN ARRAY ARRAY[x.documents, x.vocabulary, x.changes] LOOP
        EXECUTE format('COMMENT ON TABLE %s IS %L', made, format('Text index of collection %s: pgsim keeps it, and reads it for text searches.', c.name));
    END LOOP;
    EXECUTE format('CREATE INDEX ON %s (term)', x.changes);
    PERFORM pgsim._sync_text_privileges(c);
    RETURN x;
END
$$;
COMMENT ON FUNCTION pgsim._create_text IS
    'Makes the tables of a text index, empty: a row of impacts for each document, a row for each word with its count at first, and the changes of these counts.';

CREATE FUNCTION pgsim._create_text_backend(c pgsim._collection, backend text, text_config text, columns text[], weights float8[], k1 float8, b float8) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    stem text := pgsim._version_name(c.name, NULL, 'text', c.id);
    made text := stem;
    attempt int := 1;
    base_schema name;
    bad text;
    expression text;
    statement text;
BEGIN
    IF 1 <> ANY (weights) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('weights: backend %s counts the words of every column alike', backend),
            HINT = 'A weight of 1 takes a column and 0 leaves it out. The text index that pgsim keeps itself, without a backend, has other weights.';
    ELSIF backend = 'pg_search' AND (k1 <> 1.2 OR b <> 0.75) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k1 is %s and b is %s; backend %s has 1.2 and 0.75 alone', k1, b, backend), HINT = 'Leave both out, or leave backend out.';
    ELSIF k1 NOT BETWEEN 0.1 AND 10 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('k1 is %s; backend %s takes 0.1 to 10', k1, backend), HINT = 'The default, 1.2, suits most texts.';
    END IF;
    SELECT format('%I of type %s', a.attname, format_type(a.atttypid, a.atttypmod)) INTO bad
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid WHERE a.attrelid = c.relation AND a.attname = ANY (columns) AND t.typcategory <> 'S' LIMIT 1;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend %s indexes text, not column %s', backend, bad),
            HINT = 'Give it the weight 0 to leave it out, or a generated column of type text with its content.';
    END IF;
    SELECT CASE WHEN count(*) > 1 THEN string_agg(format('coalesce(%s, %L)', f.content, ''), format(' || %L || ', ' ') ORDER BY f.ordinal) ELSE min(f.content) END INTO expression
    FROM (SELECT n.ordinal, format(CASE a.atttypid WHEN 'text'::regtype THEN '%I' ELSE '(%I::text)' END, n.name) AS content
          FROM unnest(columns) WITH ORDINALITY AS n (name, ordinal) JOIN pg_attribute AS a ON a.attrelid = c.relation AND a.attname = n.name AND NOT a.attisdropped) AS f;
    SELECT n.nspname INTO base_schema FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE r.oid = c.relation;
    WHILE EXISTS (SELECT FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE n.nspname = base_schema AND r.relname = made) LOOP
        attempt := attempt + 1;
        made := stem || '_' || attempt;
    END LOOP;
    IF backend = 'pg_search' THEN
        statement := format('CREATE INDEX %I ON %s USING bm25 (%I, (pgsim._text_line(%L::pg_catalog.regconfig, %s)::pdb.whitespace(''lowercase=false'', %L))) WITH (key_field = %L)',
            made, c.relation, c.key_columns[1], text_config, expression, CASE c.key_columns[1] WHEN 'pgsim_words' THEN 'alias=pgsim_text' ELSE 'alias=pgsim_words' END, c.key_columns[1]);
    ELSE
        statement := format('CREATE INDEX %I ON %s USING bm25 ((%s)) WITH (text_config = %L, k1 = %s, b = %s)', made, c.relation, expression, text_config, k1, b);
    END IF;
    BEGIN
        EXECUTE statement;
    EXCEPTION
        WHEN internal_error OR feature_not_supported THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('backend %s does not index %s: %s', backend, c.relation, split_part(SQLERRM, E'\n', 1)),
                HINT = format('Extension %s has version %s here, and the key is of type %s: either may be why. Leave backend out for the text index that pgsim keeps itself.',
                              backend, (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = backend), pgsim._key_types(c.relation, c.key_columns));
    END;
    EXECUTE format('COMMENT ON INDEX %I.%I IS %L', base_schema, made, format('Text index of collection %s: pgsim made it, and reads it for text searches.', c.name));
    INSERT INTO pgsim._text_backend (collection_id, backend, index_name, text_config, columns, k1, b)
    VALUES (c.id, _create_text_backend.backend, made, _create_text_backend.text_config, _create_text_backend.columns, _create_text_backend.k1, _create_text_backend.b);
END
$$;
COMMENT ON FUNCTION pgsim._create_text_backend IS
    'Makes a text index of another extension''s on the base table: of the one column, or of all columns'' texts put together, as that extension weighs them alike.';

CREATE FUNCTION pgsim._drop_text(c pgsim._collection) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tables regclass[];
    made text;
BEGIN
    PERFORM pgsim._drop_text_backend(c);
    SELECT array_agg(r.oid::regclass ORDER BY r.oid) INTO tables
    FROM pgsim._text AS x JOIN pg_class AS r ON r.oid IN (x.documents, x.vocabulary, x.changes) WHERE x.collection_id = c.id;
    -- The triggers go first, and writers wait until all of it is gone.
    PERFORM pgsim._lock_tables(ARRAY(SELECT r.oid::regclass FROM pg_class AS r WHERE r.oid = c.relation) || tables)
    WHERE cardinality(tables) > 0;
    FOR made IN SELECT f FROM pgsim._text AS x CROSS JOIN LATERAL unnest(pgsim._text_functions(x)) AS f WHERE x.collection_id = c.id LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS %s', made);
    END LOOP;
    DELETE FROM pgsim._text AS x WHERE x.collection_id = c.id;
    IF EXISTS (SELECT FROM pg_class AS r WHERE r.oid = c.relation) THEN
        PERFORM pgsim._sync_triggers(c);
    END IF;
    IF cardinality(tables) > 0 THEN
        EXECUTE format('DROP TABLE %s', array_to_string(tables, ', '));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._drop_text IS 'Drops the text index of a collection, if it has one, and the triggers that kept it.';

CREATE FUNCTION pgsim._drop_text_backend(c pgsim._collection) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._text_backend;
    held regclass;
BEGIN
    DELETE FROM pgsim._text_backend AS s WHERE s.collection_id = c.id RETURNING * INTO t;
    held := pgsim._text_backend_index(c, t);
    IF held IS NOT NULL THEN
        EXECUTE format('DROP INDEX %s', held);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._drop_text_backend IS 'Drops the text index that a collection has of another extension, if it has one.';

CREATE FUNCTION pgsim._edit_distance(one text, other text, most int) RETURNS int
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n int := length(one);
    m int := length(other);
    a text[] := string_to_array(one, NULL);
    b text[] := string_to_array(other, NULL);
    beyond int := most + 1;
    before_last int[];
    last int[];
    this int[];
    least_here int;
    cost int;
BEGIN
    IF abs(n - m) > most THEN
        RETURN beyond;
    END IF;
    last := ARRAY(SELECT j FROM generate_series(0, m) AS j);
    FOR i IN 1 .. n LOOP
        -- Places farther than most from the diagonal stay beyond.
        this := array_fill(beyond, ARRAY[m + 1]);
        this[1] := i;
        least_here := i;
        FOR j IN greatest(1, i - most) .. least(m, i + most) LOOP
            cost := least(last[j] + CASE WHEN a[i] = b[j] THEN 0 ELSE 1 END, last[j + 1] + 1, this[j] + 1);
            IF i > 1 AND j > 1 AND a[i] = b[j - 1] AND a[i - 1] = b[j] THEN
                cost := least(cost, before_last[j - 1] + 1);
            END IF;
            this[j + 1] := cost;
            least_here := least(least_here, cost);
        END LOOP;
        before_last := last;
        last := this;
        IF least_here > most THEN
            RETURN beyond;
        END IF;
    END LOOP;
    RETURN least(last[m + 1], beyond);
END
$$;
COMMENT ON FUNCTION pgsim._edit_distance IS
    'How many letters must be put in, taken out, replaced, or swapped with their neighbour to make one word of the other (optimal string alignment); most + 1 where it is more than that.';

CREATE FUNCTION pgsim._fill_text(c pgsim._collection, x pgsim._text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET extra_float_digits = 1
SET client_min_messages = warning
AS $$
DECLARE
    index_name text;
BEGIN
    FOR index_name IN SELECT i.indexrelid::regclass FROM pg_index AS i WHERE i.indrelid IN (x.documents, x.vocabulary) AND NOT i.indisprimary LOOP
        EXECUTE format('DROP INDEX %s', index_name);
    END LOOP;
    -- Of a transaction that is seen here, which may be this one, the next statement sees all.
    UPDATE pgsim._text AS s SET filled_from = pg_snapshot_xmin(pg_current_snapshot()) WHERE s.collection_id = x.collection_id RETURNING * INTO x;
    EXECUTE format('SELECT array_agg(n.xmin) FROM (SELECT DISTINCT b.xmin FROM %s AS b WHERE age(b.xmin) <= age($1) LIMIT 1000) AS n', c.relation) INTO x.filled_with USING x.filled_from::xid;
    UPDATE pgsim._text AS s SET filled_with = coalesce(x.filled_with, '{}') WHERE s.collection_id = x.collection_id;
    EXECUTE format('TRUNCATE %s, %s, %s', x.documents, x.vocabulary, x.changes);
    EXECUTE pgsim._text_insertion(x, c.key_columns, format('%s AS r', c.relation), NULL) USING '{}'::int[], '{}'::int[], 0, 0::numeric, NULL::float8;
    EXECUTE format('CREATE INDEX ON %s (lexeme)', x.vocabulary);
    -- Without a list of pending entries, which each search would read through.
    EXECUTE format('CREATE INDEX ON %s USING gin (pgsim._text_terms(impacts)) WITH (fastupdate = off)', x.documents);
    EXECUTE format('CREATE INDEX ON %s USING gin (pgsim._text_trigrams(lexeme)) WITH (fastupdate = off) WHERE pgsim._is_fuzzy_word(lexeme)', x.vocabulary);
    EXECUTE format('ALTER INDEX %s ALTER COLUMN 1 SET STATISTICS 0',
        (SELECT i.indexrelid::regclass FROM pg_index AS i WHERE i.indrelid = x.documents AND i.indexprs IS NOT NULL));
    EXECUTE format('ANALYZE %s, %s, %s', x.documents, x.vocabulary, x.changes);
    UPDATE pgsim._text AS s SET complete = true WHERE s.collection_id = x.collection_id AND NOT s.complete;
END
$$;
COMMENT ON FUNCTION pgsim._fill_text IS 'Fills a text index from its base table, whatever was in it before, and makes its indexes.';

CREATE FUNCTION pgsim._finish_text(documents regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made record := pgsim._text_in_making(documents);
BEGIN
    UPDATE pgsim._text AS s SET built = true WHERE s.collection_id = (made.c).id;
END
$$;
COMMENT ON FUNCTION pgsim._finish_text IS 'The last step of a text index: searches may use it.';

CREATE FUNCTION pgsim._fold_counts(counts regclass, owner int, terms int[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    many int[];
BEGIN
    EXECUTE format('SELECT array_agg(m.term) FROM (SELECT h.term FROM %s AS h WHERE h.term = ANY ($1) GROUP BY h.term HAVING count(*) >= 8) AS m', counts)
    INTO many USING terms;
    -- One at a time, and whoever finds another at it leaves it: it is no more than tidying. What others took meanwhile cannot be taken again, which a
    -- transaction with one snapshot for all its statements would fail for.
    IF many IS NULL OR current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted')
       OR NOT pg_try_advisory_xact_lock('pgsim._text'::regclass::oid::int, owner) THEN
        RETURN;
    END IF;
    EXECUTE format('WITH taken AS (DELETE FROM %1$s AS h WHERE h.term = ANY ($1) RETURNING h.term, h.docs, h.top, h.length) '
                   'INSERT INTO %1$s (term, docs, top, length) SELECT t.term, sum(t.docs), max(t.top), sum(t.length) FROM taken AS t GROUP BY t.term', counts)
    USING many;
END
$$;
COMMENT ON FUNCTION pgsim._fold_counts IS 'Adds up the changes of words'' counts where a word has many of them. owner: a number of the index''s own.';
REVOKE ALL ON FUNCTION pgsim._fold_counts FROM PUBLIC;

CREATE FUNCTION pgsim._is_fuzzy_word(word text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN length(word) BETWEEN 3 AND 24 AND translate(word, '0123456789._-/:@+', '') = word;
END
$$;
COMMENT ON FUNCTION pgsim._is_fuzzy_word IS
    'Whether a word is looked for by its like: numbers, versions, addresses and names of files are meant as they are written. An index is made of it, so it never changes. (Inlined into a query it is not known again as the condition of that index.)';

CREATE FUNCTION pgsim._keep_text() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET extra_float_digits = 1
SET client_min_messages = warning
AS $$
DECLARE
    x pgsim._text;
    key_columns text[];
    usable boolean;
    matched text;
    same text;
    removed_terms int[] := '{}';
    removed_docs int[] := '{}';
    removed int := 0;
    removed_length numeric := 0;
    terms int[];
    contents text[];
    moved boolean;
    w record;
BEGIN
    SELECT s.* INTO x FROM pgsim._text AS s WHERE s.collection_id = TG_ARGV[0]::int;
    IF NOT FOUND OR NOT x.complete THEN
        RETURN NULL;
    END IF;
    SELECT c.key_columns, pgsim._text_usable(x, TG_RELID, c.key_columns) INTO key_columns, usable FROM pgsim._collection AS c WHERE c.id = x.collection_id;
    IF NOT usable THEN
        PERFORM pgsim._give_up_keeping(NULL, x.collection_id, format('pgsim no longer searches the text of %s: a column or the configuration that its text index reads was renamed or dropped', TG_RELID::regclass));
        RETURN NULL;
    END IF;
    matched := pgsim._key_join('r.', 'd.', key_columns, true);

    IF TG_OP = 'TRUNCATE' THEN
        IF TG_ARGV[1] = 'part' THEN
            -- Which rows were there is known by those that are left; who may not read them leaves what is gone to pgsim.check.
            IF NOT has_table_privilege((SELECT c.relation FROM pgsim._collection AS c WHERE c.id = x.collection_id), 'SELECT')
               OR row_security_active((SELECT c.relation FROM pgsim._collection AS c WHERE c.id = x.collection_id)) THEN
                RETURN NULL;
            END IF;
            EXECUTE pgsim._text_removal(x, format('%s AS o', x.documents), format('o.ctid = d.ctid AND NOT EXISTS (SELECT FROM %s AS r WHERE %s)',
                (SELECT c.relation FROM pgsim._collection AS c WHERE c.id = x.collection_id), matched))
            INTO removed_terms, removed_docs, removed, removed_length;
        ELSE
            EXECUTE format('TRUNCATE %s, %s, %s', x.documents, x.vocabulary, x.changes);
            RETURN NULL;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE pgsim._text_removal(x, 'pgsim_before AS r', matched) INTO removed_terms, removed_docs, removed, removed_length;
    ELSIF TG_LEVEL = 'ROW' THEN
        EXECUTE format('SELECT ARRAY[%s], %s', (SELECT string_agg(format('pg_catalog.concat(($2).%I)', f.name), ', ' ORDER BY f.ordinal) FROM unnest(x.columns) WITH ORDINALITY AS f (name, ordinal)),
                       format('record_image_ne(ROW(%s), ROW(%s))', pgsim._key_list('($1).', key_columns, false), pgsim._key_list('($2).', key_columns, false))) INTO contents, moved USING OLD, NEW;
        IF moved THEN
            EXECUTE pgsim._text_removal(x, '(SELECT ($1).* UNION ALL SELECT ($2).*) AS r', matched) INTO removed_terms, removed_docs, removed, removed_length USING OLD, NEW;
        ELSE
            EXECUTE format('DELETE FROM %s AS d WHERE %s RETURNING pgsim._text_terms(d.impacts), 1, round(d.length::float8::numeric, 2)', x.documents, pgsim._key_join('($1).', 'd.', key_columns, true))
            INTO removed_terms, removed, removed_length USING NEW;
            removed := coalesce(removed, 0);
            removed_length := coalesce(removed_length, 0);
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        -- A trigger of the user's may have changed a row again before the statement that brought it gets here. What this transaction wrote of it is the newer then.
        EXECUTE pgsim._text_removal(x, 'pgsim_rows AS r', matched || ' AND age(d.xmin) > 0') INTO removed_terms, removed_docs, removed, removed_length;
    ELSE
        same := format('(SELECT FROM %%s AS s WHERE NOT record_image_ne(ROW(%s), ROW(%s)))', pgsim._key_list('s.', key_columns || x.columns, false),
                       pgsim._key_list('o.', key_columns || x.columns, false));
        EXECUTE pgsim._text_removal(x, format('(SELECT * FROM pgsim_before AS o WHERE NOT EXISTS %s) AS r', format(same, 'pgsim_rows')), matched)
        INTO removed_terms, removed_docs, removed, removed_length;
    END IF;

    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        IF removed > 0 THEN
            EXECUTE format('INSERT INTO %s (term, docs, top, length) SELECT g.term, -g.docs, 0, NULL FROM unnest($1, $2) AS g (term, docs) UNION ALL SELECT 0, -$3, 0, -$4', x.changes)
            USING removed_terms, removed_docs, removed, removed_length;
        END IF;
        terms := removed_terms;
    ELSIF TG_LEVEL = 'ROW' THEN
        -- A row that had the new key before is counted once for each of its words, as the row itself is.
        w := pgsim._text_row_words(x, contents, CASE WHEN moved THEN ARRAY(SELECT u.term FROM unnest(removed_terms, removed_docs) AS u (term, docs), generate_series(1, u.docs)) ELSE removed_terms END,
                                   removed, removed_length);
        IF w.impacts IS NOT NULL THEN
            EXECUTE format('INSERT INTO %s (%s, length, average, impacts) SELECT %s, $2, $3, $4::%s.sparsevec', x.documents, pgsim._key_list('', key_columns, true),
                           pgsim._key_list('($1).', key_columns, false), pgsim._vector_schema()) USING NEW, w.length, w.average, w.impacts;
        END IF;
        terms := w.terms;
    ELSE
        EXECUTE pgsim._text_insertion(x, key_columns,
            CASE TG_OP WHEN 'INSERT' THEN 'pgsim_rows AS r' ELSE format('(SELECT * FROM pgsim_rows AS o WHERE NOT EXISTS %s) AS r', format(same, 'pgsim_before')) END,
            CASE TG_OP WHEN 'INSERT' THEN format('NOT EXISTS (SELECT FROM %s AS d WHERE %s)', x.documents, matched) END)
        INTO terms USING removed_terms, removed_docs, removed, removed_length, pgsim._text_average(x);
    END IF;
    IF removed > 0 OR terms IS NOT NULL THEN
        PERFORM pgsim._fold_counts(x.changes, x.collection_id, 0 || terms);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._keep_text IS
    'Trigger: keeps a text index up with its base table, in the writer''s own transaction. It runs as its owner, to whom the index belongs, reads only what was changed, and writes nothing else.';
REVOKE ALL ON FUNCTION pgsim._keep_text FROM PUBLIC;

CREATE FUNCTION pgsim._make_text_functions(c pgsim._collection, x pgsim._text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $make$
DECLARE
    n int := cardinality(c.key_columns);
    vectors text := pgsim._vector_schema();
    -- A statement of a function is planned once a session, and not for the words of one query.
    -- A sequential scan or a hash would be chosen for what is not known yet, or for tables as small as they are now.
    settings text := 'SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off '
                     'SET enable_mergejoin = off SET jit = off';
    key_text text;
    ranking text;
    rankings text := '';
    source text;
    made text;
    reader text;
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %s(asked text[], OUT total float8, OUT average float8, OUT inverse float8, OUT lexemes text[], OUT ids text[], OUT docs float8[], OUT tops float8[], '
        'OUT weights float8[], OUT units text[], OUT vector text) '
        'LANGUAGE plpgsql STABLE SECURITY DEFINER %s AS %L', x.words_function, settings, format($body$
BEGIN
    SELECT greatest(sum(h.docs), 0), sum(h.length) / nullif(sum(h.docs), 0), max(h.top) INTO total, average, inverse FROM %2$s AS h WHERE h.term = 0;
    -- Rarest first. A word that two writers met at once has two ids.
    SELECT array_agg(m.lexeme), array_agg(m.ids), array_agg(m.docs), array_agg(m.top), array_agg(m.weight), array_agg('{' || replace(m.ids, ',', ':1,') || ':1}/1000000000'),
           '{' || string_agg(replace(m.ids, ',', ':' || m.weight::real || ',') || ':' || m.weight::real, ',') || '}/1000000000'
    INTO lexemes, ids, docs, tops, weights, units, vector
    FROM (SELECT g.*, ln(1 + (total - least(g.docs, total) + 0.5) / (least(g.docs, total) + 0.5)) AS weight
          FROM (SELECT v.lexeme, string_agg(v.term::text, ',') AS ids, sum(v.docs + h.docs)::float8 AS docs, max(greatest(v.top, h.top))::float8 AS top
                FROM unnest(asked) AS w (lexeme) JOIN %1$s AS v ON v.lexeme = w.lexeme
                CROSS JOIN LATERAL (SELECT coalesce(sum(h.docs), 0) AS docs, max(h.top) AS top FROM %2$s AS h WHERE h.term = v.term) AS h
                GROUP BY v.lexeme HAVING sum(v.docs + h.docs) > 0 ORDER BY docs, v.lexeme COLLATE "C") AS g) AS m;
END
$body$, x.vocabulary, x.changes));

    key_text := CASE n WHEN 1 THEN 'f.key::text' ELSE (SELECT format('jsonb_build_object(%s)::text', string_agg(format('%L, f.%I', k.name, pgsim._key_column(k.ordinal, n)), ', ' ORDER BY k.ordinal))
                                                       FROM unnest(c.key_columns) WITH ORDINALITY AS k (name, ordinal)) END;
    ranking := format($body$
    SELECT array_agg(%1$s ORDER BY f.score DESC, %2$s), array_agg(f.score ORDER BY f.score DESC, %2$s),
           coalesce(bool_and(f.there AND (f.passed < kept OR f.lowest < f.floor) AND (first_lowest IS NULL OR first_lowest < f.floor)), true) AND (coalesce(max(f.passed), 0) >= depth OR least_score = 0)
    INTO keys, scores, proven
    FROM (
        SELECT o.*, EXISTS (SELECT FROM %3$s AS b WHERE %4$s) AS there,
               (SELECT sum(%5$s) FROM (SELECT w.weight, -(o.impacts OPERATOR(%6$s.<#>) w.unit) AS impact FROM unnest(units, weights) AS w (unit, weight) OFFSET 0) AS i) AS score
        FROM (
            SELECT m.*, min(m.l) FILTER (WHERE m.place <= depth) OVER () AS floor, min(m.u) OVER () AS lowest, count(*) OVER () AS passed
            FROM (
                SELECT r.*, row_number() OVER (ORDER BY r.u DESC) AS place
                FROM (
                    SELECT s.*, s.a * greatest(1, mean / s.average) * (1 + slack) AS u, s.a * least(1, mean / s.average) * (1 - slack) AS l
                    FROM (SELECT d.*, -(d.impacts OPERATOR(%6$s.<#>) vector) AS a FROM %7$s AS d WHERE d.ctid = ANY (firsts)%%1$s OFFSET 0) AS s
                    WHERE s.a > cutoff AND s.a * greatest(1, mean / s.average) * (1 + slack) >= least_score
                    ORDER BY u DESC LIMIT kept
                ) AS r
            ) AS m
        ) AS o
        WHERE o.u >= o.floor
        ORDER BY score DESC, %8$s LIMIT depth
    ) AS f;
    IF counted THEN
        candidates := CASE WHEN rounds > 1 THEN reached ELSE 0 END + %%2$s;
    END IF;
$body$, replace(key_text, '%', '%%'), pgsim._key_list('f.', c.key_columns, true), replace(c.relation::text, '%', '%%'),
        replace(pgsim._key_join('b.', 'o.', c.key_columns, true), '%', '%%'), pgsim._text_score(x, 'o.', 'mean'),
        vectors, x.documents, pgsim._key_list('o.', c.key_columns, true));
    FOR i IN 0 .. 6 LOOP
        source := (SELECT string_agg(format('pgsim._text_terms(d.impacts) && parts_%s', j), ' AND ') FROM generate_series(1, i) AS j);
        rankings := rankings || format('WHEN %s THEN %s', i, format(ranking,
            CASE WHEN i > 0 THEN format(' UNION ALL SELECT d.*, -(d.impacts OPERATOR(%s.<#>) vector) FROM %s AS d WHERE %s AND d.ctid <> ALL (firsts)', vectors, x.documents, source) END,
            CASE WHEN i > 0 THEN format('(SELECT count(*) FROM %s AS d WHERE %s)', x.documents, source) ELSE '0' END));
    END LOOP;
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %s(asked text[], depth int, counted boolean, OUT keys text[], OUT scores float8[], OUT words int, OUT candidates bigint, OUT rounds int, OUT proven boolean) '
        'LANGUAGE plpgsql STABLE %s AS %L', x.best_function, settings, format($body$
DECLARE
    n int;
    kept int;
    known record;
    ids text[];
    docs float8[];
    weights float8[];
    bounds float8[];
    units %1$s.sparsevec[];
    vector %1$s.sparsevec;
    mean float8;
    spread float8;
    slack float8;
    cutoff float8;
    reach int := 0;
    reached float8 := 0;
    wanted float8 := greatest(50, 5 * depth);
    least_score float8 := 0;
    firsts tid[];
    first_lowest float8;
    rest float8 := 0;
    clauses text[];
    parts_1 int[];
    parts_2 int[];
    parts_3 int[];
    parts_4 int[];
    parts_5 int[];
    parts_6 int[];
BEGIN
    known := %4$s(asked);
    mean := known.average;
    spread := greatest(1, known.inverse * mean);
    ids := known.ids;
    docs := known.docs;
    weights := known.weights;
    units := known.units;
    vector := known.vector;
    n := coalesce(cardinality(ids), 0);
    FOR i IN 1 .. n LOOP
        bounds[i] := weights[i] * least(%5$s, known.tops[i] * spread);
    END LOOP;
    words := n;
    slack := 2e-7 * (8 + n);
    -- The further the mean length has moved, the more rows may be among the best.
    kept := CASE WHEN spread < 1.05 THEN depth + 50 ELSE 2 * depth + 60 END;
    rounds := 1;
    IF n = 0 THEN
        proven := true;
        RETURN;
    END IF;
    WHILE reach < n LOOP
        -- One more word, but for one that has very many rows where there are enough.
        WHILE reach < n AND (reached < wanted / 2 OR reached < wanted AND docs[reach + 1] <= 4 * wanted) LOOP
            reach := reach + 1;
            reached := reached + docs[reach];
        END LOOP;
        EXIT WHEN reach = n;
        rounds := rounds + 1;
        parts_1 := ('{' || array_to_string(ids[1 : reach], ',') || '}')::int[];
        SELECT array_agg(r.ctid), (array_agg(r.l ORDER BY r.l DESC))[depth], CASE WHEN count(*) = kept THEN min(r.u) END INTO firsts, least_score, first_lowest
        FROM (SELECT s.ctid, s.a * greatest(1, mean / s.average) * (1 + slack) AS u, s.a * least(1, mean / s.average) * (1 - slack) AS l
              FROM (SELECT d.ctid, d.average, -(d.impacts OPERATOR(%1$s.<#>) vector) AS a FROM %2$s AS d WHERE pgsim._text_terms(d.impacts) && parts_1 OFFSET 0) AS s
              WHERE s.a > 0 ORDER BY u DESC LIMIT kept) AS r;
        EXIT WHEN least_score > 0;
        wanted := 8 * reached;
    END LOOP;
    IF least_score > 0 THEN
        -- All rows with these words are known now. A row that has none of them needs as much from the others.
        least_score := least_score * (1 - 1e-6);
        cutoff := least_score * (1 - 1e-6) / (spread * (1 + slack));
        FOR i IN reach + 1 .. n LOOP
            rest := rest + bounds[i];
        END LOOP;
        clauses := CASE WHEN rest < least_score THEN '{}' ELSE pgsim._text_clauses(ids[reach + 1 :], docs[reach + 1 :], weights[reach + 1 :], bounds[reach + 1 :], least_score) END;
        IF rest >= least_score AND clauses = '{}' THEN
            clauses := ARRAY[array_to_string(ids[reach + 1 :], ',')];
        END IF;
    ELSE
        least_score := 0;
        cutoff := 0;
        firsts := '{}';
        first_lowest := NULL;
        clauses := ARRAY[array_to_string(ids, ',')];
    END IF;
    parts_1 := ('{' || clauses[1] || '}')::int[];
    parts_2 := ('{' || clauses[2] || '}')::int[];
    parts_3 := ('{' || clauses[3] || '}')::int[];
    parts_4 := ('{' || clauses[4] || '}')::int[];
    parts_5 := ('{' || clauses[5] || '}')::int[];
    parts_6 := ('{' || clauses[6] || '}')::int[];
    CASE least(cardinality(clauses), 6)
    %3$s
    END CASE;
END
$body$, vectors, x.documents, rankings, x.words_function, x.k1 + 1));
    UPDATE pgsim._text AS s SET base_name = c.relation::text WHERE s.collection_id = x.collection_id AND s.base_name <> c.relation::text;
    FOREACH made IN ARRAY pgsim._text_functions(x) LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO %I', made, (SELECT pg_get_userbyid(s.nspowner) FROM pg_namespace AS s WHERE s.nspname = 'pgsim'));
        -- What is known of words the owner of pgsim sums up for those who may read the table; the best rows are found by the caller's own rights.
        FOR reader IN
            SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
            FROM pg_proc AS f CROSS JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a WHERE f.oid = made::regprocedure AND a.grantee <> f.proowner
        LOOP
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', made, reader);
        END LOOP;
        FOR reader IN
            SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
            FROM pg_class AS r CROSS JOIN LATERAL aclexplode(coalesce(r.relacl, acldefault('r', r.relowner))) AS a WHERE r.oid = c.relation AND a.privilege_type = 'SELECT'
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', made, reader);
        END LOOP;
    END LOOP;
END
$make$;
COMMENT ON FUNCTION pgsim._make_text_functions IS
    'Makes the two functions of a text index, whose statements a session plans once: one reads what it knows of words, the other finds the best rows for a query without a filter.';

CREATE FUNCTION pgsim._pg_search_statement(c pgsim._collection, held regclass, depth int, hits bigint, checked boolean, predicate text, among text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key_column text := quote_ident(c.key_columns[1]);
    -- As the catalogue has it: columns may have been renamed. The extension's scans fail on other expressions than these in what they give, and without a LIMIT.
    best text := format('SELECT %1$s AS pgsim_k, pdb.score(%1$s) AS pgsim_s FROM %2$s WHERE %3$s OPERATOR(pg_catalog.|||) $2%4$s ORDER BY pgsim_s DESC, %1$s LIMIT %5$s',
                        key_column, c.relation, pg_get_indexdef(held, 2, false), coalesce(' AND ' || key_column || ' OPERATOR(pg_catalog.@@@) pdb.term_set(' || among || ')::pdb.const(0)', ''), hits);
    -- PostgreSQL says which rows pass: the extension takes what is neither true nor false for true, where a condition is negated.
    passing text := CASE WHEN checked THEN format(E' JOIN (SELECT %s AS pgsim_k FROM %s%s) AS b ON b.pgsim_k OPERATOR(pg_catalog.=) h.pgsim_k', key_column, c.relation, coalesce(' WHERE (' || predicate || E'\n)', '')) ELSE '' END;
    key_text text := replace(pgsim._key_text(c.relation, 'n.', c.key_columns), 'n.' || key_column, 'n.pgsim_k');
BEGIN
    RETURN format('WITH pgsim_h AS MATERIALIZED (%s) SELECT pg_catalog.array_agg(%s ORDER BY n.pgsim_s DESC, n.pgsim_k), pg_catalog.array_agg(n.pgsim_s::pg_catalog.float8 ORDER BY n.pgsim_s DESC, n.pgsim_k), '
                  '(SELECT pg_catalog.count(*) FROM pgsim_h) FROM (SELECT h.* FROM pgsim_h AS h%s ORDER BY h.pgsim_s DESC, h.pgsim_k LIMIT %s) AS n', best, key_text, passing, depth);
END
$$;
COMMENT ON FUNCTION pgsim._pg_search_statement IS
    'The statement of a text search by an index of pg_search, over $1, the filter''s values, and $2, the query''s words: keys and scores of the best of its first hits, and how many hits there were. checked: only rows that the caller sees and that fulfil the predicate. among: of these keys alone.';

CREATE FUNCTION pgsim._read_text_query(c pgsim._collection, x pgsim._text, query text, form text) RETURNS pgsim._text_query
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q pgsim._text_query;
    w record;
    inverse float8;
    lexemes text[];
    ids text[];
    docs float8[];
    tops float8[];
    units text[];
    vector text;
BEGIN
    w := pgsim._text_words(c, x, query, form);
    q.bound := row_security_active(c.relation);
    EXECUTE format('SELECT r.total, r.average, r.inverse, r.lexemes, r.ids, r.docs, r.tops FROM %s($1) AS r', x.words_function)
    INTO q.rows, q.average, inverse, lexemes, ids, docs, tops USING ARRAY(SELECT DISTINCT l FROM unnest(w.lexemes) AS l);
    q.spread := greatest(1, inverse * q.average);
    -- Static SQL, whose plan is kept: the session plans it once. Words that stand for others share their rarity.
    SELECT array_agg(m.lexeme), array_agg(m.ids), array_agg(m.docs), array_agg(m.weight), array_agg(m.weight * least(x.k1 + 1, m.top * q.spread)),
           array_agg('{' || replace(m.ids, ',', ':1,') || ':1}/1000000000'),
           '{' || string_agg(replace(m.ids, ',', ':' || m.weight::real || ',') || ':' || m.weight::real, ',') FILTER (WHERE m.weight > 0) || '}/1000000000'
    INTO q.lexemes, q.ids, q.docs, q.weights, q.bounds, units, vector
    FROM (
        SELECT g.lexeme, g.ids, g.docs, g.top, g.boost * ln(1 + (q.rows - least(g.together, q.rows) + 0.5) / (least(g.together, q.rows) + 0.5)) AS weight
        FROM (
            SELECT k.*, u.boost, sum(k.docs) OVER (PARTITION BY u.part) AS together
            FROM unnest(lexemes, ids, docs, tops) AS k (lexeme, ids, docs, top)
            JOIN (SELECT u.lexeme, min(u.part) AS part, max(u.boost) AS boost FROM unnest(w.lexemes, w.parts, w.boosts) AS u (lexeme, part, boost) GROUP BY u.lexeme) AS u ON u.lexeme = k.lexeme
        ) AS g
        ORDER BY g.docs, g.lexeme COLLATE "C" LIMIT 8000
    ) AS m;
    q.units := units;
    q.vector := vector;
    IF form IN ('all', 'phrase') THEN
        IF cardinality(q.lexemes) < cardinality(w.lexemes) AND cardinality(q.lexemes) < 8000 THEN
            -- No row has a word that is not known.
            q.vector := NULL;
        END IF;
        q.condition := (SELECT string_agg(format('[%s]', i), ' AND ') FROM generate_subscripts(q.lexemes, 1) AS i);
    ELSIF w.condition IS NOT NULL THEN
        -- The same word may stand in a condition twice.
        q.condition := w.condition;
        FOR i IN 1 .. cardinality(w.lexemes) LOOP
            q.condition := replace(q.condition, format('{%s}', i), coalesce(format('[%s]', array_position(q.lexemes, w.lexemes[i])), 'false'));
        END LOOP;
        q.condition := replace(q.condition, '[]', 'false');
    END IF;
    IF w.recheck IS NOT NULL THEN
        q.recheck := format('pgsim._text_vector(%L, ARRAY[%s]) OPERATOR(pg_catalog.@@) %L::pg_catalog.tsquery', x.text_config,
            (SELECT string_agg(format('pg_catalog.concat(%I)', n.name), ', ' ORDER BY n.ordinal) FROM unnest(x.columns) WITH ORDINALITY AS n (name, ordinal)), w.recheck);
    END IF;
    RETURN q;
END
$$;
COMMENT ON FUNCTION pgsim._read_text_query IS 'A text query with all that its index knows of its words; of more than 8000 different ones the rarest.';

CREATE FUNCTION pgsim._repair_text(documents regclass, keys text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET extra_float_digits = 1
SET client_min_messages = warning
AS $$
DECLARE
    made record := pgsim._text_in_making(documents);
    c pgsim._collection := made.c;
    x pgsim._text := made.x;
    part text[];
    locked text[];
    matched text := pgsim._key_join('r.', 'd.', c.key_columns, true);
    asked text := format('(SELECT k.given, %s FROM unnest(%%s) AS k (given)) AS %%s', replace(pgsim._key_parse(c.relation, 'k.given', c.key_columns, false), '%', '%%'));
    terms int[];
    docs int[];
    removed int;
    removed_length numeric;
    added int[];
BEGIN
    FOR i IN 0 .. (cardinality(keys) - 1) / 1000 LOOP
        part := keys[i * 1000 + 1 : (i + 1) * 1000];
        -- They are held still while they are read. Of a key that is not there now the row may come meanwhile: its writer sees to it.
        EXECUTE format('SELECT array_agg(l.given) FROM (SELECT g.given FROM %s AS b JOIN %s ON %s ORDER BY %s FOR NO KEY UPDATE OF b) AS l', c.relation, format(asked, '$1', 'g'),
            pgsim._key_join('b.', 'g.', c.key_columns, false), pgsim._key_list('b.', c.key_columns, false)) INTO locked USING part;
        EXECUTE pgsim._text_removal(x, format(asked, '$1', 'r'), format('%s AND (r.given = ANY ($2) OR NOT EXISTS (SELECT FROM %s AS b WHERE %s))',
            matched, c.relation, pgsim._key_join('b.', 'r.', c.key_columns, false)))
        INTO terms, docs, removed, removed_length USING part, coalesce(locked, '{}');
        EXECUTE pgsim._text_insertion(x, c.key_columns, format('(SELECT b.* FROM %s AS b JOIN %s ON %s) AS r', c.relation, format(asked, '$6', 'g'),
            pgsim._key_join('b.', 'g.', c.key_columns, false)), NULL)
        INTO added USING coalesce(terms, '{}'), coalesce(docs, '{}'), removed, removed_length, pgsim._text_average(x), locked;
        PERFORM pgsim._fold_counts(x.changes, x.collection_id, 0 || terms || added);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._repair_text IS 'The fourth step of a text index, once or for some keys at a time: it reads rows again, whose writers wait until this transaction ends.';

CREATE FUNCTION pgsim._require_all_texts(c pgsim._collection) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF row_security_active(c.relation) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('row-level security hides rows of %s from role %I, and a text index holds all', c.relation, current_user),
            HINT = format('Call it as the owner of the table where row-level security is not forced, or have an administrator run ALTER ROLE %I BYPASSRLS.', current_user);
    ELSIF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('in a %s transaction a text index would lack what others have committed since it began', current_setting('transaction_isolation')),
            HINT = 'Make it in a READ COMMITTED transaction.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._require_all_texts IS 'Raises PS032 or PS035 where the caller would not see each row of a collection as it is now, as the making of a text index must.';

CREATE FUNCTION pgsim._require_text_backend(backend text) RETURNS name
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    extension_schema name := (SELECT CASE backend WHEN 'pg_search' THEN 'pdb' ELSE n.nspname END FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = backend);
BEGIN
    -- Its library cannot be loaded later than the server; that of pg_search can since PostgreSQL 17.
    IF (CASE backend WHEN 'pg_search' THEN current_setting('server_version_num')::int < 170000 AND current_setting('paradedb.enable_custom_scan', true) IS NULL
                    ELSE current_setting('pg_textsearch.library_version', true) IS NULL END) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('extension %s is there, but the server was started without its library', backend),
            HINT = format('Have an administrator add %s to shared_preload_libraries, and restart the server.', backend);
    ELSIF NOT has_schema_privilege(extension_schema, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not use schema %I, in which extension %s is', current_user, extension_schema, backend),
            HINT = format('GRANT USAGE ON SCHEMA %I TO %I.', extension_schema, current_user);
    END IF;
    RETURN extension_schema;
END
$$;
COMMENT ON FUNCTION pgsim._require_text_backend IS 'The schema of an extension that text searches run on; PS035 where its library is not loaded, PS032 where the caller may not use it.';

CREATE FUNCTION pgsim._require_text_kept(c pgsim._collection, x pgsim._text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT x.complete OR NOT pgsim._text_usable(x, c.relation, c.key_columns) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the text index of collection %L is not kept up: a column or the configuration that it reads was renamed or dropped, or its triggers were off', c.name),
            HINT = format('Make it anew: SELECT pgsim.disable_text(%L), pgsim.enable_text(%1$L).', c.name);
    ELSIF NOT x.built THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the text index of collection %L is still being made', c.name),
            HINT = format('Try again when it is; if nobody is at it any more, SELECT pgsim.disable_text(%L), pgsim.enable_text(%1$L).', c.name);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._require_text_kept IS 'Raises PS035 where a text index does not agree with its table, or may not any more.';

CREATE FUNCTION pgsim._run_pg_search(
    c pgsim._collection, held regclass, words text[], depth int, predicate text, given jsonb, settings jsonb, rows_expected float8, matches float8,
    OUT keys text[], OUT scores float8[], OUT strategy text, OUT rounds int, OUT candidates bigint
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    -- NULL: the extension has no set of keys of that type.
    key_type text := (SELECT CASE WHEN a.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'uuid'::regtype) THEN format_type(a.atttypid, NULL)
                                  WHEN a.atttypid IN ('text'::regtype, 'varchar'::regtype) THEN 'text' END
                      FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = c.key_columns[1]);
    checked boolean := predicate IS NOT NULL OR row_security_active(c.relation);
    previous jsonb;
    most bigint;
    among text;
    admitted bigint;
    hits bigint := depth;
    found bigint;
    fault text;
BEGIN
    -- Its operator runs by its own scan alone.
    settings := settings || '{"paradedb.enable_custom_scan": "on", "jit": "off"}';
    strategy := 'words';
    rounds := 0;
    candidates := 0;
    -- To rank among given keys costs about as much a key as to take a hit, of which it takes depth for each share of rows that match.
    IF predicate IS NOT NULL AND key_type IS NOT NULL AND matches <= 5000 AND matches * matches < 2 * depth * greatest(rows_expected, 1000) THEN
        most := 4 * matches + 1000;
        previous := pgsim._set(settings);
        EXECUTE format(E'SELECT pg_catalog.array_agg(b.pgsim_k)::text, pg_catalog.count(*) FROM (SELECT %I AS pgsim_k FROM %s WHERE (%s\n) LIMIT %s) AS b', c.key_columns[1], c.relation, predicate, most + 1)
        INTO among, admitted USING given;
        PERFORM pgsim._set(previous);
        IF admitted = 0 THEN
            strategy := 'filter';
            RETURN;
        ELSIF admitted <= most THEN
            strategy := 'filter';
            among := format('%L::%s[]', among, key_type);
            checked := row_security_active(c.relation);
            predicate := NULL;
            hits := admitted;
        ELSE
            among := NULL;
        END IF;
    END IF;
    IF checked AND among IS NULL THEN
        hits := least(1000000, ceil(100 + 2 * depth * greatest(1, rows_expected / greatest(matches, 1))));
    END IF;
    LOOP
        BEGIN
            previous := pgsim._set(settings);
            EXECUTE pgsim._pg_search_statement(c, held, depth, hits, checked, predicate, among) INTO keys, scores, found USING given, words;
            PERFORM pgsim._set(previous);
        EXCEPTION
            WHEN internal_error THEN
                GET STACKED DIAGNOSTICS fault = MESSAGE_TEXT;
                RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('extension pg_search does not run the search of collection %L as role %I: %s', c.name, current_user, split_part(fault, '.', 1)),
                    HINT = CASE WHEN row_security_active(c.relation) THEN 'It knows no policies with CASE, COALESCE, IS DISTINCT FROM, IS TRUE, volatile functions or tables of their own: ' ELSE '' END
                           || format('have pgsim keep the text index, SELECT pgsim.disable_text(%L), pgsim.enable_text(%1$L).', c.name);
        END;
        rounds := rounds + 1;
        candidates := candidates + found;
        EXIT WHEN NOT checked OR found < hits OR coalesce(cardinality(keys), 0) >= depth OR among IS NOT NULL;
        hits := 8 * hits;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._run_pg_search IS
    'Runs a text search by an index of pg_search. Where few rows match the filter, these are ranked; else its best rows are taken, more and more of them, until enough of them match or it has no more.';

CREATE FUNCTION pgsim._run_text(
    c pgsim._collection, query text, depth int, predicate text, given jsonb, explained boolean, form text, caller_path text,
    OUT keys text[], OUT scores float8[], OUT details jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    started timestamptz := clock_timestamp();
    read_from timestamptz;
    read_until timestamptz;
    x pgsim._text := pgsim._text_row(c);
    q pgsim._text_query;
    settings jsonb := '{}';
    previous jsonb;
    clauses text[] := '{}';
    lexemes text[];
    n int;
    reach int := 0;
    reached float8 := 0;
    wanted float8 := greatest(50, 5 * depth);
    all_docs float8;
    found bigint;
    least_score float8 := 0;
    matches float8;
    candidates bigint;
    admitted bigint;
    filter_first boolean := false;
    rounds int := 0;
    scored bigint := 0;
    proven boolean := false;
BEGIN
    PERFORM pgsim._require_text_kept(c, x);
    IF x.documents IS NULL THEN
        PERFORM pgsim._check_text_form(x, form);
        SELECT r.* INTO keys, scores, details FROM pgsim._run_text_backend(c, query, depth, predicate, given, explained, form, caller_path) AS r;
        RETURN;
    END IF;
    IF NOT has_table_privilege(c.relation, 'SELECT') OR NOT has_table_privilege(x.documents, 'SELECT')
       OR NOT has_schema_privilege((SELECT r.relnamespace FROM pg_class AS r WHERE r.oid = c.relation), 'USAGE') THEN
        PERFORM pgsim._require_select(c.relation, x.documents);
    END IF;
    keys := '{}';
    scores := '{}';
    IF form = 'any' AND predicate IS NULL AND depth > 0 AND octet_length(query) < 2000 AND x.base_name = c.relation::text AND NOT row_security_active(c.relation) THEN
        lexemes := tsvector_to_array(to_tsvector(x.text_config::regconfig, query));
        IF lexemes <> '{}' THEN
            EXECUTE format('SELECT r.keys, r.scores, r.words, r.candidates, r.rounds, r.proven FROM %s($1, $2, $3) AS r', x.best_function)
            INTO keys, scores, n, scored, rounds, proven USING lexemes, depth, explained;
        END IF;
    END IF;
    IF explained OR NOT proven THEN
        read_from := clock_timestamp();
        q := pgsim._read_text_query(c, x, coalesce(query, ''), form);
        read_until := clock_timestamp();
        n := coalesce(cardinality(q.ids), 0);
    END IF;
    IF NOT proven AND q.vector IS NOT NULL AND depth > 0 THEN
        all_docs := (SELECT sum(d) FROM unnest(q.docs) AS d);
        IF predicate IS NOT NULL THEN
            settings := jsonb_build_object('search_path', concat_ws(', ', 'pg_catalog', nullif(caller_path, '')));
        END IF;
        IF current_setting('jit') = 'on' THEN
            settings := settings || '{"jit": "off"}';
        END IF;
        filter_first := q.bound;
        -- A condition of the caller's is planned by itself: what it may read is the table, and nothing of the statement around it.
        IF predicate IS NOT NULL AND (NOT q.bound AND all_docs > 1000 OR caller_path IS NOT NULL) THEN
            previous := pgsim._set(settings);
            matches := (pgsim._plan(format(E'SELECT FROM %s WHERE %s', c.relation, predicate), given, NULL) ->> 'Plan Rows')::float8;
            PERFORM pgsim._set(previous);
            -- To rank all that match costs four times as much a row as to score one by its words, of which there are more the fewer of them match.
            filter_first := q.bound OR all_docs > 1000 AND 4 * matches < least(all_docs, 300 + 30 * depth * q.rows / greatest(matches, 1));
        END IF;
        IF filter_first THEN
            previous := pgsim._set(settings);
            EXECUTE pgsim._text_statement(c, x, q, depth, predicate, '{}', true, CASE WHEN NOT q.bound THEN (all_docs + 1)::bigint END, true)
            INTO keys, scores, candidates, admitted USING given, q.units, q.vector, q.weights, q.average, least_score;
            PERFORM pgsim._set(previous);
            rounds := 1;
            scored := candidates;
            -- False where more rows match than was expected.
            filter_first := q.bound OR admitted <= all_docs;
        END IF;
        IF NOT filter_first THEN
            -- No scan of all rows: each would have its words' ids taken from its impacts.
            previous := pgsim._set(settings || '{"enable_seqscan": "off"}');
            -- Rows with the rarest words tell what score the best reach at least, and that which rows may still be better.
            WHILE form NOT IN ('all', 'phrase') AND all_docs > 300 AND reach < n AND clauses = '{}' LOOP
                WHILE reach < n AND reached < wanted LOOP
                    reach := reach + 1;
                    reached := reached + q.docs[reach];
                END LOOP;
                EXIT WHEN reach = n;
                EXECUTE pgsim._text_statement(c, x, q, depth, predicate, ARRAY[array_to_string(q.ids[1 : reach], ',')], false, NULL, false)
                INTO found, least_score, candidates USING given, q.units, q.vector, q.weights, q.average;
                rounds := rounds + 1;
                scored := scored + candidates;
                IF found < depth THEN
                    least_score := 0;
                    wanted := 8 * reached;
                ELSE
                    least_score := least_score * (1 - 1e-6);
                    clauses := pgsim._text_clauses(q.ids, q.docs, q.weights, q.bounds, least_score);
                    EXIT;
                END IF;
            END LOOP;
            IF clauses = '{}' AND form NOT IN ('all', 'phrase') THEN
                clauses := ARRAY[array_to_string(q.ids, ',')];
            END IF;
            EXECUTE pgsim._text_statement(c, x, q, depth, predicate, clauses, false, NULL, true)
            INTO keys, scores, candidates, admitted USING given, q.units, q.vector, q.weights, q.average, least_score;
            PERFORM pgsim._set(previous);
            rounds := rounds + 1;
            scored := scored + candidates;
        END IF;
    END IF;
    keys := coalesce(keys, '{}');
    scores := coalesce(scores, '{}');
    details := jsonb_build_object('words', n, 'rounds', rounds, 'strategy', CASE WHEN q.bound THEN 'visible' WHEN filter_first THEN 'filter' ELSE 'words' END);
    IF explained THEN
        details := details || jsonb_build_object(
            'form', form, 'candidates', scored, 'matches_expected', matches, 'reading', extract(epoch FROM read_until - read_from), 'ranking', extract(epoch FROM clock_timestamp() - started - (read_until - read_from)),
            'rows', q.rows, 'mean_length', q.average,
            'vocabulary', (SELECT coalesce(jsonb_agg(jsonb_build_object('word', w.word, 'rows', w.docs, 'weight', w.weight)), '[]')
                           FROM unnest(q.lexemes[1 : 100], q.docs[1 : 100], q.weights[1 : 100]) AS w (word, docs, weight)));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._run_text IS
    'Runs a text search. Rows that have the rarest words are ranked at first; then those that might still be better, by the most that each word can add to a score, so that the answer is that of ranking all.';

CREATE FUNCTION pgsim._run_text_backend(
    c pgsim._collection, query text, depth int, predicate text, given jsonb, explained boolean, form text, caller_path text,
    OUT keys text[], OUT scores float8[], OUT details jsonb
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    -- The index of pg_textsearch gives up there, without a word.
    reach constant int := 100000;
    started timestamptz := clock_timestamp();
    t pgsim._text_backend;
    extension_schema name;
    held regclass;
    index_path text;
    problem text;
    settings jsonb := jsonb_build_object('search_path', concat_ws(', ', 'pg_catalog', nullif(caller_path, '')));
    previous jsonb;
    rows_expected float8;
    matches float8;
    most bigint;
    admitted bigint;
    candidates bigint := 0;
    already_read bigint;
    strategy text := 'words';
    rounds int := 0;
    words text[];
    done boolean := false;
BEGIN
    SELECT * INTO t FROM pgsim._text_backend AS s WHERE s.collection_id = c.id;
    PERFORM pgsim._require_select(c.relation, c.relation);
    problem := pgsim._text_backend_problem(c, t);
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('collection %L cannot be searched for words: %s', c.name, problem), HINT = pgsim._text_backend_again(c, t);
    END IF;
    extension_schema := pgsim._require_text_backend(t.backend);
    held := pgsim._text_backend_index(c, t);
    SELECT format('%I.%I', n.nspname, i.relname), greatest(r.reltuples, 0) INTO index_path, rows_expected
    FROM pg_class AS i JOIN pg_namespace AS n ON n.oid = i.relnamespace JOIN pg_class AS r ON r.oid = c.relation WHERE i.oid = held;
    -- It reads the words of a query in one piece, of which PostgreSQL bounds the length.
    query := left(coalesce(query, ''), 60000);
    keys := '{}';
    scores := '{}';
    IF query <> '' AND depth > 0 THEN
        IF predicate IS NOT NULL OR row_security_active(c.relation) THEN
            previous := pgsim._set(settings);
            matches := (pgsim._plan(format(E'SELECT FROM %s%s', c.relation, ' WHERE (' || predicate || E'\n)'), given, NULL) ->> 'Plan Rows')::float8;
            PERFORM pgsim._set(previous);
            -- To score a row by its text costs some fifteen times what it costs to read a candidate by the index, of which it takes depth for each share of rows that match.
            IF t.backend = 'pg_textsearch' AND matches <= 5000 AND 15 * matches * matches < depth * greatest(rows_expected, 1000) THEN
                most := 10 * matches + 1000;
                previous := pgsim._set(settings);
                EXECUTE pgsim._text_backend_statement(c, held, extension_schema, depth, predicate, true, most + 1) INTO keys, scores, admitted USING given, query, index_path;
                PERFORM pgsim._set(previous);
                rounds := 1;
                candidates := admitted;
                -- False where more rows match than was expected.
                done := admitted <= most;
                strategy := 'filter';
            END IF;
        END IF;
        IF t.backend = 'pg_search' THEN
            words := ARRAY(SELECT DISTINCT w FROM string_to_table(pgsim._text_line(t.text_config::regconfig, query), ' ') AS w WHERE w <> '');
            IF words <> '{}' THEN
                SELECT r.* INTO keys, scores, strategy, rounds, candidates
                FROM pgsim._run_pg_search(c, held, words, depth, predicate, given, settings, rows_expected, coalesce(matches, rows_expected)) AS r;
            END IF;
        ELSIF NOT done THEN
            strategy := 'words';
            already_read := pg_stat_get_xact_tuples_returned(held);
            previous := pgsim._set(settings || '{"enable_seqscan": "off", "enable_sort": "off", "jit": "off"}');
            EXECUTE pgsim._text_backend_statement(c, held, extension_schema, depth, predicate, false, NULL) INTO keys, scores, admitted USING given, query, index_path;
            PERFORM pgsim._set(previous);
            already_read := pg_stat_get_xact_tuples_returned(held) - already_read;
            rounds := rounds + 1;
            candidates := candidates + already_read;
            -- Where nothing counts what was read, nothing tells whether the index came to its end.
            IF coalesce(cardinality(keys), 0) < depth AND (already_read >= reach OR current_setting('track_counts') <> 'on') THEN
                previous := pgsim._set(settings);
                EXECUTE pgsim._text_backend_statement(c, held, extension_schema, depth, predicate, true, NULL) INTO keys, scores, admitted USING given, query, index_path;
                PERFORM pgsim._set(previous);
                strategy := 'filter';
                rounds := rounds + 1;
                candidates := candidates + admitted;
            END IF;
        END IF;
    END IF;
    keys := coalesce(keys, '{}');
    scores := coalesce(scores, '{}');
    details := jsonb_build_object('backend', t.backend, 'strategy', strategy, 'candidates', candidates, 'rounds', rounds);
    IF explained THEN
        details := details || jsonb_build_object('form', form, 'index', index_path, 'matches_expected', matches, 'ranking', extract(epoch FROM clock_timestamp() - started));
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._run_text_backend IS
    'Runs a text search by another extension''s index. Either the index gives rows in order, of which the filter admits some, until there are enough; or, where few match or the index gives up, all that match are scored by their text.';

CREATE FUNCTION pgsim._search_plain_text(collection text, query text, k int, OUT keys text[], OUT scores float8[], OUT row_details jsonb[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    best_function text;
    config_name text;
    config regconfig;
    proven boolean;
BEGIN
    IF octet_length(query) >= 2000 THEN
        RETURN;
    END IF;
    -- All that the long way asks one after another, in one statement whose plan is kept.
    SELECT x.best_function, x.text_config INTO best_function, config_name
    FROM pgsim._collection AS c JOIN pgsim._text AS x ON x.collection_id = c.id JOIN pg_class AS r ON r.oid = c.relation
    WHERE c.name = _search_plain_text.collection AND x.complete AND x.built AND x.base_name = c.relation::text
      AND c.key_columns || x.columns <@ ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.relation AND NOT a.attisdropped)
      AND has_table_privilege(c.relation, 'SELECT') AND has_table_privilege(x.documents, 'SELECT') AND has_schema_privilege(r.relnamespace, 'USAGE') AND NOT row_security_active(c.relation);
    IF best_function IS NULL THEN
        RETURN;
    END IF;
    BEGIN
        config := config_name;
    EXCEPTION WHEN undefined_object OR invalid_schema_name THEN
        RETURN;
    END;
    EXECUTE format('SELECT r.keys, r.scores, r.proven FROM %s($1, $2, false) AS r', best_function) INTO keys, scores, proven USING tsvector_to_array(to_tsvector(config, query)), k;
    IF NOT proven THEN
        keys := NULL;
        RETURN;
    END IF;
    keys := coalesce(keys, '{}');
    FOR i IN 1 .. cardinality(keys) LOOP
        row_details[i] := jsonb_build_object('strategy', 'text', 'legs', jsonb_build_object('text', jsonb_build_object('rank', i, 'score', scores[i])));
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._search_plain_text IS
    'The k best rows for words alone, without a filter, by the short way; keys is NULL where only pgsim._search_fused can tell: what is wrong, another backend''s index, row-level security, bounds that proved nothing.';

CREATE FUNCTION pgsim._sync_text_privileges(c pgsim._collection) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x pgsim._text := pgsim._text_row(c);
    registrar name := (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace AS n WHERE n.nspname = 'pgsim');
    base pg_class;
    held regclass;
    policy text;
    drift record;
BEGIN
    SELECT * INTO base FROM pg_class AS r WHERE r.oid = c.relation;
    -- Only the trigger that keeps it writes a text index; it runs as the owner of pgsim.
    FOREACH held IN ARRAY ARRAY[x.documents, x.vocabulary, x.changes] LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO %I', held, registrar);
        FOR drift IN SELECT * FROM pgsim._privilege_drift(c.relation, held, '{SELECT}') LOOP
            EXECUTE format(CASE WHEN drift.missing THEN 'GRANT %s ON %s TO %s' ELSE 'REVOKE %s ON %s FROM %s' END, drift.privilege, held, drift.grantee);
        END LOOP;
    END LOOP;
    PERFORM pgsim._make_text_functions(c, x);
    IF NOT pgsim._text_security_drift(c, x) THEN
        RETURN;
    END IF;
    FOREACH held IN ARRAY ARRAY[x.documents, x.vocabulary, x.changes] LOOP
        FOR policy IN SELECT p.polname FROM pg_policy AS p WHERE p.polrelid = held LOOP
            EXECUTE format('DROP POLICY %I ON %s', policy, held);
        END LOOP;
        EXECUTE format('ALTER TABLE %s %s ROW LEVEL SECURITY', held, CASE WHEN base.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END);
        CONTINUE WHEN NOT base.relrowsecurity;
        -- Of documents each sees those whose rows it sees. Words, and which of them came together, nobody sees who is bound by a policy; how many rows have a
        -- word that it names, a function tells.
        EXECUTE format('CREATE POLICY pgsim_read ON %s FOR SELECT USING (%s)', held, CASE held
            WHEN x.documents THEN format('EXISTS (SELECT FROM %s AS b WHERE %s)', c.relation, pgsim._key_join('b.', held || '.', c.key_columns, true))
            ELSE 'false' END);
        -- A condition that is plainly true leaves the owner, whom the policies of the base table do not bind, the use of indexes.
        IF NOT base.relforcerowsecurity THEN
            EXECUTE format('CREATE POLICY pgsim_owner ON %s FOR SELECT TO %I USING (true)', held, pg_get_userbyid(base.relowner));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._sync_text_privileges IS
    'Gives a text index to the owner of pgsim, with the grants to read of its base table; under row-level security who is bound by it sees the documents of the rows it may see.';

CREATE FUNCTION pgsim._text_average(x pgsim._text) RETURNS float8
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    average float8;
BEGIN
    EXECUTE format('SELECT sum(h.length)::float8 / nullif(sum(h.docs), 0) FROM %s AS h WHERE h.term = 0', x.changes) INTO average;
    RETURN CASE WHEN average > 0 THEN average END;
END
$$;
COMMENT ON FUNCTION pgsim._text_average IS 'The mean length of the rows of a text index; NULL of an empty one.';

CREATE FUNCTION pgsim.disable_text(collection text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    PERFORM pgsim._text_row(c);
    PERFORM pgsim._drop_text(c);
END
$$;
COMMENT ON FUNCTION pgsim.disable_text IS 'Drops the text index of a collection; the table itself stays as it is. Errors: PS001, PS006, PS032, PS035.';

CREATE FUNCTION pgsim.enable_text(collection text, text_config regconfig = NULL, weights jsonb = NULL, k1 float8 = 1.2, b float8 = 0.75, backend text = 'pgsim') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    documents regclass := pgsim._begin_text(collection, text_config, weights, k1, b, backend);
BEGIN
    IF documents IS NOT NULL THEN
        -- Writers wait from here until the transaction ends.
        PERFORM pgsim._watch_text(documents);
        PERFORM pgsim._repair_text(documents, pgsim._changed_texts(documents));
        PERFORM pgsim._finish_text(documents);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim.enable_text IS
$$Makes a text index of a collection, so that its rows can be ranked by BM25: a query's words against the words of the row.

text_config: a text search configuration, default the collection's. weights: how often a word of each column counts, {"title": 3, "body": 1}; text
columns that it does not name count once, a weight of 0 leaves one out, and it may name other columns of the table. k1, b: BM25's.
backend: pg_textsearch or pg_search, where that extension is installed, has it make and keep an index of its own on the table: weights are 0 and 1, k1 is 0.1 to 10
(pg_search: 1.2, with b 0.75), and text_form is any alone; while it is made writers of the table wait. pgsim's own index is kept in the transaction of whoever writes. While it is filled nobody waits;
then triggers are made, what has changed meanwhile is read again, and writers wait for that and the end of the transaction.
Errors: PS001, PS005, PS006, PS010, PS020, PS032, PS035.$$;

CREATE FUNCTION pgsim._text_backend_again(c pgsim._collection, t pgsim._text_backend) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN pg_catalog.format('SELECT pgsim.disable_text(%L); SELECT pgsim.enable_text(%1$L, text_config => %L, weights => %L, k1 => %s, b => %s, backend => %L)', c.name, t.text_config,
    (SELECT pg_catalog.jsonb_object_agg(n.name, (n.name = ANY (t.columns))::int) FROM pg_catalog.unnest(c.text_columns || t.columns) AS n (name)), t.k1, t.b, t.backend);
COMMENT ON FUNCTION pgsim._text_backend_again IS 'The statements that make a text index of another extension''s anew.';

CREATE FUNCTION pgsim._text_backend_index(c pgsim._collection, t pgsim._text_backend) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT i.indexrelid::regclass
    FROM pg_index AS i JOIN pg_class AS r ON r.oid = i.indexrelid JOIN pg_am AS m ON m.oid = r.relam
    JOIN pg_depend AS d ON d.classid = 'pg_am'::regclass AND d.objid = m.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    JOIN pg_extension AS e ON e.oid = d.refobjid
    WHERE i.indrelid = c.relation AND r.relname = t.index_name AND e.extname = t.backend;
END;
COMMENT ON FUNCTION pgsim._text_backend_index IS 'The index that another extension ranks a collection''s texts by; NULL when it is gone.';

CREATE FUNCTION pgsim._text_backend_problem(c pgsim._collection, t pgsim._text_backend) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN i.indexrelid IS NULL THEN format('its text index %s, of extension %s, is gone', t.index_name, t.backend)
        WHEN NOT i.indisvalid THEN format('its text index %s is invalid: its build failed or is under way', t.index_name)
        WHEN NOT EXISTS (SELECT FROM pg_ts_config AS f JOIN pg_namespace AS n ON n.oid = f.cfgnamespace WHERE format('%I.%I', n.nspname, f.cfgname) = t.text_config)
            THEN format('text search configuration %s, which its text index reads by, was renamed or dropped', t.text_config)
        WHEN NOT t.columns <@ ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attnum > 0 AND NOT a.attisdropped)
            THEN 'a column that its text index reads was renamed or dropped'
    END
    FROM (SELECT pgsim._text_backend_index(c, t) AS index_id) AS g LEFT JOIN pg_index AS i ON i.indexrelid = g.index_id;
END;
COMMENT ON FUNCTION pgsim._text_backend_problem IS 'Why searches cannot use a text index of another extension''s; NULL when they can.';

CREATE FUNCTION pgsim._text_backend_problems(c pgsim._collection, subject text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'error', subject, pgsim._text_backend_problem(c, t), pgsim._text_backend_again(c, t)
    FROM pgsim._text_backend AS t WHERE t.collection_id = c.id AND pgsim._text_backend_problem(c, t) IS NOT NULL;
END;
COMMENT ON FUNCTION pgsim._text_backend_problems IS 'What pgsim.check says of a text index of another extension''s.';

CREATE FUNCTION pgsim._text_backend_statement(c pgsim._collection, held regclass, extension_schema name, depth int, predicate text, filter_first boolean, most bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- As the catalogue has it: columns may have been renamed.
    content text := format('(%s)', pg_get_indexdef(held, 1, false));
    score text := format('OPERATOR(%I.<@>) %1$I.to_bm25query($2, $3)', extension_schema);
    keys text := format('%s AS pgsim_key', pgsim._key_text(c.relation, '', c.key_columns));
    key_order text := '';
    wanted text := coalesce(' WHERE (' || predicate || E'\n)', '');
    source text;
BEGIN
    FOR i IN 1 .. cardinality(c.key_columns) LOOP
        keys := keys || format(', %I AS pgsim_k_%s', c.key_columns[i], i);
        key_order := key_order || format(', pgsim_k_%s', i);
    END LOOP;
    IF filter_first THEN
        source := format('(SELECT *, pgsim_text %s AS pgsim_s FROM pgsim_b OFFSET 0)', score);
    ELSE
        source := format('(SELECT %s, %s %s AS pgsim_s FROM %s%s ORDER BY pgsim_s FETCH FIRST %s ROWS WITH TIES)', keys, content, score, c.relation, wanted, depth);
    END IF;
    RETURN CASE WHEN filter_first THEN format(E'WITH pgsim_b AS MATERIALIZED (SELECT %s, %s AS pgsim_text FROM %s%s%s) ', keys, content, c.relation, wanted, ' LIMIT ' || most) ELSE '' END
        -- What has none of the words scores 0.
        || format('SELECT pg_catalog.array_agg(pgsim_key ORDER BY pgsim_s%1$s), pg_catalog.array_agg(-pgsim_s ORDER BY pgsim_s%1$s), %2$s '
                  'FROM (SELECT * FROM %3$s AS r WHERE pgsim_s < 0 ORDER BY pgsim_s%1$s LIMIT %4$s) AS n',
                  key_order, CASE WHEN filter_first THEN '(SELECT pg_catalog.count(*) FROM pgsim_b)' ELSE 'NULL::bigint' END, source, depth);
END
$$;
COMMENT ON FUNCTION pgsim._text_backend_statement IS
    'The statement of a text search by another extension''s index, over $1, the filter''s values, $2, the query, and $3, the index''s name: keys and scores of the best, and, filter first, how many rows the filter gave.';

CREATE FUNCTION pgsim._text_clauses(ids text[], docs float8[], weights float8[], bounds float8[], least_score float8) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n int := cardinality(ids);
    total float8 := 0;
    clauses text[] := '{}';
    clause text;
    reads float8[] := '{}';
    read float8;
    rest float8;
    last int := 0;
    place int;
BEGIN
    FOR i IN 1 .. n LOOP
        total := total + bounds[i];
    END LOOP;
    -- The words that are left out of a clause cannot make the score together, so a row must have one of those in it. Rarest first; then each
    -- time without one of these, which asks for others beside it. (Measured: four rows of five need not be read then.)
    FOR skipped IN 0 .. CASE WHEN n <= 24 THEN n ELSE 0 END LOOP
        EXIT WHEN skipped > last AND skipped > 0;
        rest := total;
        clause := '';
        read := 0;
        FOR i IN 1 .. n LOOP
            EXIT WHEN rest < least_score;
            IF i <> skipped AND weights[i] > 0 THEN
                clause := clause || ',' || ids[i];
                rest := rest - bounds[i];
                read := read + docs[i];
                last := CASE skipped WHEN 0 THEN i ELSE last END;
            END IF;
        END LOOP;
        IF rest < least_score AND clause <> ALL (clauses) THEN
            -- The index goes through the rows of the first, and looks these up in the next.
            place := 1;
            WHILE reads[place] <= read LOOP
                place := place + 1;
            END LOOP;
            clauses := clauses[: place - 1] || clause || clauses[place :];
            reads := reads[: place - 1] || read || reads[place :];
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(clauses) LOOP
        clauses[i] := substr(clauses[i], 2);
    END LOOP;
    RETURN clauses;
END
$$;
COMMENT ON FUNCTION pgsim._text_clauses IS 'Lists of ids, of each of which a row must have one to reach a score. None: every row that has a word of the query may reach it.';

CREATE FUNCTION pgsim._text_drift(c pgsim._collection, x pgsim._text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    counted record;
    lost bigint;
    bad text;
    previous jsonb;
BEGIN
    EXECUTE format('SELECT d.rows, d.length, coalesce(h.rows, 0) AS said_rows, coalesce(h.length, 0) AS said_length '
                   'FROM (SELECT count(*) AS rows, coalesce(sum(round(length::float8::numeric, 2)), 0) AS length FROM %s) AS d, '
                   '(SELECT sum(docs) AS rows, sum(length) AS length FROM %s WHERE term = 0) AS h', x.documents, x.changes) INTO counted;
    IF counted.rows <> counted.said_rows OR counted.length <> counted.said_length THEN
        RETURN format('it has %s rows of %s words together, and counts %s of %s', counted.rows, counted.length, counted.said_rows, counted.said_length);
    END IF;
    EXECUTE format('SELECT count(*) FROM %s AS d WHERE NOT EXISTS (SELECT FROM %s AS b WHERE %s)', x.documents, c.relation, pgsim._key_join('b.', 'd.', c.key_columns, true)) INTO lost;
    IF lost > 0 AND NOT row_security_active(c.relation) THEN
        RETURN format('it has %s rows that the table has not', lost);
    END IF;
    -- A few hundred words stand for all, or a table of a million rows would take minutes.
    previous := pgsim._set('{"enable_seqscan": "off"}');
    EXECUTE format('SELECT string_agg(quote_literal(w.lexeme), '', '') FROM ('
                   '  SELECT v.lexeme FROM (SELECT v.lexeme, v.term, v.docs FROM %s AS v ORDER BY hashint4(v.term) LIMIT 300) AS v '
                   '  WHERE v.docs + (SELECT coalesce(sum(h.docs), 0) FROM %s AS h WHERE h.term = v.term) '
                   '        <> (SELECT count(*) FROM %s AS d WHERE pgsim._text_terms(d.impacts) && ARRAY[v.term]) LIMIT 5) AS w', x.vocabulary, x.changes, x.documents) INTO bad;
    PERFORM pgsim._set(previous);
    IF bad IS NOT NULL THEN
        RETURN format('the counts of %s are wrong', bad);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._text_drift IS 'How a text index disagrees with itself or with its base table: in its rows, their lengths, or how many rows have a word, of which some are looked at. NULL when it does not.';

CREATE FUNCTION pgsim._text_functions(x pgsim._text) RETURNS text[]
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
RETURN ARRAY[x.words_function || '(text[])', x.best_function || '(text[], int, boolean)'];
COMMENT ON FUNCTION pgsim._text_functions IS 'The functions of a text index with their arguments, as DROP FUNCTION takes them.';

CREATE FUNCTION pgsim._text_in_making(documents regclass, OUT c pgsim._collection, OUT x pgsim._text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgsim._require_registrar();
    SELECT s.* INTO x FROM pgsim._text AS s WHERE s.documents = _text_in_making.documents;
    SELECT s.* INTO c FROM pgsim._collection AS s WHERE s.id = x.collection_id;
    IF c.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = 'the text index that is being made was dropped meanwhile', HINT = 'Make it again with pgsim.enable_text.';
    ELSIF NOT x.complete OR NOT pgsim._text_usable(x, c.relation, c.key_columns) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('a column or the configuration of the text index of collection %L was renamed or dropped while it was made', c.name),
            HINT = format('Make it anew: SELECT pgsim.disable_text(%L), pgsim.enable_text(%1$L).', c.name);
    END IF;
    PERFORM pgsim._require_owner(c.relation);
    PERFORM pgsim._require_all_texts(c);
END
$$;
COMMENT ON FUNCTION pgsim._text_in_making IS 'The collection and the text index whose documents are in a table, between two steps of its making; PS035 where it is gone.';

CREATE FUNCTION pgsim._text_insertion(x pgsim._text, key_columns text[], source text, condition text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keys text := pgsim._key_list('c.', key_columns, true);
    impact text;
BEGIN
    impact := format('(c.tf * %s / (c.tf + %s * (%s + %s * c.length / r.average)))::real', x.k1 + 1, x.k1, 1 - x.b, x.b);
    -- Every word has its id: a FULL JOIN is one that is never made row against row, as it would be for a row of which few words are expected.
    -- A writer waits for no other: new words are added without a unique index, so that two who meet one at once give it two ids, of which a query
    -- asks for both; and counts are changed by rows that are appended.
    RETURN format(
        'WITH pgsim_counted AS MATERIALIZED ('
        '  SELECT %1$s, w.lexeme, w.tf, w.length, w.place FROM %2$s '
        '  CROSS JOIN LATERAL (SELECT k.lexeme, pg_catalog.sum(k.tf)::float8 AS tf, (pg_catalog.sum(pg_catalog.sum(k.tf)) OVER ())::real::float8 AS length, '
        '      pg_catalog.row_number() OVER (ORDER BY pg_catalog.sum(k.tf) DESC, k.lexeme COLLATE "C") AS place FROM (%3$s) AS k GROUP BY k.lexeme) AS w '
        '  WHERE w.place <= 16000%4$s), '
        'pgsim_reference AS MATERIALIZED (SELECT greatest(coalesce($5, (SELECT pg_catalog.avg(c.length) FROM pgsim_counted AS c WHERE c.place = 1)), 1e-3)::real::float8 AS average), '
        'pgsim_weighed AS MATERIALIZED (SELECT c.*, %5$s AS impact, r.average FROM pgsim_counted AS c CROSS JOIN pgsim_reference AS r), '
        'pgsim_words AS MATERIALIZED (SELECT c.lexeme, pg_catalog.count(*)::int AS docs, pg_catalog.max(c.impact) AS top FROM pgsim_weighed AS c GROUP BY c.lexeme), '
        'pgsim_known AS MATERIALIZED (SELECT w.*, v.term, v.top AS had FROM pgsim_words AS w '
        '  LEFT JOIN LATERAL (SELECT v.term, v.top FROM %6$s AS v WHERE v.lexeme = w.lexeme ORDER BY v.term LIMIT 1) AS v ON true), '
        'pgsim_made AS (INSERT INTO %6$s AS v (lexeme, docs, top) SELECT k.lexeme, k.docs, k.top FROM pgsim_known AS k WHERE k.term IS NULL RETURNING v.lexeme, v.term), '
        'pgsim_terms AS (SELECT k.lexeme, k.term FROM pgsim_known AS k WHERE k.term IS NOT NULL UNION ALL SELECT m.lexeme, m.term FROM pgsim_made AS m), '
        'pgsim_stored AS (INSERT INTO %7$s AS d (%8$s, length, average, impacts) '
        '  SELECT %9$s, c.length, c.average, (''{'' || pg_catalog.string_agg(t.term || '':'' || c.impact, '','') || ''}/1000000000'')::%10$s.sparsevec '
        '  FROM pgsim_weighed AS c FULL JOIN pgsim_terms AS t ON t.lexeme = c.lexeme GROUP BY %9$s, c.length, c.average RETURNING d.length, d.average), '
        'pgsim_changed AS (INSERT INTO %11$s AS h (term, docs, top) '
        '  SELECT s.term, pg_catalog.sum(s.docs), pg_catalog.max(s.top) FROM ('
        '    SELECT k.term, k.docs, k.top, k.had FROM pgsim_known AS k WHERE k.term IS NOT NULL '
        '    UNION ALL SELECT g.term, -g.docs, 0, NULL FROM unnest($1, $2) AS g (term, docs)) AS s '
        '  GROUP BY s.term HAVING pg_catalog.sum(s.docs) <> 0 OR pg_catalog.max(s.top) > coalesce(pg_catalog.max(s.had), 0) RETURNING h.term), '
        'pgsim_totals AS (INSERT INTO %11$s AS h (term, docs, top, length) '
        '  SELECT 0, pg_catalog.count(*) - $3, coalesce(pg_catalog.max(1 / s.average), 0), coalesce(pg_catalog.sum(pg_catalog.round(s.length::float8::numeric, 2)), 0) - $4 FROM pgsim_stored AS s '
        '  HAVING pg_catalog.count(*) > 0 OR $3 > 0) '
        'SELECT pg_catalog.array_agg(h.term) FROM pgsim_changed AS h',
        (SELECT string_agg(format('r.%I AS %I', k.name, n.name), ', ' ORDER BY k.ordinal)
         FROM unnest(key_columns) WITH ORDINALITY AS k (name, ordinal) JOIN unnest(pgsim._key_names(key_columns, true)) WITH ORDINALITY AS n (name, ordinal) USING (ordinal)),
        source, pgsim._text_tokens(x.text_config, x.columns, x.weights, 'r.'), coalesce(' AND ' || condition, ''), impact,
        x.vocabulary, x.documents, pgsim._key_list('', key_columns, true), keys, pgsim._vector_schema(), x.changes);
END
$$;
COMMENT ON FUNCTION pgsim._text_insertion IS
    'The statement that puts rows into a text index, over $1 to $4, what _text_removal returned, and $5, the mean length that impacts are reckoned with. It returns the ids whose counts changed.';

CREATE FUNCTION pgsim._text_likes(c pgsim._collection, x pgsim._text, query text, lexemes text[], form text) RETURNS TABLE (lexeme text, part int, boost float8)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    source text := format('SELECT v.lexeme, v.docs FROM %s AS v', x.vocabulary);
    config regconfig := x.text_config::regconfig;
    word record;
    most int;
BEGIN
    IF row_security_active(c.relation) THEN
        -- Who may not see all rows may not learn their words, and gets those of the rows it sees; others would find it nothing.
        source := format('SELECT w.lexeme, count(*)::int AS docs FROM %s AS r CROSS JOIN LATERAL (%s) AS w GROUP BY w.lexeme', c.relation,
                         pgsim._text_tokens(x.text_config, x.columns, x.weights, 'r.'));
    END IF;
    IF form = 'prefix' THEN
        FOR word IN
            SELECT w.ordinal, ARRAY(SELECT DISTINCT s FROM unnest(ARRAY[lower(w.word)] || ARRAY(SELECT u.lexeme FROM unnest(to_tsvector(config, w.word)) AS u)) AS s) AS starts
            FROM (SELECT m.m[1] AS word, min(m.ordinal) AS ordinal FROM regexp_matches(left(query, 100000), '[^[:space:][:punct:]]+', 'g') WITH ORDINALITY AS m (m, ordinal) GROUP BY m.m[1] ORDER BY 2 LIMIT 100) AS w
        LOOP
            RETURN QUERY EXECUTE format(
                'SELECT e.lexeme, $2, 1::float8 FROM (SELECT v.lexeme, sum(v.docs) AS docs FROM (%s) AS v WHERE %s GROUP BY v.lexeme ORDER BY docs DESC, v.lexeme LIMIT 100) AS e', source,
                -- The first characters beyond a prefix, in the order of their bytes.
                (SELECT string_agg(format('v.lexeme COLLATE "C" >= %L AND v.lexeme COLLATE "C" < %L', s, s || chr(1114111)), ' OR ') FROM unnest(word.starts) AS s))
            USING word.starts, word.ordinal::int;
        END LOOP;
        RETURN;
    END IF;
    FOR word IN SELECT w.word, w.ordinal::int AS ordinal FROM unnest(lexemes) WITH ORDINALITY AS w (word, ordinal) LOOP
        lexeme := word.word;
        part := word.ordinal;
        boost := 1;
        RETURN NEXT;
        CONTINUE WHEN word.ordinal > 100 OR NOT pgsim._is_fuzzy_word(word.word);
        most := CASE WHEN length(word.word) <= 5 THEN 1 ELSE 2 END;
        RETURN QUERY EXECUTE format(
            'SELECT d.lexeme, $3, 1 - d.distance::float8 / (pg_catalog.length($1) + 1) FROM ('
            '  SELECT l.lexeme, l.docs, pgsim._edit_distance($1, l.lexeme, $2) AS distance FROM ('
            '    SELECT v.lexeme, sum(v.docs) AS docs FROM (%s) AS v '
            '    WHERE pgsim._is_fuzzy_word(v.lexeme) AND pgsim._text_trigrams(v.lexeme) && $4 AND length(v.lexeme) BETWEEN length($1) - $2 AND length($1) + $2 AND v.lexeme <> $1 '
            '    GROUP BY v.lexeme '
            '    ORDER BY (SELECT count(*) FROM unnest($4) AS g WHERE position(g IN '' '' || v.lexeme || '' '') > 0) DESC, v.lexeme LIMIT 200) AS l) AS d '
            'WHERE d.distance <= $2 ORDER BY d.distance, d.docs DESC, d.lexeme LIMIT 20', source)
        USING word.word, most, word.ordinal, pgsim._text_trigrams(word.word);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._text_likes IS
    'The words that text_form prefix or fuzzy looks for beside those of the query: the 100 most frequent that begin so, or the 20 nearest of the 200 with most trigrams in common, within one edit up to five letters and two beyond. Of a query of more than 100 words, of the first 100.';

CREATE FUNCTION pgsim._text_pieces(content text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pieces text[] := '{}';
    rest text := content;
    piece text;
    cut int;
BEGIN
    WHILE length(rest) > 12000 LOOP
        piece := left(rest, 12000);
        cut := 12000 - coalesce(length(substring(piece FROM '\S*$')), 0);
        cut := CASE WHEN cut < 6000 THEN 12000 ELSE cut END;
        pieces := pieces || left(piece, cut);
        rest := substr(rest, cut + 1);
    END LOOP;
    RETURN pieces || rest;
END
$$;
COMMENT ON FUNCTION pgsim._text_pieces IS
    'A long text cut between words: a tsvector holds one megabyte and 16383 positions, and raises an error or counts too little beyond.';

CREATE FUNCTION pgsim._text_line(text_config regconfig, content text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT string_agg(repeat(CASE WHEN translate(u.lexeme, E' \t\n\f\r', '') = u.lexeme THEN u.lexeme ELSE md5(u.lexeme) END || ' ', cardinality(u.positions)), '')
    FROM unnest(CASE WHEN octet_length(content) <= 12000 THEN ARRAY[content] ELSE pgsim._text_pieces(content) END) AS p (piece)
    CROSS JOIN LATERAL unnest(to_tsvector(text_config, p.piece)) AS u;
END;
COMMENT ON FUNCTION pgsim._text_line IS
    'The words of a text as a text search configuration has them, each as often as it is there, with blanks between: what an index that splits at blanks reads. Indexes are made over it: it and _text_pieces stay as they are, and a change is a function of another name.';

CREATE FUNCTION pgsim._text_problems(c pgsim._collection, subject text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x pgsim._text;
    problems text;
    again text := format('SELECT pgsim.disable_text(%L), pgsim.enable_text(%1$L)', c.name);
BEGIN
    SELECT * INTO x FROM pgsim._text AS s WHERE s.collection_id = c.id;
    IF NOT FOUND THEN
        RETURN QUERY SELECT * FROM pgsim._text_backend_problems(c, subject);
        RETURN;
    END IF;
    IF (SELECT count(*) FROM pg_class AS r WHERE r.oid IN (x.documents, x.vocabulary, x.changes)) < 3 THEN
        RETURN QUERY SELECT 'error', subject, 'tables of its text index were dropped', again;
        RETURN;
    ELSIF NOT x.complete THEN
        RETURN QUERY SELECT 'error', subject, 'its text index is not kept up: a column that it reads was renamed or dropped, or its triggers were off', again;
        RETURN;
    ELSIF NOT x.built THEN
        RETURN QUERY SELECT 'error', subject, 'its text index is not complete: its making failed or is under way', again;
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM unnest(pgsim._text_functions(x)) AS f WHERE to_regprocedure(f) IS NULL) THEN
        RETURN QUERY SELECT 'error', subject, 'functions of its text index were dropped', format('SELECT pgsim.sync_privileges(%L)', c.name);
    END IF;
    SELECT string_agg(format('%s %s %s', CASE WHEN d.missing THEN 'lacks' ELSE 'has beyond it' END, d.privilege, d.grantee), ', ') INTO problems
    FROM unnest(ARRAY[x.documents, x.vocabulary, x.changes]) AS t (held) CROSS JOIN LATERAL pgsim._privilege_drift(c.relation, t.held, '{SELECT}') AS d;
    IF problems IS NOT NULL OR pgsim._text_security_drift(c, x) THEN
        RETURN QUERY SELECT 'error', subject, format('its text index is not as open as %s is: it %s', c.relation, coalesce(problems, 'differs in row-level security')),
            format('SELECT pgsim.sync_privileges(%L)', c.name);
    END IF;
    problems := pgsim._text_drift(c, x);
    IF problems IS NOT NULL THEN
        RETURN QUERY SELECT 'error', subject, 'its text index does not agree with the table: ' || problems, again;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._text_problems IS 'What is wrong with the text index of a collection, for pgsim.check.';

CREATE FUNCTION pgsim._text_removal(x pgsim._text, source text, condition text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format(
        'WITH pgsim_gone AS (DELETE FROM %s AS d USING %s WHERE %s RETURNING d.impacts, d.length), '
        'pgsim_terms AS (SELECT u.term, pg_catalog.count(*)::int AS docs FROM pgsim_gone AS g CROSS JOIN LATERAL pg_catalog.unnest(pgsim._text_terms(g.impacts)) AS u (term) GROUP BY u.term), '
        'pgsim_counted AS (SELECT pg_catalog.count(*)::int AS docs, coalesce(pg_catalog.sum(pg_catalog.round(g.length::float8::numeric, 2)), 0) AS length FROM pgsim_gone AS g) '
        'SELECT pg_catalog.array_agg(t.term), pg_catalog.array_agg(t.docs), c.docs, c.length FROM pgsim_counted AS c LEFT JOIN pgsim_terms AS t ON true GROUP BY c.docs, c.length',
        x.documents, source, condition);
END;
COMMENT ON FUNCTION pgsim._text_removal IS 'The statement that takes rows out of a text index; it returns their words'' ids, in how many of them each was, how many rows there were, and their lengths'' sum.';

CREATE FUNCTION pgsim._text_row(c pgsim._collection) RETURNS pgsim._text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    x pgsim._text;
BEGIN
    SELECT * INTO x FROM pgsim._text AS s WHERE s.collection_id = c.id;
    IF x.collection_id IS NULL THEN
        SELECT s.collection_id, s.text_config, s.columns, s.k1, s.b, true, true INTO x.collection_id, x.text_config, x.columns, x.k1, x.b, x.complete, x.built
        FROM pgsim._text_backend AS s WHERE s.collection_id = c.id;
    END IF;
    IF x.collection_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('collection %L has no text index', c.name), HINT = format('Make it with pgsim.enable_text(%L).', c.name);
    END IF;
    RETURN x;
END
$$;
COMMENT ON FUNCTION pgsim._text_row IS 'The text index of a collection, or PS035. One of another extension''s has no tables: documents is NULL.';

CREATE FUNCTION pgsim._text_row_words(
    x pgsim._text, contents text[], removed_terms int[], removed int, removed_length numeric,
    OUT length float8, OUT average float8, OUT impacts text, OUT terms int[]
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lexemes text[];
    frequencies float8[];
    ids int[];
    tops float8[];
    weighed real[];
    made_lexemes text[];
    made_ids int[];
    changed_terms int[];
    changed_docs int[];
    changed_tops real[];
BEGIN
    SELECT array_agg(w.lexeme), array_agg(w.tf), max(w.length) INTO lexemes, frequencies, length
    FROM (
        SELECT k.lexeme, sum(k.tf)::float8 AS tf, (sum(sum(k.tf)) OVER ())::real::float8 AS length
        FROM unnest(contents, x.weights) AS f (content, weight)
        CROSS JOIN LATERAL unnest(CASE WHEN octet_length(f.content) <= 12000 THEN ARRAY[f.content] ELSE pgsim._text_pieces(f.content) END) AS p (piece)
        CROSS JOIN LATERAL (SELECT u.lexeme, f.weight::numeric * cardinality(u.positions) AS tf FROM unnest(to_tsvector(x.text_config::regconfig, p.piece)) AS u) AS k
        GROUP BY k.lexeme ORDER BY sum(k.tf) DESC, k.lexeme COLLATE "C" LIMIT 16000
    ) AS w;
    average := greatest(coalesce(pgsim._text_average(x), length), 1e-3)::real::float8;
    EXECUTE format('SELECT array_agg(v.term ORDER BY w.ordinal), array_agg(v.top ORDER BY w.ordinal) FROM unnest($1) WITH ORDINALITY AS w (lexeme, ordinal) '
                   'LEFT JOIN LATERAL (SELECT v.term, v.top FROM %s AS v WHERE v.lexeme = w.lexeme ORDER BY v.term LIMIT 1) AS v ON true', x.vocabulary)
    INTO ids, tops USING lexemes;
    weighed := ARRAY(SELECT (u.tf * (x.k1 + 1) / (u.tf + x.k1 * ((1 - x.b) + x.b * length / average)))::real FROM unnest(frequencies) WITH ORDINALITY AS u (tf, ordinal) ORDER BY u.ordinal);
    IF array_position(ids, NULL) IS NOT NULL THEN
        EXECUTE format('WITH made AS (INSERT INTO %s AS v (lexeme, docs, top) SELECT u.lexeme, 1, u.top FROM unnest($1, $2, $3) AS u (lexeme, term, top) WHERE u.term IS NULL RETURNING v.lexeme, v.term) '
                       'SELECT array_agg(m.lexeme), array_agg(m.term) FROM made AS m', x.vocabulary)
        INTO made_lexemes, made_ids USING lexemes, ids, weighed;
    END IF;
    SELECT '{' || string_agg(coalesce(u.term, m.term) || ':' || u.impact, ',') || '}/1000000000' INTO impacts
    FROM unnest(lexemes, ids, weighed) AS u (lexeme, term, impact) LEFT JOIN unnest(made_lexemes, made_ids) AS m (lexeme, term) ON m.lexeme = u.lexeme;
    SELECT array_agg(c.term), array_agg(c.docs), array_agg(c.top) INTO changed_terms, changed_docs, changed_tops
    FROM (SELECT s.term, sum(s.docs) AS docs, max(s.top) AS top
          FROM (SELECT u.term, 1 AS docs, u.impact AS top, u.had FROM unnest(ids, weighed, tops) AS u (term, impact, had) WHERE u.term IS NOT NULL
                UNION ALL SELECT g.term, -1, 0, NULL FROM unnest(removed_terms) AS g (term)) AS s
          GROUP BY s.term HAVING sum(s.docs) <> 0 OR max(s.top) > coalesce(max(s.had), 0)) AS c;
    terms := changed_terms;
    IF removed > 0 OR impacts IS NOT NULL THEN
        EXECUTE format('INSERT INTO %s (term, docs, top, length) SELECT u.term, u.docs, u.top, NULL FROM unnest($1, $2, $3) AS u (term, docs, top) UNION ALL SELECT 0, $4, $5, $6', x.changes)
        USING changed_terms, changed_docs, changed_tops, CASE WHEN impacts IS NULL THEN 0 ELSE 1 END - removed, CASE WHEN impacts IS NULL THEN 0 ELSE (1 / average)::real END,
              coalesce(round(length::numeric, 2), 0) - removed_length;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._text_row_words IS
    'What _text_insertion does for rows of a statement, for one row, but storing it: its impacts, and the counts that it changes. Several short statements are planned sooner than one long one.';
REVOKE ALL ON FUNCTION pgsim._text_row_words FROM PUBLIC;

CREATE FUNCTION pgsim._text_score(x pgsim._text, prefix text, average text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- A factor between weights of whole numbers and of hundredths, to which what is read back from an impact is rounded.
    unit text := CASE WHEN (SELECT bool_and(w = trunc(w)) FROM unnest(x.weights) AS w) THEN '1' ELSE '0.01' END;
    norm text := format('(%s * (%s + %s * %slength / %%s))', x.k1, 1 - x.b, x.b, prefix);
    frequency text := format('(pg_catalog.round(i.impact * %s / greatest(%s - i.impact, 1e-9) / %s) * %s)', format(norm, prefix || 'average'), x.k1 + 1, unit, unit);
BEGIN
    RETURN CASE WHEN x.k1 = 0 THEN 'CASE WHEN i.impact > 0 THEN i.weight ELSE 0 END'
                ELSE format('CASE WHEN i.impact > 0 THEN i.weight * (%1$s * %2$s / (%1$s + %3$s)) ELSE 0 END', frequency, x.k1 + 1, format(norm, average)) END;
END
$$;
COMMENT ON FUNCTION pgsim._text_score IS
    'The expression of what a word adds to a row''s score, over i.impact and i.weight: the impact is stored for a mean length that has moved since, so it is reckoned anew from the frequency that it was made of.';

CREATE FUNCTION pgsim._text_security_drift(c pgsim._collection, x pgsim._text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT count(*) < 3 OR bool_or(t.relrowsecurity <> r.relrowsecurity
        OR r.relrowsecurity <> EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = t.oid AND p.polname = 'pgsim_read'
               AND (t.oid <> x.documents OR EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refobjid = r.oid)))
        OR (r.relrowsecurity AND NOT r.relforcerowsecurity)
           <> EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = t.oid AND p.polname = 'pgsim_owner' AND p.polroles = ARRAY[r.relowner])
        OR EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = t.oid AND p.polname NOT IN ('pgsim_read', 'pgsim_owner')))
    FROM pg_class AS r JOIN pg_class AS t ON t.oid IN (x.documents, x.vocabulary, x.changes)
    WHERE r.oid = c.relation;
END;
COMMENT ON FUNCTION pgsim._text_security_drift IS 'Whether the row-level security of a text index is other than what its base table''s asks for.';

CREATE FUNCTION pgsim._text_statement(
    c pgsim._collection, x pgsim._text, q pgsim._text_query, depth int, predicate text, clauses text[], filter_first boolean, most bigint, scored boolean
) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n int := cardinality(c.key_columns);
    vectors text := pgsim._vector_schema();
    -- Impacts are added as single-precision numbers.
    slack float8 := 2e-7 * (8 + cardinality(q.ids));
    condition text := q.condition;
    keys text := '';
    named text := '';
    key_order text := '';
    of_base text := '';
    of_documents text := '';
    key_text text := '';
    admits text;
    source text;
BEGIN
    FOR i IN 1 .. n LOOP
        keys := keys || format('d.%I AS k_%s, ', pgsim._key_column(i, n), i);
        named := named || format('k_%s, ', i);
        key_order := key_order || format(', k_%s', i);
        of_base := of_base || format('%I OPERATOR(pg_catalog.=) pgsim_c.k_%s AND ', c.key_columns[i], i);
        of_documents := of_documents || format('d.%I OPERATOR(pg_catalog.=) pgsim_best.k_%s AND ', pgsim._key_column(i, n), i);
        key_text := key_text || format(', %L, k_%s', c.key_columns[i], i);
    END LOOP;
    key_text := CASE n WHEN 1 THEN 'k_1::text' ELSE format('pg_catalog.jsonb_build_object(%s)::text', substr(key_text, 3)) END;
    FOR i IN REVERSE CASE WHEN condition IS NULL THEN 0 ELSE cardinality(q.ids) END .. 1 LOOP
        condition := replace(condition, format('[%s]', i), CASE WHEN filter_first
            THEN format('(d.impacts OPERATOR(%s.<#>) ($2)[%s] < 0)', vectors, i)
            ELSE format('(pgsim._text_terms(d.impacts) OPERATOR(pg_catalog.&&) ''{%s}'')', q.ids[i]) END);
    END LOOP;
    IF filter_first THEN
        source := format('pgsim_b AS b JOIN %s AS d ON %s WHERE d.impacts OPERATOR(%s.<#>) $3 < 0', x.documents, pgsim._key_join('b.', 'd.', c.key_columns, true), vectors);
    ELSE
        source := format('%s AS d WHERE true%s', x.documents,
            (SELECT string_agg(format(' AND pgsim._text_terms(d.impacts) OPERATOR(pg_catalog.&&) ''{%s}''', u), '') FROM unnest(clauses) AS u));
    END IF;
    source := source || coalesce(' AND (' || condition || ')', '');
    -- The base table has the last word on whether a row is there and matches. One row at a time by its key, best first.
    admits := format('%%s CROSS JOIN LATERAL (SELECT FROM %s WHERE %s%s LIMIT 1) AS b', replace(c.relation::text, '%', '%%'), replace(left(of_base, -5), '%', '%%'),
                     replace(coalesce(CASE WHEN NOT filter_first THEN E' AND (' || predicate || E'\n)' END, '') || coalesce(' AND ' || q.recheck, ''), '%', '%%'));
    IF NOT scored THEN
        RETURN format('WITH pgsim_c AS MATERIALIZED (SELECT %s a * least(1, $5 / average) * %s AS l FROM (SELECT %s d.average, -(d.impacts OPERATOR(%s.<#>) $3) AS a FROM %s OFFSET 0) AS s WHERE a > 0 ORDER BY l DESC) '
                      'SELECT pg_catalog.count(*), pg_catalog.min(l), (SELECT pg_catalog.count(*) FROM pgsim_c) FROM (SELECT l FROM %s LIMIT %s) AS n',
                      named, 1 - slack, keys, vectors, source, format(admits, 'pgsim_c'), depth);
    END IF;
    -- An impact is stored for a mean length that has moved since. The factor by which it has changed lies between one and the ratio of both means, so
    -- the bounds of a score are exact; those few rows that may be among the best are scored anew.
    RETURN CASE WHEN filter_first THEN format(E'WITH pgsim_b AS MATERIALIZED (SELECT %s FROM %s%s\n%s), ', pgsim._key_list('', c.key_columns, false), c.relation, ' WHERE ' || predicate, 'LIMIT ' || most)
                ELSE 'WITH ' END
        || format('pgsim_c AS MATERIALIZED (SELECT *, pg_catalog.row_number() OVER (ORDER BY u DESC%1$s) AS place FROM ('
                  '  SELECT %2$s a * greatest(1, $5 / average) * %3$s AS u, a * least(1, $5 / average) * %4$s AS l FROM (SELECT %5$s d.average, -(d.impacts OPERATOR(%6$s.<#>) $3) AS a FROM %7$s OFFSET 0) AS s) AS r '
                  '  WHERE u >= $6 AND u > 0 ORDER BY place), ', key_order, named, 1 + slack, 1 - slack, keys, vectors, source)
        || format('pgsim_first AS MATERIALIZED (SELECT %s l, place FROM %s LIMIT %s), ', named, format(admits, 'pgsim_c'), depth)
        || format('pgsim_bound AS MATERIALIZED (SELECT CASE WHEN pg_catalog.count(*) < %s THEN NULL ELSE pg_catalog.min(l) END AS l, pg_catalog.max(place) AS place FROM pgsim_first), ', depth)
        || format('pgsim_best AS (SELECT %1$s place FROM pgsim_first UNION ALL SELECT %1$s place FROM %2$s), ', named,
                  format(admits, '(SELECT c.* FROM pgsim_c AS c CROSS JOIN pgsim_bound AS o WHERE c.place > o.place AND c.u >= o.l) AS pgsim_c'))
        || format('pgsim_scored AS (SELECT %s (SELECT pg_catalog.sum(%s) FROM (SELECT w.weight, -(d.impacts OPERATOR(%s.<#>) w.unit) AS impact FROM unnest($2, $4) AS w (unit, weight) OFFSET 0) AS i) AS score '
                  'FROM pgsim_best CROSS JOIN LATERAL (SELECT * FROM %s AS d WHERE %s LIMIT 1) AS d) ', named, pgsim._text_score(x, 'd.', '$5'), vectors, x.documents, left(of_documents, -5))
        || format('SELECT pg_catalog.array_agg(%s ORDER BY score DESC%s), pg_catalog.array_agg(score ORDER BY score DESC%2$s), (SELECT pg_catalog.count(*) FROM pgsim_c), %3$s FROM (SELECT * FROM pgsim_scored ORDER BY score DESC%2$s LIMIT %4$s) AS n',
                  key_text, key_order, CASE WHEN filter_first THEN '(SELECT pg_catalog.count(*) FROM pgsim_b)' ELSE 'NULL::bigint' END, depth);
END
$$;
COMMENT ON FUNCTION pgsim._text_statement IS
    'The statement of a text search, over $1, the filter''s values, and the query: $2 units, $3 vector, $4 weights, $5 mean length, $6 the least score of use. It gives, not scored, how many rows of the best there are, a score that each reaches, and how many candidates there were; or keys and scores of the best, how many candidates were scored, and, filter first, how many rows the filter gave.';

CREATE FUNCTION pgsim._text_tokens(text_config text, columns text[], weights float8[], prefix text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT string_agg(format(
        'SELECT u.lexeme, %3$s * pg_catalog.cardinality(u.positions) AS tf '
        'FROM pg_catalog.unnest(CASE WHEN pg_catalog.octet_length(pg_catalog.concat(%1$s)) <= 12000 THEN ARRAY[pg_catalog.concat(%1$s)] ELSE pgsim._text_pieces(pg_catalog.concat(%1$s)) END) AS p (piece) '
        'CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.to_tsvector(%2$L::pg_catalog.regconfig, p.piece)) AS u',
        format('%s%I', prefix, f.name), text_config, f.weight), ' UNION ALL ' ORDER BY f.ordinal)
    FROM unnest(columns, weights) WITH ORDINALITY AS f (name, weight, ordinal);
END;
COMMENT ON FUNCTION pgsim._text_tokens IS 'The query that gives the words of a row, a row for each column and piece of it that has the word, and how much it counts there.';

CREATE FUNCTION pgsim._text_triggers(c pgsim._collection) RETURNS TABLE (relation regclass, name text, definition text, arguments bytea)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    watched text[];
    is_parted boolean := EXISTS (SELECT FROM pg_partitioned_table AS p WHERE p.partrelid = c.relation);
BEGIN
    SELECT c.key_columns || x.columns INTO watched FROM pgsim._text AS x JOIN pg_class AS d ON d.oid = x.documents WHERE x.collection_id = c.id;
    -- Of an index whose columns are gone no trigger can be made, and none is of use.
    IF watched IS NULL OR EXISTS (SELECT FROM unnest(watched) AS w WHERE NOT EXISTS (
        SELECT FROM pg_attribute AS a WHERE a.attrelid = c.relation AND a.attname = w AND NOT a.attisdropped)) THEN
        RETURN;
    END IF;
    -- Their names begin with !: triggers fire in the order of their names, and what a trigger of the user's changes further must get here later.
    RETURN QUERY
        SELECT p.relation, '!pgsim_text_' || t.name,
               format('AFTER %s ON %s %s EXECUTE FUNCTION pgsim._keep_text(%L, %L)', t.event, p.relation, t.condition, c.id, p.part),
               convert_to(c.id::text, 'UTF8') || '\x00' || convert_to(p.part, 'UTF8') || '\x00'
        FROM (SELECT s.relid::regclass AS relation, CASE WHEN s.relid::regclass = c.relation THEN 'all' ELSE 'part' END AS part
              FROM pg_partition_tree(c.relation) AS s JOIN pg_class AS r ON r.oid = s.relid AND r.relkind IN ('r', 'p')
              UNION SELECT c.relation, 'all') AS p
        CROSS JOIN (VALUES
            ('insert', 'INSERT', 'REFERENCING NEW TABLE AS pgsim_rows FOR EACH STATEMENT', NULL),
            ('delete', 'DELETE', 'REFERENCING OLD TABLE AS pgsim_before FOR EACH STATEMENT', NULL),
            ('truncate', 'TRUNCATE', 'FOR EACH STATEMENT', NULL),
            -- A row trigger with a condition costs an update of other columns next to nothing, where one of a statement copies every row. But it is told
            -- nothing of rows that move to another partition.
            ('update', 'UPDATE', 'FOR EACH ROW WHEN ' || pgsim._changed_condition(watched, c.relation), false),
            ('update', 'UPDATE', 'REFERENCING OLD TABLE AS pgsim_before NEW TABLE AS pgsim_rows FOR EACH STATEMENT', true)
        ) AS t (name, event, condition, parted)
        WHERE t.parted IS NULL OR t.parted = is_parted;
END
$$;
COMMENT ON FUNCTION pgsim._text_triggers IS 'The triggers that keep the text index of a collection, on its base table and each partition.';

CREATE FUNCTION pgsim._text_trigrams(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT pg_catalog.substr(' ' || word || ' ', i, 3) FROM pg_catalog.generate_series(1, pg_catalog.length(word)) AS i);
COMMENT ON FUNCTION pgsim._text_trigrams IS 'The trigrams of a word, a space before and after it. An index is made of it, so it never changes.';

CREATE FUNCTION pgsim._text_usable(x pgsim._text, relation regclass, key_columns text[]) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A column that was renamed is not found by its old name; nothing keeps a text search configuration from being dropped.
    RETURN NOT EXISTS (SELECT FROM unnest(key_columns || x.columns) AS n (name)
                       WHERE NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = n.name AND NOT a.attisdropped))
       AND EXISTS (SELECT FROM pg_ts_config AS f JOIN pg_namespace AS n ON n.oid = f.cfgnamespace WHERE n.nspname = (parse_ident(x.text_config))[1] AND f.cfgname = (parse_ident(x.text_config))[2]);
END
$$;
COMMENT ON FUNCTION pgsim._text_usable IS 'Whether the columns and the configuration that a text index reads are still there, under their names.';

CREATE FUNCTION pgsim._text_vector(config regconfig, contents text[]) RETURNS tsvector
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    content text;
    piece text;
    whole tsvector := '';
BEGIN
    FOREACH content IN ARRAY contents LOOP
        FOREACH piece IN ARRAY pgsim._text_pieces(content) LOOP
            whole := whole || to_tsvector(config, piece);
        END LOOP;
        -- So that no phrase runs from one column into the next.
        whole := whole || ''' '':1'::tsvector;
    END LOOP;
    RETURN whole;
EXCEPTION WHEN program_limit_exceeded THEN
    RETURN whole;
END
$$;
COMMENT ON FUNCTION pgsim._text_vector IS 'The tsvector of a row''s columns, one after another; of a text of more than a megabyte what comes first.';

CREATE FUNCTION pgsim._text_words(
    c pgsim._collection, x pgsim._text, query text, form text,
    OUT lexemes text[], OUT parts int[], OUT boosts float8[], OUT condition text, OUT recheck tsquery
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    config regconfig := x.text_config::regconfig;
    pieces text[] := CASE WHEN octet_length(query) <= 12000 THEN ARRAY[query] ELSE pgsim._text_pieces(query) END;
    token text;
    likes record;
BEGIN
    IF form IS NULL OR form NOT IN ('any', 'all', 'phrase', 'websearch', 'prefix', 'fuzzy') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('text_form is %s; known are any, all, phrase, websearch, prefix and fuzzy', coalesce(quote_literal(left(form, 80)), 'NULL')),
            HINT = 'Leave it out for rows that have any of the words.';
    END IF;
    lexemes := '{}';
    IF form IN ('phrase', 'websearch') THEN
        BEGIN
            recheck := CASE form WHEN 'phrase' THEN phraseto_tsquery(config, query) ELSE websearch_to_tsquery(config, query) END;
        EXCEPTION WHEN program_limit_exceeded THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('a query of %s characters is too long for text_form %L: %s', length(query), form, SQLERRM),
                HINT = 'Shorten it, or leave text_form out.';
        END;
        IF form = 'phrase' THEN
            SELECT coalesce(array_agg(DISTINCT u.lexeme), '{}') INTO lexemes FROM unnest(pieces) AS p (piece) CROSS JOIN LATERAL unnest(to_tsvector(config, p.piece)) AS u;
            parts := ARRAY(SELECT i FROM generate_subscripts(lexemes, 1) AS i);
            boosts := array_fill(1::float8, ARRAY[cardinality(lexemes)]);
            RETURN;
        END IF;
        condition := '';
        FOR token IN SELECT m[1] FROM regexp_matches(recheck::text, $re$('(?:[^'\\]|''|\\\\)*'(?::[*A-D]+)?|<->|<\d+>|[&|!()])$re$, 'g') AS m LOOP
            IF token ~ '^''' THEN
                lexemes := lexemes || replace(replace(substring(token FROM '^''(.*)''[^'']*$'), '''''', ''''), '\\', '\');
                boosts := boosts || CASE WHEN condition ~ '! $' THEN 0 ELSE 1 END::float8;
                condition := condition || format('{%s} ', cardinality(lexemes));
            ELSE
                condition := condition || CASE WHEN token ~ '^<' THEN 'AND ' WHEN token = '&' THEN 'AND ' WHEN token = '|' THEN 'OR ' ELSE token || ' ' END;
            END IF;
        END LOOP;
        boosts := coalesce(boosts, '{}');
        IF recheck::text !~ '<(-|\d+)>' THEN
            recheck := NULL;
        ELSE
            -- What is not to be next to something may be elsewhere in the row: the text itself tells.
            condition := CASE WHEN condition !~ '! \(' THEN regexp_replace(condition, '! {\d+}', 'true', 'g') END;
        END IF;
        condition := replace(condition, '! ', 'NOT ');
        parts := ARRAY(SELECT i FROM generate_subscripts(lexemes, 1) AS i);
        RETURN;
    END IF;
    SELECT coalesce(array_agg(DISTINCT u.lexeme), '{}') INTO lexemes FROM unnest(pieces) AS p (piece) CROSS JOIN LATERAL unnest(to_tsvector(config, p.piece)) AS u;
    parts := ARRAY(SELECT i FROM generate_subscripts(lexemes, 1) AS i);
    boosts := array_fill(1::float8, ARRAY[cardinality(lexemes)]);
    IF form IN ('prefix', 'fuzzy') THEN
        SELECT coalesce(array_agg(l.lexeme), '{}') AS lexemes, coalesce(array_agg(l.part), '{}') AS parts, coalesce(array_agg(l.boost), '{}') AS boosts INTO likes
        FROM pgsim._text_likes(c, x, query, lexemes, form) AS l;
        lexemes := likes.lexemes;
        parts := likes.parts;
        boosts := likes.boosts;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._text_words IS
    'What a text query asks for: words, which of them stand for one word of the query and how much each counts; a condition over their numbers in braces, and a tsquery that the text is to match where only the text can tell.';

CREATE FUNCTION pgsim._watch_text(documents regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made record := pgsim._text_in_making(documents);
BEGIN
    PERFORM pgsim._sync_triggers(made.c);
END
$$;
COMMENT ON FUNCTION pgsim._watch_text IS 'The second step of a text index: from the end of this transaction on it follows its table. Writers wait for that end.';

CREATE FUNCTION pgsim.snippet(collection text, key text, query text, options jsonb = '{}', text_form text = 'any') RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection := pgsim._collection_row(collection);
    x pgsim._text := pgsim._text_row(c);
    w record;
    shown text[] := x.columns;
    settings text;
    bad text;
    terms text;
    content text;
BEGIN
    PERFORM pgsim._check_text_form(x, text_form);
    IF jsonb_typeof(options) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'options is not a JSON object', HINT = 'For instance: options => ''{"start": "<mark>", "stop": "</mark>", "max_words": 30}''.';
    END IF;
    SELECT left(o.key, 80) INTO bad FROM jsonb_each(options) AS o
    WHERE CASE WHEN o.key IN ('start', 'stop', 'delimiter', 'column') THEN jsonb_typeof(o.value) <> 'string'
               WHEN o.key = 'whole' THEN jsonb_typeof(o.value) <> 'boolean'
               WHEN o.key IN ('max_words', 'min_words', 'fragments')
               THEN CASE jsonb_typeof(o.value) WHEN 'number' THEN o.value::text !~ '^\d{1,4}$' ELSE true END
               ELSE true END LIMIT 1;
    IF FOUND OR coalesce((options ->> 'max_words')::int, 35) <= coalesce((options ->> 'min_words')::int, least(15, coalesce((options ->> 'max_words')::int, 35) - 1))
       OR coalesce((options ->> 'min_words')::int, 1) = 0 OR coalesce((options ->> 'max_words')::int, 35) < 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('options: %s', coalesce(format('%L is not known or not of its type: %s', bad, left((options -> bad)::text, 80)), 'max_words is not above min_words, which is 1 at least')),
            HINT = 'Known are start, stop, delimiter and column (texts), max_words, min_words and fragments (whole numbers to 9999), and whole (a boolean).';
    END IF;
    IF options ? 'column' THEN
        shown := ARRAY[options ->> 'column'];
        PERFORM pgsim._check_columns(c.relation, 'options', shown);
    END IF;
    PERFORM pgsim._require_select(c.relation, c.relation);
    PERFORM pgsim._require_text_kept(c, x);
    w := pgsim._text_words(c, x, coalesce(query, ''), text_form);
    SELECT string_agg(format('''%s''', replace(replace(l, '\', '\\'), '''', '''''')), ' | ') INTO terms FROM (SELECT l FROM unnest(w.lexemes) AS l LIMIT 1000) AS s (l);
    SELECT string_agg(format('%s="%s"', CASE o.key WHEN 'start' THEN 'StartSel' WHEN 'stop' THEN 'StopSel' WHEN 'delimiter' THEN 'FragmentDelimiter' WHEN 'max_words' THEN 'MaxWords'
                                             WHEN 'min_words' THEN 'MinWords' WHEN 'fragments' THEN 'MaxFragments' ELSE 'HighlightAll' END, replace(o.value, '"', '""')), ', ')
    INTO settings
    FROM jsonb_each_text(options || CASE WHEN options ? 'max_words' AND NOT options ? 'min_words' THEN jsonb_build_object('min_words', least(15, (options ->> 'max_words')::int - 1)) ELSE '{}' END) AS o
    WHERE o.key <> 'column';
    BEGIN
        EXECUTE format('SELECT concat_ws(E''\n'', %s) FROM (SELECT * FROM %s) AS b JOIN (SELECT %s FROM (SELECT $1 AS given) AS k) AS g ON %s',
            (SELECT string_agg(format('b.%I', n.name), ', ' ORDER BY n.ordinal) FROM unnest(shown) WITH ORDINALITY AS n (name, ordinal)), c.relation,
            pgsim._key_parse(c.relation, 'k.given', c.key_columns, true), pgsim._key_join('b.', 'g.', c.key_columns, true)) INTO content USING snippet.key;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION USING ERRCODE = 'PS016', MESSAGE = format('key %L is not %s: %s', left(snippet.key, 200), pgsim._key_types(c.relation, c.key_columns), SQLERRM), HINT = 'Searches return keys in this form.';
    END;
    RETURN ts_headline(x.text_config::regconfig, content, coalesce(terms, ''' ''')::tsquery, coalesce(settings, ''));
END
$$;
COMMENT ON FUNCTION pgsim.snippet IS
$$Shows where a row has the words of a query: a piece of its text with the words marked, or NULL for a row that is not there or not yours to see.

options: start and stop, what stands around a word (default <b> and </b>); max_words and min_words (35, 15); fragments, how many pieces at most, and
the delimiter between them; whole (true): all of the text; column: of this column alone. text_form: as the search had it.
The text is given as it is: where it goes into HTML, choose start and stop that survive escaping, and escape the snippet before you replace them.
Errors: PS001, PS005, PS006, PS010, PS016, PS032, PS035.$$;

CREATE FUNCTION pgsim.text_statistics(collection text, OUT rows bigint, OUT words bigint, OUT mean_length float8, OUT bytes bigint, OUT pending bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection := pgsim._collection_row(collection);
    x pgsim._text := pgsim._text_row(c);
BEGIN
    IF x.documents IS NULL THEN
        PERFORM pgsim._require_select(c.relation, c.relation);
        SELECT pg_total_relation_size(pgsim._text_backend_index(c, t)) INTO bytes FROM pgsim._text_backend AS t WHERE t.collection_id = c.id;
        RETURN;
    END IF;
    PERFORM pgsim._require_select(c.relation, x.documents);
    IF row_security_active(c.relation) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('row-level security hides rows of %s from role %I, and the statistics count all', c.relation, current_user),
            HINT = 'Ask as the owner of the table, where row-level security is not forced, or as a role with BYPASSRLS.';
    END IF;
    EXECUTE format('SELECT coalesce(sum(h.docs), 0), sum(h.length)::float8 / nullif(sum(h.docs), 0) FROM %s AS h WHERE h.term = 0', x.changes) INTO rows, mean_length;
    EXECUTE format('SELECT count(DISTINCT v.lexeme) FROM %s AS v', x.vocabulary) INTO words;
    EXECUTE format('SELECT count(*) FROM %s', x.changes) INTO pending;
    bytes := pg_total_relation_size(x.documents) + pg_total_relation_size(x.vocabulary) + pg_total_relation_size(x.changes);
END
$$;
COMMENT ON FUNCTION pgsim.text_statistics IS
$$Says what a collection's text index holds: rows with text, different words, mean length, bytes, and changes of counts not yet added up.

Rows and mean length are those of this moment, this transaction's own writes included; words that no row has any more are counted still.
Of an index that another extension keeps (a backend of enable_text) bytes alone are known, and the rest is NULL.
Errors: PS001, PS006, PS032, PS035.$$;

CREATE FUNCTION pgsim._check_vector(v vector, what text, model text, dim int, metric text, element text = 'vector') RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    problem text := pgsim._vector_problem(v, dim, metric, element);
BEGIN
    IF problem IS NULL THEN
        RETURN;
    ELSIF problem LIKE 'has %' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012',
            MESSAGE = format('%s %s; model %L has %s', what, problem, model, dim),
            HINT = 'Embed with the model the collection uses, or name the model you embedded with (model => ...).';
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'PS013',
            MESSAGE = format('%s %s; model %L takes %s finite numbers%s%s', what, problem, model, dim,
                             CASE element WHEN 'halfvec' THEN ' of half precision (up to 65504)' ELSE '' END,
                             CASE metric WHEN 'cosine' THEN ', not all zero (a zero vector has no direction)' ELSE '' END),
            HINT = CASE WHEN v IS NULL THEN 'Leave out what has no vector: a row without one is not found, and nothing else is lost.'
                        ELSE 'Look at what made it: an empty text, or an embedder that failed, often gives such a vector.' END;
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_vector IS 'Raises PS012 or PS013 for a vector that a model cannot have made.';

CREATE FUNCTION pgsim._half_problem(v vector, metric text, dims int = NULL) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT CASE
        -- From 65520 on a number rounds to infinity, and up to 2^-25, half the least number of half precision, to zero.
        WHEN pg_catalog.max(abs(e)) >= 65520 THEN 'holds a number beyond 65504'
        WHEN metric = 'cosine' AND pg_catalog.max(abs(e)) <= 2.98023223876953125e-08::float8 THEN 'is all zeros in half precision'
    END
    FROM pg_catalog.unnest(CASE WHEN dims IS NULL THEN v::real[] ELSE (v::real[])[1:dims] END) AS e
);
COMMENT ON FUNCTION pgsim._half_problem IS 'Why a vector, or its first dims numbers, cannot be stored in half precision, or NULL.';

CREATE FUNCTION pgsim._turned(v vector, others vector[], far float8) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT (l2_normalize(v) + l2_normalize(n.noise) * array_fill(far::real, ARRAY[vector_dims(v)])::vector)
           * array_fill((vector_norm(v) / sqrt(1 + far * far))::real, ARRAY[vector_dims(v)])::vector
    FROM (SELECT sum(o.o) FILTER (WHERE o.ordinal % 2 = 0) - sum(o.o) FILTER (WHERE o.ordinal % 2 = 1) AS noise FROM unnest(others) WITH ORDINALITY AS o (o, ordinal)) AS n
);
COMMENT ON FUNCTION pgsim._turned IS
    'A vector of about the same length, at an angle whose tangent is far, in a direction that others of its kind vary in: half of them less the other half. (Measured: of such at one distance from their neighbours an index misses as many as of questions at that distance; its own rows, or rows with noise of no direction, it finds more easily, or not at all.)';

CREATE FUNCTION pgsim._vector_expression(
    operand text, vector_schema text, metric text, dim int, stored_element text, dims int, element text
) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF dims = dim AND element = stored_element THEN
        RETURN operand;
    END IF;
    IF stored_element = 'sparsevec' THEN
        RETURN format('(pgsim._top_weights(%s, %s))::%s.sparsevec(%s)', operand, substr(element, 5)::int, vector_schema, dim);
    END IF;
    IF dims < dim THEN
        operand := format('%s.subvector(%s, 1, %s)', vector_schema, operand, dims);
    END IF;
    IF element = 'bit' THEN
        RETURN format('(%s.binary_quantize(%s))::pg_catalog.bit(%s)', vector_schema, operand, dims);
    END IF;
    IF dims < dim THEN
        -- Cosine measures direction alone. The other metrics need the length that the full vector had.
        IF metric <> 'cosine' THEN
            operand := format('%s.l2_normalize(%s)', vector_schema, operand);
        END IF;
    END IF;
    RETURN format('(%s)::%s.%I(%s)', operand, vector_schema, element, dims);
END
$$;
COMMENT ON FUNCTION pgsim._vector_expression IS
    'A vector, or its first dims dimensions, as an element type, bit being one bit for each sign; of a sparse one top_ and a number keeps so many of its weights. An index is used only where a query repeats its expression to the letter: both are made here.';

CREATE FUNCTION pgsim._vector_of(given text) RETURNS vector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN given::vector;
COMMENT ON FUNCTION pgsim._vector_of IS 'A vector read from its text, wherever the extension lives.';

CREATE FUNCTION pgsim._vector_problem(v vector, dim int, metric text, element text = 'vector') RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN v IS NULL THEN 'is NULL'
    WHEN vector_dims(v) <> dim THEN 'has ' || vector_dims(v)::text || ' dimensions'
    WHEN metric = 'cosine' AND vector_norm(v) = 0 THEN 'is all zeros'
    WHEN element = 'halfvec' THEN pgsim._half_problem(v, metric)
END;
COMMENT ON FUNCTION pgsim._vector_problem IS 'Why a vector cannot be stored or searched under a model, or NULL. (pgvector itself refuses NaN and infinity.)';

CREATE FUNCTION pgsim._vector_schema() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN coalesce(nullif(left(pg_typeof(NULL::vector)::text, -length('.vector')), ''), 'pg_catalog');
COMMENT ON FUNCTION pgsim._vector_schema IS 'The schema that pgvector is installed in, quoted for SQL.';

CREATE FUNCTION pgsim._activation_reasons(t pgsim._target, OUT reasons text[], OUT gates jsonb)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    compared record;
    quality record;
    most CONSTANT int := 100001;
BEGIN
    reasons := '{}';
    IF t.state = 'retired' THEN
        reasons := reasons || format('it is retired, and changes were not followed since: pgsim.revive(%L, %L, %L), then embed what is missing', t.collection, t.model,
                                     (SELECT v.embedding FROM pgsim.versions AS v WHERE v.id = t.version_id))::text;
    END IF;
    compared := pgsim._compare_version(t);
    IF compared.missing > 0 THEN
        reasons := reasons || format('%s rows have no vector%s', compared.missing, CASE WHEN t.source_columns = '{}' THEN ', which the active version has' ELSE ' of their text' END)::text;
    END IF;
    IF compared.waiting > 0 THEN
        reasons := reasons || format('%s rows wait to be embedded: in the queue, with a worker or set aside', CASE WHEN compared.waiting = most THEN 'more than ' || most - 1 ELSE compared.waiting::text END)::text;
    END IF;
    reasons := reasons || pgsim._index_reasons(t);
    quality := pgsim._gate_reasons(t);
    reasons := reasons || quality.reasons;
    gates := jsonb_strip_nulls(jsonb_build_object('missing', compared.missing, 'compared', compared.compared, 'waiting', compared.waiting, 'quality', nullif(quality.results, '{}'),
                               'refused', CASE WHEN reasons <> '{}' THEN to_jsonb(reasons) END));
END
$$;
COMMENT ON FUNCTION pgsim._activation_reasons IS 'Every reason why a version should not become the active one, and what was found, for the record.';

CREATE FUNCTION pgsim._analyze_stale() RETURNS text[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    analyzed text[] := '{}';
    stale regclass;
BEGIN
    FOR stale IN
        SELECT r.oid FROM pg_class AS r LEFT JOIN pg_stat_all_tables AS s ON s.relid = r.oid
        WHERE r.relnamespace IN ('pgsim'::regnamespace, 'pgsim_data'::regnamespace) AND r.relkind = 'r' AND pg_has_role(current_user, r.relowner, 'USAGE')
          AND (r.reltuples < 0 AND pg_relation_size(r.oid) > 0 OR s.n_mod_since_analyze > 50 + 0.1 * greatest(r.reltuples, 0))
        ORDER BY r.oid::regclass::text
    LOOP
        -- What somebody is building or cleaning is left for the next time.
        EXECUTE format('ANALYZE (SKIP_LOCKED) %s', stale);
        analyzed := analyzed || stale::text;
    END LOOP;
    RETURN analyzed;
END
$$;
COMMENT ON FUNCTION pgsim._analyze_stale IS 'Has PostgreSQL''s statistics of pgsim''s tables taken anew where a tenth has changed since, and returns which.';

CREATE FUNCTION pgsim._backfill_problems(c pgsim._collection, version_id int, model text, embedding text, object text)
RETURNS TABLE (severity text, object_named text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named text := format('%L, %L, %L', c.name, model, embedding);
BEGIN
    RETURN QUERY
        SELECT 'warning', object, format('%s rows were set aside, since they could not be embedded; the last: %s', count(*), (array_agg(left(p.error, 300) ORDER BY p.set_aside_at DESC))[1]),
               format('SELECT pgsim.retry_poison(%s), and run a worker; pgsim.poison_rows lists them', named)
        FROM pgsim._poison AS p WHERE p.version_id = _backfill_problems.version_id HAVING count(*) > 0;
    RETURN QUERY
        SELECT 'warning', object, format('%s rows are with workers that are gone', sum(cardinality(b.keys))), 'Run a worker, which takes them back: pgsim backfill, or pgsim.next_batch.'
        FROM pgsim._batch AS b
        WHERE b.version_id = _backfill_problems.version_id
          AND (b.expires_at < clock_timestamp()
               OR b.worker_id IS NOT NULL AND NOT EXISTS (
                   SELECT FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = 'pgsim._worker'::regclass AND l.objid = b.worker_id::oid
                       AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())))
        HAVING count(*) > 0;
    RETURN QUERY
        SELECT 'warning', object, format('its backfill is paused since %s by %s%s, and %s rows wait', p.paused_at::timestamptz(0), p.paused_by, coalesce(': ' || p.reason, ''), p.pending),
               format('SELECT pgsim.resume_backfill(%s)', named)
        FROM pgsim.backfill_progress AS p
        WHERE (p.collection, p.model, p.embedding) = (c.name, _backfill_problems.model, _backfill_problems.embedding) AND p.paused_at IS NOT NULL AND p.pending > 0;
    -- A build that was killed leaves an index that nobody registered. One that is under way holds a lock on the table.
    RETURN QUERY
        SELECT 'warning', object, format('index %s is left over from a build that did not end', u.name), format('DROP INDEX %s', u.name)
        FROM pgsim._unfinished_indexes(_backfill_problems.version_id) AS u;
END
$$;
COMMENT ON FUNCTION pgsim._backfill_problems IS 'What pgsim.check has to say of the backfill of a version: rows set aside, workers that are gone, a pause that was forgotten, an index build that was killed.';

CREATE FUNCTION pgsim._begin_store() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('pg_temp.pgsim_vectors') IS NOT NULL THEN
        -- Only inside a transaction of the caller's are there rows left.
        EXECUTE 'DELETE FROM pg_temp.pgsim_vectors';
        RETURN;
    END IF;
    EXECUTE format('CREATE TEMPORARY TABLE pgsim_vectors (key text NOT NULL, source_hash bytea NOT NULL, embedding %s.vector NOT NULL) ON COMMIT DELETE ROWS', pgsim._vector_schema());
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not make temporary tables in database %I, through which a worker stores its vectors', current_user, current_database()),
            HINT = format('GRANT TEMPORARY ON DATABASE %I TO %I.', current_database(), current_user);
END
$$;
COMMENT ON FUNCTION pgsim._begin_store IS 'Makes the temporary table that a worker copies its vectors into, once a session.';

CREATE FUNCTION pgsim._begin_work(collection text, model text, embedding text, name text, OUT worker int, OUT version int)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._check_backfill(t, embedding);
    IF t.element = 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('model %L is sparse, and embedders make dense vectors', t.model),
            HINT = 'Take batches with pgsim.next_batch, and store them with pgsim.upsert(..., sparse_vectors => ...).';
    END IF;
    PERFORM pgsim._reclaim(t.version_id, NULL);
    INSERT INTO pgsim._backfill (version_id) VALUES (t.version_id) ON CONFLICT DO NOTHING;
    INSERT INTO pgsim._worker AS w (version_id, name) VALUES (t.version_id, _begin_work.name) RETURNING w.id INTO worker;
    PERFORM pg_advisory_lock('pgsim._worker'::regclass::oid::int, worker);
    version := t.version_id;
END
$$;
COMMENT ON FUNCTION pgsim._begin_work IS 'Registers a worker of a version, which lives as long as this session or until pgsim._end_work, and returns its number.';

CREATE FUNCTION pgsim._change_counts(t pgsim._target) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    noted bigint;
    inserted bigint;
    updated bigint;
BEGIN
    -- Moved by capture whenever rows of a base table are queued, and whenever vectors are deleted.
    SELECT s.last_value + s.is_called::int INTO noted FROM pgsim._queue_id_seq AS s;
    -- What passes triggers by (replication, a session that turned them off) is counted, some seconds late.
    SELECT sum(pg_stat_get_tuples_inserted(p.relid)), sum(pg_stat_get_tuples_updated(p.relid)) INTO inserted, updated
    FROM (SELECT s.relid FROM pg_partition_tree(t.base) AS s UNION SELECT t.base) AS p (relid);
    RETURN CASE WHEN current_setting('track_counts') = 'on' OR t.follows IS NULL THEN jsonb_build_object('noted', noted, 'inserted', inserted, 'updated', updated) END;
END
$$;
COMMENT ON FUNCTION pgsim._change_counts IS 'Counts that move when rows of a base table are written, or vectors deleted; NULL where they cannot be trusted.';

CREATE FUNCTION pgsim._change_marks(t pgsim._target) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parts regclass[] := ARRAY(SELECT p.relid FROM pg_partition_tree(t.base) AS p UNION SELECT t.base);
    marks jsonb;
BEGIN
    -- An adopted column is written by the application, which nothing here sees. What a subscription brings passes statement triggers by. And
    -- under an older snapshot what is seen and what is counted are of two times.
    IF t.adopted OR current_setting('transaction_isolation') <> 'read committed'
       OR EXISTS (SELECT FROM pgsim._queue AS q WHERE q.version_id = -t.collection_id)
       OR EXISTS (SELECT FROM pg_subscription_rel AS s WHERE s.srrelid = ANY (parts))
       OR EXISTS (SELECT FROM pgsim._capture_triggers(pgsim._collection_row(t.collection)) AS w
                  WHERE NOT EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = w.relation AND g.tgname = w.name AND g.tgargs = w.arguments
                                    AND g.tgfoid = 'pgsim._capture'::regproc AND g.tgenabled IN ('O', 'A'))) THEN
        RETURN NULL;
    END IF;
    -- A trigger that was disabled and enabled again is another version of its row in the catalogue.
    SELECT jsonb_build_object('triggers', md5(string_agg(format('%s %s %s', g.oid, g.xmin, g.tgenabled), ',' ORDER BY g.oid))) INTO marks
    FROM pg_trigger AS g WHERE g.tgrelid = ANY (parts || t.version) AND g.tgfoid IN ('pgsim._capture'::regproc, 'pgsim._note_removal'::regproc);
    RETURN marks || jsonb_build_object(
        'parts', to_jsonb(parts::oid[]), 'file', pg_relation_filenode(t.version), 'queue', pg_relation_filenode('pgsim._queue'),
        'truncated', (SELECT s.last_value + s.is_called::int FROM pgsim._truncation AS s));
END
$$;
COMMENT ON FUNCTION pgsim._change_marks IS
    'Marks that stay as they are as long as a row that lacks its vector is in the queue, with a worker or set aside; NULL where there are none that can be trusted.';

CREATE FUNCTION pgsim._check_backfill(t pgsim._target, embedding text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    IF t.source_columns = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('embedding %L of collection %L has no source columns, so nothing can be embedded for it', embedding, t.collection),
            HINT = 'Its vectors come through pgsim.upsert; or declare another embedding with source columns.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_backfill IS 'Raises PS005, PS032 or PS035 unless the caller sees all rows of a version''s base table, and these have texts.';

CREATE FUNCTION pgsim._check_probes(m pgsim._model, texts text[], vectors vector[], kind text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    probe record;
BEGIN
    IF m.element = 'sparsevec' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('model %L makes sparse vectors, of which no probes are kept', m.name), HINT = 'Probes are of models of dense vectors.';
    END IF;
    IF kind IS NULL OR kind NOT IN ('document', 'query') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('kind is %s; it is document or query', coalesce(quote_literal(left(kind, 80)), 'NULL')), HINT = 'A model may embed queries in another way than documents.';
    END IF;
    IF texts IS NULL OR vectors IS NULL OR cardinality(texts) = 0 OR cardinality(texts) <> cardinality(vectors) OR array_ndims(texts) > 1 OR array_ndims(vectors) > 1
       OR array_position(texts, NULL) IS NOT NULL OR cardinality(texts) <> (SELECT count(DISTINCT u) FROM unnest(texts) AS u) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s texts, %s vectors; there must be as many of each, at least one, and no text twice or NULL',
                coalesce(cardinality(texts)::text, 'NULL'), coalesce(cardinality(vectors)::text, 'NULL')),
            HINT = 'The i-th vector is what the model gives for the i-th text.';
    END IF;
    FOR probe IN SELECT p.text, p.vector FROM unnest(texts, vectors) AS p (text, vector) WHERE pgsim._vector_problem(p.vector, m.dim, m.metric, 'vector') IS NOT NULL LIMIT 1 LOOP
        PERFORM pgsim._check_vector(probe.vector, format('the vector of %L', left(probe.text, 80)), m.name, m.dim, m.metric, 'vector');
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._check_probes IS 'Raises PS010, PS012 or PS013 for what cannot be the probes of a model.';

CREATE FUNCTION pgsim._check_vector_column(t pgsim._target, column_name text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := format('%s.%I(%s)', t.vector_schema, t.element, t.dim);
    given text;
BEGIN
    PERFORM pgsim._check_columns(t.base, 'column_name', ARRAY[column_name]);
    SELECT format('%s.%I%s', y.typnamespace::regnamespace, y.typname, CASE WHEN a.atttypmod > 0 THEN format('(%s)', a.atttypmod) ELSE '' END) INTO given
    FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = t.base AND a.attname = _check_vector_column.column_name AND NOT a.attisdropped;
    IF given <> wanted THEN
        RAISE EXCEPTION USING ERRCODE = 'PS012', MESSAGE = format('column %I of %s is %s; model %L has %s', column_name, t.base_sql, given, t.model, wanted),
            HINT = format('Add one: ALTER TABLE %s ADD COLUMN embedding %s.', t.base_sql, wanted);
    END IF;
    IF EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.base AND a.attname = _check_vector_column.column_name AND a.attgenerated <> '') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('column %I of %s is generated, and takes no vectors', column_name, t.base_sql), HINT = format('Add one: ALTER TABLE %s ADD COLUMN embedding %s.', t.base_sql, wanted);
    END IF;
    IF EXISTS (SELECT FROM pgsim._version AS v WHERE v.adopted AND v.relation = t.base AND v.column_name = _check_vector_column.column_name AND v.id <> t.version_id) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('column %I of %s holds the vectors of another version', column_name, t.base_sql), HINT = 'Name a column of its own.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._check_vector_column IS 'Raises PS005, PS010, PS012 or PS020 for a column of the base table that cannot take a version''s vectors.';

CREATE FUNCTION pgsim.chores(grace interval = '30 days', audit int = 20) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    expired jsonb;
    analyzed text[];
    calibrated jsonb := '[]';
    audited jsonb := '{}';
    ready jsonb := '{}';
    failed jsonb := '{}';
    shown text;
    problems bigint;
    v record;
BEGIN
    PERFORM pgsim._require_registrar();
    IF audit IS NULL OR audit NOT BETWEEN 0 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('audit is %s; it is how many rows of a version are searched for, 0 to 1000', coalesce(audit::text, 'NULL')), HINT = 'The default is 20; 0 audits nothing.';
    END IF;
    IF grace IS NULL OR grace NOT BETWEEN '0' AND '1000 years' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('grace is %s; it is a time span of 0 to 1000 years', coalesce(grace::text, 'NULL')), HINT = 'The default is 30 days.';
    END IF;
    FOR v IN
        SELECT s.id, s.collection, s.embedding, s.model, s.state,
               EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = s.id AND i.method IN ('hnsw', 'ivfflat')) AS indexed
        FROM pgsim.versions AS s JOIN pgsim.collections AS c ON c.name = s.collection
        JOIN pg_class AS b ON b.oid = c.relation JOIN pg_class AS r ON r.oid = s.relation
        WHERE s.state <> 'retired' AND NOT row_security_active(b.oid::regclass) AND pg_has_role(current_user, b.relowner, 'USAGE') ORDER BY s.id
    LOOP
        shown := format('%s, %s, %s', v.collection, v.embedding, v.model);
        -- What one version comes to does not keep the others from theirs.
        BEGIN
            IF v.state <> 'active' THEN
                -- Versions that were filled by hand are found ready, and then are activated without comparing them again.
                ready := ready || jsonb_build_object(shown, pgsim.mark_ready(v.collection, v.model, v.embedding));
            END IF;
            -- One that nobody calibrated is left at its defaults: that is for whoever owns it to begin.
            IF pgsim._calibration_state(pgsim._target(v.collection, v.model, v.embedding)) LIKE 'stale%' THEN
                PERFORM pgsim.calibrate(v.collection, model => v.model, embedding => v.embedding);
                calibrated := calibrated || to_jsonb(shown);
            END IF;
            IF v.state = 'active' AND v.indexed AND audit > 0 THEN
                audited := audited || jsonb_build_object(shown, pgsim.measure_quality(v.collection, v.model, embedding => v.embedding, sample => audit));
            END IF;
        EXCEPTION WHEN OTHERS THEN
            failed := failed || jsonb_build_object(shown, SQLERRM);
            RAISE WARNING USING MESSAGE = format('%s: %s', shown, SQLERRM);
        END;
    END LOOP;
    analyzed := pgsim._analyze_stale();
    problems := (SELECT count(*) FROM pgsim."check"());
    -- Last: a table that goes takes a lock on its base table, which is held until this transaction ends.
    SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') INTO expired FROM pgsim.expire(grace) AS e;
    RETURN jsonb_build_object('expired', expired, 'analyzed', to_jsonb(analyzed), 'calibrated', calibrated, 'missing', ready, 'audited', audited, 'failed', failed, 'problems', problems);
END
$$;
COMMENT ON FUNCTION pgsim.chores IS
$$Does what should be done now and then: expiry of versions retired longer than the grace, statistics, and an audit.

Statistics: PostgreSQL's of what pgsim keeps, where a tenth of a table has changed since (ANALYZE), and pgsim's own where a version was calibrated and has doubled
or halved since (pgsim.calibrate). Audit: versions that are being built or ready are compared with their tables; the recall of each active version's index is
measured by audit searches for its own rows, and recorded as pgsim.measure_quality does (0: not); problems counts what pgsim.check tells; failed says of each version that
something failed for why: it keeps no other from its chores.
Call it from cron ("pgsim chores"), or let pgsim.schedule_chores do it. Errors: PS010, PS032.$$;

CREATE FUNCTION pgsim._chores_statement(schedule text, grace interval, audit int) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
RETURN pg_catalog.format('SELECT cron.schedule(%L, %L, %L)', 'pgsim chores', schedule, pg_catalog.format('SELECT pgsim.chores(grace => %L, audit => %s)', grace, audit));
COMMENT ON FUNCTION pgsim._chores_statement IS 'The statement that has pg_cron do the chores; one of that name is replaced.';

CREATE FUNCTION pgsim._compare_version(t pgsim._target, OUT missing bigint, OUT waiting bigint, OUT compared boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v pgsim._version;
    marks jsonb;
    counts jsonb;
    running jsonb;
    noted record;
    -- Looking rows up one by one takes longer than comparing whole tables, beyond so many.
    few CONSTANT int := 20000;
BEGIN
    SELECT * INTO v FROM pgsim._version AS s WHERE s.id = t.version_id;
    compared := v.lapsed OR NOT pgsim._is_verified(t, v.verified);
    IF NOT compared AND pgsim._noted_keys(coalesce(t.follows, t.version_id)) <= few THEN
        noted := pgsim._noted_rows(t);
        missing := noted.missing;
        waiting := noted.waiting;
        RETURN;
    END IF;
    compared := true;
    DELETE FROM pgsim._queue AS q WHERE q.version_id = -t.collection_id;
    IF FOUND THEN
        UPDATE pgsim._version AS s SET verified = NULL FROM pgsim._embedding AS e WHERE e.id = s.embedding_id AND e.collection_id = t.collection_id AND s.verified IS NOT NULL;
    END IF;
    -- In this order: what is written from here on moves the marks, or is noted.
    marks := pgsim._change_marks(t);
    counts := pgsim._change_counts(t);
    running := CASE WHEN t.follows IS NOT NULL THEN pgsim._running_transactions() ELSE '[]' END;
    missing := pgsim._missing_vectors(t, v.lapsed);
    UPDATE pgsim._version AS s
    SET verified = CASE WHEN missing = 0 AND marks IS NOT NULL AND t.source_columns <> '{}' THEN jsonb_build_object('marks', marks, 'counts', counts, 'running', running) END,
        lapsed = s.lapsed AND missing > 0
    WHERE s.id = t.version_id;
    waiting := pgsim._waiting_rows(t, 100001);
END
$$;
COMMENT ON FUNCTION pgsim._compare_version IS
    'How many rows of a version lack their vector, and how many wait for a new one (up to 100001). Compares base table and version table, unless every row had a vector once and changes since were noted: then only what was noted is looked up.';

CREATE FUNCTION pgsim._detach_version(t pgsim._target) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    index_sql text;
BEGIN
    PERFORM pgsim._drop_codes(i.version_id, i.relation) FROM pgsim._index AS i JOIN pg_class AS r ON r.oid = i.relation WHERE i.version_id = t.version_id AND i.method = 'codes';
    PERFORM pgsim._drop_inverted(i.id) FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method = 'inverted';
    FOR index_sql IN
        SELECT x.indexrelid::regclass FROM pg_index AS x
        WHERE x.indrelid = t.version AND obj_description(x.indexrelid, 'pg_class') = pgsim._index_comment(t.version_id)
    LOOP
        EXECUTE format('COMMENT ON INDEX %s IS NULL', index_sql);
    END LOOP;
    DELETE FROM pgsim._version AS v WHERE v.id = t.version_id;
    DELETE FROM pgsim._queue AS q WHERE q.version_id = t.version_id;
    DELETE FROM pgsim._search_log AS l WHERE l.version_id = t.version_id;
END
$$;
COMMENT ON FUNCTION pgsim._detach_version IS 'Takes a version out of the registry and leaves its vectors and their plain indexes where they are.';

CREATE FUNCTION pgsim._end_work(worker int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_version int := (SELECT w.version_id FROM pgsim._worker AS w WHERE w.id = worker);
BEGIN
    PERFORM pg_advisory_unlock('pgsim._worker'::regclass::oid::int, worker);
    IF of_version IS NOT NULL THEN
        PERFORM pgsim._reclaim(of_version, NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._end_work IS 'A worker leaves: what it has not stored is in the queue again.';

CREATE FUNCTION pgsim._forget_vectors(t pgsim._target, keys text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- An adopted column is the application's own: it may be NOT NULL, and is not pgsim's to empty.
    IF t.adopted THEN
        RETURN;
    END IF;
    EXECUTE format('DELETE FROM %s AS v USING (SELECT %s FROM unnest($1) AS k (given)) AS i WHERE %s '
                   'AND NOT EXISTS (SELECT FROM %s AS b WHERE %s AND %s IS NOT NULL)',
                   t.version_sql, pgsim._key_parse(t.base, 'k.given', t.key_columns, true),
                   (SELECT string_agg(format('v.%1$I OPERATOR(pg_catalog.=) i.%1$I', pgsim._key_column(n, cardinality(t.key_columns))), ' AND ')
                    FROM generate_series(1, cardinality(t.key_columns)) AS n),
                   t.base_sql, pgsim._key_join('b.', 'v.', t.key_columns, true), pgsim._source_text('b.', t.source_columns))
    USING keys;
END
$$;
COMMENT ON FUNCTION pgsim._forget_vectors IS 'Removes from a version table the vectors of those keys whose rows are gone or have no text any more.';

CREATE FUNCTION pgsim._gate_reasons(t pgsim._target, OUT reasons text[], OUT results jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    g record;
BEGIN
    reasons := '{}';
    results := '{}';
    FOR g IN
        SELECT s.name, s.minimum, s.max_age, q.value, q.measured_at FROM pgsim._gate AS s
        LEFT JOIN LATERAL (SELECT m.value, m.measured_at FROM pgsim._quality AS m
                           WHERE m.version_id = t.version_id AND m.name = s.name ORDER BY m.id DESC LIMIT 1) AS q ON true
        WHERE s.embedding_id = (SELECT v.embedding_id FROM pgsim._version AS v WHERE v.id = t.version_id) ORDER BY s.name
    LOOP
        results := results || jsonb_build_object(g.name, jsonb_build_object('minimum', g.minimum, 'value', g.value, 'measured_at', g.measured_at));
        IF g.value IS NULL THEN
            reasons := reasons || format('gate %L asks for %s, and it was not measured: pgsim.measure_quality or pgsim.record_quality', g.name, g.minimum);
        ELSIF g.value < g.minimum THEN
            reasons := reasons || format('gate %L asks for %s, and %s was measured at %s', g.name, g.minimum, g.value, g.measured_at::timestamptz(0));
        ELSIF g.measured_at < now() - g.max_age THEN
            reasons := reasons || format('gate %L asks for a measurement not older than %s, and the last is of %s', g.name, g.max_age, g.measured_at::timestamptz(0));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._gate_reasons IS 'Which quality gates a version does not pass, by its last recorded measurements, and what those are.';

CREATE FUNCTION pgsim._have_vectors(t pgsim._target, keys text[]) RETURNS boolean[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    flags boolean[];
BEGIN
    -- OFFSET 0 has the keys read once, and looked up one by one.
    EXECUTE format(
        'SELECT array_agg(EXISTS (SELECT FROM %s AS b WHERE %s) ORDER BY i.place) FROM (SELECT %s, g.place FROM unnest($1) WITH ORDINALITY AS g (given, place) OFFSET 0) AS i',
        CASE WHEN t.adopted THEN t.base_sql ELSE t.version_sql END,
        CASE WHEN t.adopted THEN format('%s AND b.%I IS NOT NULL', pgsim._key_join('b.', 'i.', t.key_columns, true), t.column_name)
             ELSE (SELECT string_agg(format('b.%1$I OPERATOR(pg_catalog.=) i.%1$I', pgsim._key_column(n, cardinality(t.key_columns))), ' AND ') FROM generate_series(1, cardinality(t.key_columns)) AS n) END,
        pgsim._key_parse(t.base, 'g.given', t.key_columns, true))
    INTO flags USING keys;
    RETURN coalesce(flags, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._have_vectors IS 'Of each of some keys, whether its row has a vector in a version.';

CREATE FUNCTION pgsim._index_reasons(t pgsim._target) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reasons text[];
    active_name text;
BEGIN
    SELECT array_agg(CASE WHEN i.method IN ('codes', 'inverted') AND k.oid IS NOT NULL THEN format('%s %s are not complete', CASE i.method WHEN 'codes' THEN 'codes' ELSE 'the inverted lists' END, i.name)
                          WHEN k.oid IS NULL THEN format('index %s is gone: pgsim.drop_index, or pgsim.create_index again', i.name)
                          ELSE format('index %s is invalid: its build failed or is under way', i.name) END ORDER BY i.id)
    INTO reasons
    FROM pgsim._index AS i
    LEFT JOIN pg_class AS k ON CASE WHEN i.method = 'codes' THEN k.oid = i.relation ELSE k.relname = i.name AND k.relnamespace = t.version_schema AND k.relkind IN ('i', 'I') END
    LEFT JOIN pg_index AS x ON x.indexrelid = k.oid AND x.indrelid = t.version
    WHERE i.version_id = t.version_id AND i.place = 'serving' AND (k.oid IS NULL OR NOT i.complete OR i.method <> 'codes' AND x.indisvalid IS NOT TRUE);
    SELECT min(i.name) INTO active_name
    FROM pgsim._version AS v JOIN pgsim._index AS i ON i.version_id = v.id
    WHERE v.state = 'active' AND i.method <> 'codes' AND v.embedding_id = (SELECT s.embedding_id FROM pgsim._version AS s WHERE s.id = t.version_id);
    IF active_name IS NOT NULL AND NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = t.version_id AND i.method <> 'codes') THEN
        reasons := reasons || format('it has no vector index, and the active version has %s: pgsim.create_index(%L, %L)', active_name, t.collection, t.model);
    END IF;
    RETURN coalesce(reasons, '{}');
END
$$;
COMMENT ON FUNCTION pgsim._index_reasons IS 'What is wrong with the indexes of a version that is to take the place of the active one.';

CREATE FUNCTION pgsim._is_verified(t pgsim._target, verified jsonb) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    counts jsonb;
BEGIN
    IF verified IS NULL OR (verified -> 'marks' = pgsim._change_marks(t)) IS NOT TRUE THEN
        RETURN false;
    END IF;
    counts := pgsim._change_counts(t);
    -- Nobody queues what a derived version lacks.
    IF t.follows IS NOT NULL THEN
        RETURN coalesce(counts = verified -> 'counts', false)
           -- What was under way when it was compared, and was not seen, may have been of these tables.
           AND NOT EXISTS (
               SELECT FROM jsonb_array_elements_text(verified -> 'running') AS r (id)
               WHERE CASE WHEN r.id::xid8 < pg_snapshot_xmax(pg_current_snapshot()) THEN coalesce(pg_xact_status(r.id::xid8), 'committed') = 'committed' ELSE true END);
    END IF;
    -- Rows came, and no trigger has noted any.
    RETURN counts -> 'inserted' = verified #> '{counts,inserted}' OR counts -> 'noted' <> verified #> '{counts,noted}';
END
$$;
COMMENT ON FUNCTION pgsim._is_verified IS
    'Whether rows of a version that lack a vector are all known: every row had one once, and what changed since was noted. In doubt it is false, and the tables are compared again.';

CREATE FUNCTION pgsim._lock_embedding(collection text, embedding text) RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pgsim._collection;
    e pgsim._embedding;
BEGIN
    PERFORM pgsim._require_registrar();
    c := pgsim._collection_row(collection);
    PERFORM pgsim._require_owner(c.relation);
    e := pgsim._embedding_row(c, embedding);
    PERFORM FROM pgsim._embedding AS s WHERE s.id = e.id FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM pgsim._embedding_row(c, embedding);
    END IF;
    RETURN e.id;
END
$$;
COMMENT ON FUNCTION pgsim._lock_embedding IS 'Lets one operator at a time change the versions of an embedding: others wait until the transaction ends. Searches do not.';

CREATE FUNCTION pgsim._missing_vectors(t pgsim._target, stale boolean) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a record;
    has_text text;
    has_vector text := format('EXISTS (SELECT FROM %s AS v WHERE %s)', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true));
    missing bigint;
BEGIN
    IF t.source_columns = '{}' THEN
        -- Without a text nothing says which rows should have a vector, but those that have one now.
        SELECT v.relation, v.column_name, v.adopted INTO a FROM pgsim._version AS v
        WHERE v.state = 'active' AND v.embedding_id = (SELECT s.embedding_id FROM pgsim._version AS s WHERE s.id = t.version_id) AND v.id <> t.version_id;
        IF NOT FOUND THEN
            RETURN 0;
        END IF;
        EXECUTE format(
            'SELECT count(*) FROM %s AS b WHERE %s AND %s', t.base,
            CASE WHEN a.adopted THEN format('b.%I IS NOT NULL', a.column_name)
                 ELSE format('EXISTS (SELECT FROM %s AS a WHERE %s)', a.relation, pgsim._key_join('b.', 'a.', t.key_columns, true)) END,
            CASE WHEN t.adopted THEN format('b.%I IS NULL', t.column_name) ELSE 'NOT ' || has_vector END)
        INTO missing;
        RETURN missing;
    END IF;
    PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    has_text := pgsim._source_text('b.', t.source_columns) || ' IS NOT NULL';
    IF t.adopted THEN
        EXECUTE format('SELECT count(*) FROM %s AS b WHERE b.%I IS NULL AND %s', t.base_sql, t.column_name, has_text) INTO missing;
    ELSIF stale THEN
        EXECUTE format('SELECT count(*) FROM %s AS b LEFT JOIN %s AS v ON %s WHERE %s AND coalesce(v.source_hash <> pgsim._source_hash(%s), v.embedding IS NULL)',
                       t.base_sql, t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true), has_text, pgsim._source_text('b.', t.source_columns)) INTO missing;
    ELSE
        -- Keys first, by their indexes: the texts are read of those rows alone that lack a vector.
        EXECUTE format('WITH lacking AS MATERIALIZED (SELECT %s FROM %s AS b WHERE NOT %s) SELECT count(*) FROM lacking AS l JOIN %s AS b ON %s WHERE %s',
                       pgsim._key_list('b.', t.key_columns, false), t.base_sql, has_vector, t.base_sql, pgsim._key_join('b.', 'l.', t.key_columns, false), has_text) INTO missing;
    END IF;
    RETURN missing;
END
$$;
COMMENT ON FUNCTION pgsim._missing_vectors IS
    'How many rows of a version should have a vector and have none; of one whose changes were not followed (stale) also those whose text is another now.';

CREATE FUNCTION pgsim._not_moved(t pgsim._target) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN t.adopted THEN format('%s.%I IS NULL', t.base_sql, t.column_name)
                ELSE format('NOT EXISTS (SELECT FROM %s AS pgsim_moved WHERE %s)', t.version_sql, pgsim._key_join(t.base_sql || '.', 'pgsim_moved.', t.key_columns, true)) END;
END;
COMMENT ON FUNCTION pgsim._not_moved IS 'The condition over the base table, under its full name, that a row has no vector in a version.';

CREATE FUNCTION pgsim._note_removal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
SET intervalstyle = 'postgres'
SET extra_float_digits = 1
AS $$
DECLARE
    live record;
BEGIN
    -- A sequence waits for nobody, and whoever looks sees it move at once.
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM nextval('pgsim._truncation');
        RETURN NULL;
    END IF;
    SELECT v.id, v.follows, c.key_columns INTO live
    FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS c ON c.id = e.collection_id
    WHERE v.relation = TG_RELID AND v.state <> 'retired' AND e.source_columns <> '{}';
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF live.follows IS NOT NULL THEN
        PERFORM nextval('pgsim._queue_id_seq');
        RETURN NULL;
    END IF;
    -- Most vectors go with their rows. Whether these are there still is not looked up: that would plan a query over a table of the user's as the owner of pgsim.
    EXECUTE format(
        'INSERT INTO pgsim._queue (version_id, operation, keys) '
        'SELECT $1, ''removed'', s.keys[i : i + 1999] '
        'FROM (SELECT array_agg(%s) AS keys FROM pgsim_rows AS r) AS s, generate_series(1, cardinality(s.keys), 2000) AS i',
        pgsim._own_key_text(TG_RELID, 'r.', live.key_columns))
    USING live.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._note_removal IS
    'Trigger: notes in the queue whose vectors went from a version table, so that it is not taken for whole because it once was, and that rows which are there still get others. Of a cascade it fires once a statement.';
REVOKE ALL ON FUNCTION pgsim._note_removal FROM PUBLIC;

CREATE FUNCTION pgsim._noted_keys(version_id int) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT (SELECT coalesce(sum(cardinality(q.keys)), 0) FROM pgsim._queue AS q WHERE q.version_id = _noted_keys.version_id AND q.operation <> 'delete')
         + (SELECT coalesce(sum(cardinality(b.keys)), 0) FROM pgsim._batch AS b WHERE b.version_id = _noted_keys.version_id)
         + (SELECT count(*) FROM pgsim._poison AS p WHERE p.version_id = _noted_keys.version_id);
END;
COMMENT ON FUNCTION pgsim._noted_keys IS 'How many keys of a version are queued, with a worker, or set aside; some may be there twice.';

CREATE FUNCTION pgsim._noted_rows(t pgsim._target, OUT missing bigint, OUT waiting bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
-- Nothing is known of how many there are, and a plan for many rows would read the whole base table.
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    source text := pgsim._source_text('b.', t.source_columns);
BEGIN
    IF t.follows IS NOT NULL THEN
        -- What it follows is embedded, and mapped on the way.
        missing := 0;
        waiting := (pgsim._noted_rows(pgsim._followed(t))).waiting;
        RETURN;
    END IF;
    PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    -- What is queued may have been settled since, by vectors that came another way; a column does not tell, so of one every change of a text counts.
    EXECUTE format(
        'SELECT count(*) FILTER (WHERE %1$s), count(*) FILTER (WHERE n.changed AND %2$s) FROM ('
        '  SELECT k.given, bool_or(k.changed) AS changed, bool_or(k.changed AND k.hash IS NULL) AS queued, array_agg(k.hash) AS hashes FROM ('
        '    SELECT unnest(q.keys), q.operation = ''upsert'', NULL::bytea FROM pgsim._queue AS q WHERE q.version_id = $1 AND q.operation <> ''delete'' '
        '    UNION ALL SELECT x.key, true, x.hash FROM pgsim._batch AS o CROSS JOIN LATERAL unnest(o.keys, o.hashes) AS x (key, hash) WHERE o.version_id = $1 '
        '    UNION ALL SELECT p.key, true, p.source_hash FROM pgsim._poison AS p WHERE p.version_id = $1) AS k (given, changed, hash) GROUP BY 1 OFFSET 0) AS n '
        'CROSS JOIN LATERAL (SELECT %3$s OFFSET 0) AS i JOIN %4$s AS b ON %5$s %6$s WHERE %7$s IS NOT NULL',
        CASE WHEN t.adopted THEN format('b.%I IS NULL', t.column_name) ELSE 'v.embedding IS NULL' END,
        CASE WHEN t.adopted THEN format('(b.%I IS NULL OR n.queued OR pgsim._source_hash(%s) = ANY (n.hashes))', t.column_name, source) ELSE format('v.source_hash IS DISTINCT FROM pgsim._source_hash(%s)', source) END,
        pgsim._key_parse(t.base, 'n.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
        CASE WHEN t.adopted THEN '' ELSE format('LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END, source)
    INTO missing, waiting USING t.version_id;
END
$$;
COMMENT ON FUNCTION pgsim._noted_rows IS
    'Of the rows that are queued for a version, with a worker or set aside: how many have no vector, and how many wait for one of their text of now. Of a derived version those of the one that it follows.';

CREATE FUNCTION pgsim._plain_indexes(collection text, embedding text, column_name text) RETURNS TABLE (name text, definition text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    t pgsim._target := pgsim._target(_plain_indexes.collection, NULL, _plain_indexes.embedding);
BEGIN
    RETURN QUERY
        SELECT format('%s_%s_%s', left(r.relname, 25), left(_plain_indexes.column_name, 20), i.method) || CASE WHEN i.dims < t.dim THEN '_' || i.dims ELSE '' END || CASE WHEN i.element <> t.element THEN '_' || i.element ELSE '' END,
               format('USING %s (%s %s.%I)%s', i.method, CASE WHEN i.dims = t.dim AND i.element = t.element THEN x.expression ELSE format('(%s)', x.expression) END,
                      t.vector_schema, format('%s_%s_ops', i.element, t.metric),
                      (SELECT ' WITH (' || string_agg(format('%I = %s', o.key, o.value::int), ', ' ORDER BY o.key) || ')' FROM jsonb_each(i.options) AS o))
        FROM pgsim._index AS i
        JOIN pg_class AS r ON r.oid = t.base
        CROSS JOIN LATERAL (SELECT pgsim._vector_expression(quote_ident(_plain_indexes.column_name), t.vector_schema, t.prefix_metric, t.dim, t.element, i.dims, i.element) AS expression) AS x
        WHERE i.version_id = t.version_id AND i.method IN ('hnsw', 'ivfflat') AND NOT i.options ?| '{top_weights,slice}' ORDER BY i.id;
END
$$;
COMMENT ON FUNCTION pgsim._plain_indexes IS 'The indexes of the active version as a plain column of the base table would have them: a name, and what comes after ON in CREATE INDEX. Those that need a function of pgsim''s are left out.';

CREATE FUNCTION pgsim._reclaim(version_id int, worker int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    other record;
    lost record;
BEGIN
    FOR other IN SELECT w.id FROM pgsim._worker AS w WHERE w.version_id = _reclaim.version_id AND w.id IS DISTINCT FROM worker LOOP
        IF pg_try_advisory_xact_lock_shared('pgsim._worker'::regclass::oid::int, other.id) THEN
            WITH gone AS (DELETE FROM pgsim._worker AS w WHERE w.id = other.id RETURNING w.done)
            UPDATE pgsim._backfill AS f SET done = f.done + gone.done FROM gone WHERE f.version_id = _reclaim.version_id AND gone.done > 0;
        END IF;
    END LOOP;
    -- A worker that is just storing has its batch locked, and keeps it.
    FOR lost IN
        SELECT b.id, b.keys FROM pgsim._batch AS b
        WHERE b.version_id = _reclaim.version_id
          AND (b.expires_at < clock_timestamp() OR b.worker_id IS NOT NULL AND NOT EXISTS (SELECT FROM pgsim._worker AS w WHERE w.id = b.worker_id))
        FOR UPDATE OF b SKIP LOCKED
    LOOP
        INSERT INTO pgsim._queue (version_id, operation, keys) VALUES (_reclaim.version_id, 'upsert', lost.keys);
        DELETE FROM pgsim._batch AS b WHERE b.id = lost.id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._reclaim IS 'Puts the rows of workers that are gone, and of batches whose lease is over, back into the queue.';

CREATE FUNCTION pgsim._record_transition(
    version_id int, action text, from_state text, to_state text, reason text = NULL, forced boolean = false, gates jsonb = '{}', previous_version int = NULL
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO pgsim._transition (embedding_id, version_id, model, action, from_state, to_state, previous_version, previous_model, forced, reason, gates)
    SELECT v.embedding_id, v.id, m.name, action, from_state, to_state, previous_version,
           (SELECT o.name FROM pgsim._version AS p JOIN pgsim._model AS o ON o.id = p.model_id WHERE p.id = previous_version), forced, reason, gates
    FROM pgsim._version AS v JOIN pgsim._model AS m ON m.id = v.model_id
    WHERE v.id = version_id;
END;
COMMENT ON FUNCTION pgsim._record_transition IS 'Notes a step in the life of a version, with who took it and when.';

CREATE FUNCTION pgsim._refuse_retired(t pgsim._target) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named text := (SELECT v.embedding FROM pgsim.versions AS v WHERE v.id = t.version_id);
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the version of %L under model %L is retired: its vectors were not kept up with changes', t.collection, t.model),
        HINT = format('Leave model out for the active version. To bring it back: pgsim.revive(%L, %L, %L), embed what is missing, pgsim.activate.', t.collection, t.model, named);
END
$$;
COMMENT ON FUNCTION pgsim._refuse_retired IS 'Raises PS035 for a search of a retired version, and says how it comes back.';

CREATE FUNCTION pgsim._reserve(worker int, batch bigint, rows int, tokens bigint, lease interval, OUT verdict text, OUT wait float8)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f pgsim._backfill;
    cost numeric;
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    pace float8;
BEGIN
    SELECT b.* INTO f FROM pgsim._backfill AS b JOIN pgsim._worker AS w ON w.version_id = b.version_id WHERE w.id = worker;
    IF NOT FOUND THEN
        verdict := 'gone';
        RETURN;
    ELSIF f.paused_at IS NOT NULL THEN
        verdict := 'paused';
        RETURN;
    END IF;
    cost := coalesce(tokens * f.price / 1000, 0);
    IF tokens > f.tokens_a_day OR cost > f.money_a_day THEN
        RAISE EXCEPTION USING ERRCODE = 'PS046',
            MESSAGE = format('a call of %s tokens (%s of money) does not fit into the budget of a whole day: %s', tokens, round(cost, 6),
                             concat_ws(', ', f.calls_a_day || ' calls', f.tokens_a_day || ' tokens', f.money_a_day || ' of money')),
            HINT = 'Allow more a day (pgsim.limit_backfill), or take fewer rows or tokens in one call.';
    END IF;
    INSERT INTO pgsim._spending AS s (version_id, day, calls, tokens, money) VALUES (f.version_id, today, 1, _reserve.tokens, cost)
    ON CONFLICT ON CONSTRAINT _spending_pkey DO UPDATE SET calls = s.calls + 1, tokens = s.tokens + excluded.tokens, money = s.money + excluded.money
        WHERE s.calls < coalesce(f.calls_a_day, s.calls + 1) AND s.tokens + excluded.tokens <= coalesce(f.tokens_a_day, s.tokens + excluded.tokens)
          AND s.money + excluded.money <= coalesce(f.money_a_day, s.money + excluded.money);
    IF NOT FOUND THEN
        verdict := 'spent';
        RETURN;
    END IF;
    pace := greatest(1 / f.calls_a_second, _reserve.rows / f.rows_a_second);
    IF pace IS NOT NULL THEN
        UPDATE pgsim._backfill AS b SET next_at = greatest(b.next_at, clock_timestamp()) + make_interval(secs => pace)
        WHERE b.version_id = f.version_id RETURNING greatest(extract(epoch FROM b.next_at - clock_timestamp()) - pace, 0) INTO wait;
    END IF;
    UPDATE pgsim._batch AS b SET expires_at = clock_timestamp() + lease + make_interval(secs => coalesce(wait, 0)) WHERE b.id = batch;
    verdict := 'go';
END
$$;
COMMENT ON FUNCTION pgsim._reserve IS
    'Asks whether a worker may call its embedder: go, after wait seconds; paused; spent, when the day''s budget is; gone, when its version is. What it says go to is spent, whatever becomes of the call.';

CREATE FUNCTION pgsim._run_version(r pgsim._search_request, query jsonb, OUT keys text[], OUT distances float8[], OUT metric text, OUT details jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT s.keys, s.distances, s.metric, s.details INTO keys, distances, metric, details
    FROM pgsim._run_search(r, ARRAY[pgsim._vector_of(query #>> '{}')], ROW(NULL, 'any', NULL, NULL, NULL, NULL, NULL, 1, NULL)::pgsim._fusion_request, false) AS s;
END
$$;
COMMENT ON FUNCTION pgsim._run_version IS 'The plain search of one version, by a query vector in JSON that was checked.';

CREATE FUNCTION pgsim._running_transactions() RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- A snapshot does not list the latest ones; each holds a lock on itself. Locks have the id without its epoch.
    SELECT coalesce(jsonb_agg(CASE WHEN x.id > x.next + 2147483648 THEN x.id - 4294967296 WHEN x.id < x.next - 2147483648 THEN x.id + 4294967296 ELSE x.id END), '[]')
    FROM (SELECT s.next - s.next % 4294967296 + l.transactionid::text::bigint AS id, s.next
          FROM pg_locks AS l CROSS JOIN (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS s
          WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()) AS x;
END;
COMMENT ON FUNCTION pgsim._running_transactions IS 'The transactions of others that have written something and have not ended.';

CREATE FUNCTION pgsim._search_versions(r pgsim._search_request, queries jsonb, target text, OUT keys text[], OUT distances float8[], OUT scores float8[], OUT row_details jsonb[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    models text[] := pgsim._versions_given(r, queries, target);
    -- A row of pgsim._run_search each: of the version that rows move to, and of the one that they leave.
    moved record;
    left_behind record;
    t pgsim._target;
    request pgsim._search_request := r;
    single record;
    has_moved boolean[];
    place int;
    share float8;
    depth int;
    single_model text;
BEGIN
    request.model := models[1];
    moved := pgsim._run_version(request, queries -> models[1]);
    IF cardinality(models) = 1 OR coalesce(cardinality(moved.keys), 0) = 0 THEN
        -- Where no row that matches has moved, the old version's answer is the whole one.
        single_model := models[cardinality(models)];
        IF cardinality(models) = 1 THEN
            single := moved;
        ELSE
            request.model := single_model;
            single := pgsim._run_version(request, queries -> single_model);
        END IF;
    ELSE
        t := pgsim._target(r.collection, models[1], r.embedding);
        request.model := models[2];
        depth := least(greatest(100, 2 * r.k), 10000);
        LOOP
            request.k := depth;
            left_behind := pgsim._run_version(request, queries -> models[2]);
            has_moved := pgsim._have_vectors(t, left_behind.keys);
            EXIT WHEN coalesce(cardinality(left_behind.keys), 0) < depth OR depth = 10000
                   OR (SELECT count(*) FROM unnest(has_moved) AS m WHERE NOT m) + cardinality(moved.keys) >= r.k;
            depth := least(4 * depth, 10000);
        END LOOP;
        IF coalesce(cardinality(left_behind.keys), 0) = depth AND (SELECT count(*) FROM unnest(has_moved) AS m WHERE NOT m) + cardinality(moved.keys) < r.k THEN
            -- So few are left behind that they do not show among the nearest: looked for by themselves.
            request.k := r.k;
            request.where_sql := concat_ws(' AND ', format(E'(%s\n)', request.where_sql), pgsim._not_moved(t));
            request.where_values := coalesce(request.where_values, '{}');
            request.where_columns := NULL;
            single := pgsim._run_version(request, queries -> models[2]);
            SELECT array_agg(n.key ORDER BY n.part, n.place), array_agg(n.distance ORDER BY n.part, n.place), array_agg(n.flag ORDER BY n.part, n.place)
            INTO left_behind.keys, left_behind.distances, has_moved
            FROM (SELECT 1 AS part, u.key, u.distance, u.flag, u.place FROM unnest(left_behind.keys, left_behind.distances, has_moved) WITH ORDINALITY AS u (key, distance, flag, place)
                  UNION ALL
                  SELECT 2, u.key, u.distance, false, u.place FROM unnest(single.keys, single.distances) WITH ORDINALITY AS u (key, distance, place)
                  WHERE u.key <> ALL (left_behind.keys)) AS n;
        END IF;
        IF true <> ANY (has_moved) THEN
            -- How far apart similarities lie says nothing across models (by z-score the mixed answer was worse than the old model's alone); places do. Of two
            -- rows that stand for one place the new model's comes first: its best row leads.
            share := ((SELECT count(*) FROM unnest(has_moved) AS m WHERE m) + .5) / (cardinality(has_moved) + 1);
            SELECT array_agg(b.key ORDER BY b.n), array_agg(b.distance ORDER BY b.n), array_agg(1 / (1 + b.expected) ORDER BY b.n),
                   array_agg(jsonb_build_object('strategy', 'versions', 'model', models[b.side], 'place', b.place, 'moved', round(share::numeric, 3)) ORDER BY b.n)
            INTO keys, distances, scores, row_details
            FROM (SELECT p.*, row_number() OVER (ORDER BY p.expected, p.side, p.place) AS n FROM (
                      SELECT 1 AS side, u.key, u.distance, u.place, (u.place - 1) / share AS expected
                      FROM unnest(moved.keys, moved.distances) WITH ORDINALITY AS u (key, distance, place)
                      UNION ALL
                      SELECT 2, u.key, u.distance, u.place, u.place - 1
                      FROM unnest(left_behind.keys, left_behind.distances, has_moved) WITH ORDINALITY AS u (key, distance, flag, place) WHERE NOT u.flag) AS p
                  ORDER BY n LIMIT r.k) AS b;
            RETURN;
        END IF;
        -- Whatever the old version finds has moved.
        single := moved;
        single_model := models[1];
    END IF;
    keys := single.keys;
    distances := single.distances;
    scores := ARRAY(SELECT pgsim.score(single.metric, d.distance) FROM unnest(single.distances) WITH ORDINALITY AS d (distance, n) ORDER BY d.n);
    row_details := array_fill(single.details, ARRAY[coalesce(cardinality(keys), 0)]);
END
$$;
COMMENT ON FUNCTION pgsim._search_versions IS
    'A search of two versions, the one that rows move to first. Both are searched as they are; what the old one found and has moved is left out, and tells what share of the rows around this query has.';

CREATE FUNCTION pgsim._set_aside(version_id int, key text, source_hash bytea, error text) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO pgsim._poison (version_id, key, source_hash, error)
    VALUES (_set_aside.version_id, _set_aside.key, _set_aside.source_hash, pg_catalog.left(coalesce(_set_aside.error, 'no error was told'), 2000))
    ON CONFLICT (version_id, key) DO UPDATE SET source_hash = excluded.source_hash, error = excluded.error, set_aside_at = excluded.set_aside_at;
END;
COMMENT ON FUNCTION pgsim._set_aside IS 'Sets a row aside that cannot be embedded, with the hash of its text and what went wrong.';

CREATE FUNCTION pgsim._store_batch(batch bigint, worker int, lease interval, OUT stored bigint, OUT refused bigint, OUT busy text[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- Nothing is known of the temporary table, and a plan for many rows would read the whole base table.
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
-- Of two that wait for each other it is the worker who gives way, before PostgreSQL looks whom to refuse (deadlock_timeout).
SET lock_timeout = '100ms'
AS $$
DECLARE
    t pgsim._target;
    of_version int;
    bad record;
    offered text[];
    free text[];
BEGIN
    -- A batch that is locked is taken back by nobody. One that is gone is another worker's by now, and nothing of it is stored.
    UPDATE pgsim._batch AS b SET expires_at = clock_timestamp() + lease WHERE b.id = batch RETURNING b.version_id INTO of_version;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    t := pgsim._version_target(of_version);
    refused := 0;
    FOR bad IN EXECUTE 'DELETE FROM pg_temp.pgsim_vectors AS i WHERE pgsim._vector_problem(i.embedding, $1, $2, $3) IS NOT NULL '
                       'RETURNING i.key, i.source_hash, pgsim._vector_problem(i.embedding, $1, $2, $3) AS problem' USING t.dim, t.metric, t.element LOOP
        PERFORM pgsim._set_aside(of_version, bad.key, bad.source_hash, 'its vector ' || bad.problem);
        refused := refused + 1;
    END LOOP;
    EXECUTE 'SELECT coalesce(array_agg(k.key), ''{}'') FROM pg_temp.pgsim_vectors AS k' INTO offered;
    busy := '{}';
    BEGIN
        IF t.adopted THEN
            -- Rows that somebody is writing are passed over, so that no writer and no worker waits for the other: they come again.
            EXECUTE format(
                'WITH offered AS (SELECT %1$s, k.key AS given, k.source_hash, k.embedding FROM pg_temp.pgsim_vectors AS k), '
                'free AS (SELECT i.given, i.embedding, %2$s FROM offered AS i JOIN %3$s AS b ON %4$s WHERE pgsim._source_hash(%5$s) = i.source_hash FOR NO KEY UPDATE OF b SKIP LOCKED), '
                'stored AS (UPDATE %3$s AS b SET %6$I = i.embedding::%7$s.%8$I FROM free AS i WHERE %9$s RETURNING i.given), '
                'again AS (INSERT INTO pgsim._queue (version_id, operation, keys) SELECT $1, ''upsert'', array_agg(i.given) FROM offered AS i JOIN %3$s AS b ON %4$s '
                '  WHERE pgsim._source_hash(%5$s) = i.source_hash AND NOT EXISTS (SELECT FROM stored AS s WHERE s.given = i.given) HAVING count(*) > 0) '
                'SELECT count(*) FROM stored',
                pgsim._key_parse(t.base, 'k.key', t.key_columns, true), pgsim._key_list('b.', t.key_columns, false), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
                pgsim._source_text('b.', t.source_columns), t.column_name, t.vector_schema, t.element, pgsim._key_join('b.', 'i.', t.key_columns, false))
            INTO stored USING of_version;
            -- What is stored or queued again is the batch's no more: a column tells nothing of the text its vector was made from.
            DELETE FROM pgsim._poison AS p USING pg_temp.pgsim_vectors AS i WHERE p.version_id = of_version AND p.key = i.key AND p.source_hash <> i.source_hash;
            UPDATE pgsim._batch AS b
            SET (keys, hashes) = (SELECT coalesce(array_agg(x.key), '{}'), coalesce(array_agg(x.hash), '{}') FROM unnest(b.keys, b.hashes) AS x (key, hash)
                                  WHERE x.key NOT IN (SELECT unnest(offered)))
            WHERE b.id = batch;
        ELSE
            -- Nothing below waits for a writer of rows: who is passed over comes again.
            free := pgsim._lock_codes(of_version, offered);
            IF free <> offered THEN
                busy := ARRAY(SELECT unnest(offered) EXCEPT SELECT unnest(free));
            END IF;
            EXECUTE format(
                'INSERT INTO %1$s AS v (%2$s, embedding, provisional, source_hash, embedded_at) '
                'SELECT %3$s, i.embedding::%4$s.%5$I, false, i.source_hash, now() '
                'FROM (SELECT %6$s, k.source_hash, k.embedding FROM pg_temp.pgsim_vectors AS k WHERE k.key = ANY ($1)) AS i JOIN %7$s AS b ON %8$s '
                'WHERE pgsim._source_hash(%9$s) = i.source_hash ORDER BY %3$s FOR KEY SHARE OF b SKIP LOCKED '
                'ON CONFLICT (%2$s) DO UPDATE SET embedding = excluded.embedding, provisional = excluded.provisional, '
                'source_hash = excluded.source_hash, embedded_at = excluded.embedded_at',
                t.version_sql, pgsim._key_list('', t.key_columns, true), pgsim._key_list('b.', t.key_columns, false), t.vector_schema, t.element,
                pgsim._key_parse(t.base, 'k.key', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
                pgsim._source_text('b.', t.source_columns)) USING free;
            GET DIAGNOSTICS stored = ROW_COUNT;
            IF stored = cardinality(offered) THEN
                -- What this transaction wrote needs no second look: until it ends nobody else stores there, and a text that changes after its row was locked is captured.
                DELETE FROM pgsim._poison AS p USING pg_temp.pgsim_vectors AS i WHERE p.version_id = of_version AND p.key = i.key AND p.source_hash <> i.source_hash;
                UPDATE pgsim._batch AS b
                SET (keys, hashes) = (SELECT coalesce(array_agg(x.key), '{}'), coalesce(array_agg(x.hash), '{}') FROM unnest(b.keys, b.hashes) AS x (key, hash)
                                      WHERE x.key NOT IN (SELECT unnest(offered)))
                WHERE b.id = batch;
            END IF;
        END IF;
    EXCEPTION
        WHEN lock_not_available THEN
            stored := 0;
            busy := offered;
        WHEN insufficient_privilege THEN
            RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not store vectors of %s: %s', current_user, t.base_sql, SQLERRM),
                HINT = format('It takes SELECT, INSERT and UPDATE on %s (SELECT and UPDATE for an adopted column).', t.base_sql);
    END;
    UPDATE pgsim._worker AS w
    SET done = w.done + stored, stored_at = clock_timestamp(),
        -- Of the last half minute or so, by weights that fade.
        rate = coalesce(w.rate + (1 - exp(-s.since / 30)) * (stored / s.since - w.rate), stored / s.since)
    FROM (SELECT greatest(extract(epoch FROM clock_timestamp() - k.stored_at), 0.001)::float8 AS since FROM pgsim._worker AS k WHERE k.id = worker) AS s
    WHERE w.id = worker;
END
$$;
COMMENT ON FUNCTION pgsim._store_batch IS
    'Stores the vectors that a worker has copied, of rows whose text is still the one they were made from, and says how many; NULL when the batch is not the worker''s any more. refused: vectors that the model cannot have, whose rows are set aside. busy: rows that somebody else is writing.';

CREATE FUNCTION pgsim._switch(embedding_id int, version_id int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- In this order, which the unique index on active versions asks for. Both are seen at once, when the transaction commits.
    UPDATE pgsim._version AS v SET state = 'ready' WHERE v.embedding_id = _switch.embedding_id AND v.state = 'active';
    UPDATE pgsim._version AS v SET state = 'active' WHERE v.id = _switch.version_id;
END
$$;
COMMENT ON FUNCTION pgsim._switch IS 'Moves the pointer: the active version becomes ready, and the other one active.';

CREATE FUNCTION pgsim._sync_removal_trigger(version regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT w.name, w.event, g.tgenabled IN ('O', 'A') AS enabled
        FROM (VALUES ('note_removal', 'DELETE ON %s REFERENCING OLD TABLE AS pgsim_rows'), ('note_truncation', 'TRUNCATE ON %s')) AS w (name, event)
        LEFT JOIN pg_trigger AS g ON g.tgrelid = version AND g.tgname = w.name AND g.tgfoid = 'pgsim._note_removal'::regproc
        WHERE g.tgenabled IN ('O', 'A') IS NOT TRUE
    LOOP
        IF wanted.enabled IS NULL THEN
            EXECUTE format('CREATE TRIGGER %I AFTER ' || wanted.event || ' FOR EACH STATEMENT EXECUTE FUNCTION pgsim._note_removal()', wanted.name, version);
        END IF;
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', version, wanted.name);
        -- Vectors may have gone meanwhile.
        PERFORM nextval('pgsim._truncation');
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._sync_removal_trigger IS 'Makes or enables the triggers of a version table that let it be seen that vectors went from it.';

CREATE FUNCTION pgsim._take_batch(t pgsim._target, size int, lease interval, worker int) RETURNS TABLE (key text, source text, source_hash bytea, batch bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry record;
    claimed text[];
    removed text[];
    last_place smallint;
    last_id bigint;
    given int;
    found_keys text[];
    sources text[];
    hashes bytea[];
    batch_id bigint;
BEGIN
    PERFORM pgsim._reclaim(t.version_id, worker);
    IF EXISTS (SELECT FROM pgsim._backfill AS f WHERE f.version_id = t.version_id AND f.paused_at IS NOT NULL) THEN
        RETURN;
    END IF;
    IF worker IS NOT NULL THEN
        PERFORM pgsim._take_turn(t.version_id);
    END IF;
    LOOP
        claimed := '{}';
        removed := '{}';
        last_place := -1;
        last_id := 0;
        -- One entry at a time: a lock on more than is taken would keep other workers from it.
        WHILE cardinality(claimed) < size LOOP
            SELECT q.id, q.place, q.operation, q.keys INTO entry FROM pgsim._queue AS q
            WHERE q.version_id = t.version_id AND (q.place, q.id) > (last_place, last_id) ORDER BY q.place, q.id LIMIT 1 FOR UPDATE SKIP LOCKED;
            EXIT WHEN NOT FOUND;
            last_place := entry.place;
            last_id := entry.id;
            given := size - cardinality(claimed);
            IF entry.operation = 'delete' THEN
                removed := removed || entry.keys;
            ELSIF entry.operation = 'removed' THEN
                -- A vector that went by hand; its row is embedded again, unless it has another one by now.
                SELECT claimed || coalesce(array_agg(k.key), '{}') INTO claimed
                FROM unnest(entry.keys[1 : given], pgsim._have_vectors(t, entry.keys[1 : given])) AS k (key, has_vector) WHERE NOT k.has_vector;
            ELSE
                claimed := claimed || entry.keys[1 : given];
            END IF;
            IF entry.operation <> 'delete' AND given < cardinality(entry.keys) THEN
                UPDATE pgsim._queue AS q SET keys = entry.keys[given + 1 :] WHERE q.id = entry.id;
            ELSE
                DELETE FROM pgsim._queue AS q WHERE q.id = entry.id;
            END IF;
        END LOOP;
        EXIT WHEN last_id = 0;
        PERFORM pgsim._forget_vectors(t, claimed || removed);
        DELETE FROM pgsim._poison AS p WHERE p.version_id = t.version_id AND p.key = ANY (removed);
        -- What another worker embeds now, from the same text, comes back into the queue when that one does not store it.
        EXECUTE format(
            'WITH read AS MATERIALIZED ('
            '  SELECT i.given AS key, i.n, %1$s AS source, %2$s AS old_hash '
            '  FROM (SELECT %3$s, k.given, k.n FROM (SELECT u.given, min(u.n) AS n FROM unnest($1) WITH ORDINALITY AS u (given, n) GROUP BY 1) AS k) AS i JOIN %4$s AS b ON %5$s %6$s), '
            'hashed AS MATERIALIZED (SELECT r.*, pgsim._source_hash(r.source) AS source_hash FROM read AS r WHERE r.source IS NOT NULL), '
            'stale AS (SELECT s.key, s.source, s.source_hash FROM hashed AS s WHERE s.old_hash IS DISTINCT FROM s.source_hash '
            '  AND NOT EXISTS (SELECT FROM pgsim._poison AS p WHERE p.version_id = $2 AND p.key = s.key AND p.source_hash = s.source_hash) '
            '  AND NOT EXISTS (SELECT FROM pgsim._batch AS o CROSS JOIN LATERAL unnest(o.keys, o.hashes) AS x (key, hash) WHERE o.version_id = $2 AND x.key = s.key AND x.hash = s.source_hash) '
            '  ORDER BY s.n) '
            'SELECT array_agg(s.key), array_agg(s.source), array_agg(s.source_hash) FROM stale AS s',
            pgsim._source_text('b.', t.source_columns), CASE WHEN t.adopted THEN 'NULL::bytea' ELSE 'v.source_hash' END,
            pgsim._key_parse(t.base, 'k.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
            CASE WHEN t.adopted THEN '' ELSE format('LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END)
        INTO found_keys, sources, hashes USING claimed, t.version_id;
        IF found_keys IS NOT NULL THEN
            INSERT INTO pgsim._batch AS n (version_id, worker_id, keys, hashes, expires_at)
            VALUES (t.version_id, worker, found_keys, hashes, clock_timestamp() + lease) RETURNING n.id INTO batch_id;
            RETURN QUERY SELECT x.key, x.source, x.hash, batch_id FROM unnest(found_keys, sources, hashes) AS x (key, source, hash);
            RETURN;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim._take_batch IS 'Takes rows out of a version''s queue into a batch, which comes back when its worker dies or its lease ends. worker NULL: one that pgsim does not know.';

CREATE FUNCTION pgsim._take_turn(version_id int) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock('pgsim._batch'::regclass::oid::int, version_id);
EXCEPTION
    -- Whoever has it is in a transaction of its own making. Two workers may get the same row then, if it is queued twice; both would store the same.
    WHEN lock_not_available THEN
        RETURN;
END
$$;
COMMENT ON FUNCTION pgsim._take_turn IS 'Lets one worker of a version after another take its batch, so that each sees what the others have: a row that is queued twice is embedded once.';

CREATE FUNCTION pgsim._unfinished_indexes(version_id int) RETURNS TABLE (name text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT x.indexrelid::regclass::text
    FROM pgsim._version AS v
    JOIN pg_index AS x ON x.indrelid = v.relation AND NOT x.indisvalid
    JOIN pg_class AS k ON k.oid = x.indexrelid
    WHERE v.id = _unfinished_indexes.version_id AND NOT v.adopted
      AND NOT EXISTS (SELECT FROM pgsim._index AS i WHERE i.version_id = v.id AND i.name = k.relname)
      AND NOT EXISTS (SELECT FROM pg_locks AS l WHERE l.relation = v.relation AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
                      AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()));
END;
COMMENT ON FUNCTION pgsim._unfinished_indexes IS 'Indexes of a version table that are not valid, not registered, and that nobody builds: what a build leaves that was killed.';

CREATE FUNCTION pgsim._vector_drift(t pgsim._target) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows float8 := (SELECT r.reltuples FROM pg_class AS r WHERE r.oid = t.version);
    told record;
BEGIN
    IF t.adopted OR t.element = 'sparsevec' OR rows < 70 THEN
        RETURN NULL;
    END IF;
    -- The newest rows beside those before them, for several ideas of what is new: where most of the newest are of another model, one of these is clean.
    FOR told IN EXECUTE format(
        'WITH drawn AS MATERIALIZED ('
        '  SELECT s.embedding::%1$s.vector AS v, s.embedded_at AS at, row_number() OVER () AS n FROM %2$s AS s %3$s LIMIT 4000), '
        'split AS (SELECT q, percentile_disc(1 - q) WITHIN GROUP (ORDER BY d.at) AS cut FROM drawn AS d CROSS JOIN unnest(''{.03,.06,.12,.25,.5}''::float8[]) AS q GROUP BY q), '
        'sides AS (SELECT c.cut, count(*) FILTER (WHERE d.at > c.cut) AS newer, avg(%1$s.vector_norm(d.v)) FILTER (WHERE d.at > c.cut) AS new_norm, '
        '                 avg(%1$s.vector_norm(d.v)) FILTER (WHERE d.at <= c.cut) AS old_norm, stddev(%1$s.vector_norm(d.v)) FILTER (WHERE d.at <= c.cut) AS old_spread '
        '          FROM (SELECT DISTINCT s.cut FROM split AS s) AS c CROSS JOIN drawn AS d GROUP BY c.cut '
        '          HAVING count(*) FILTER (WHERE d.at > c.cut) >= 20 AND count(*) FILTER (WHERE d.at <= c.cut) >= 50) '
        'SELECT s.newer, s.cut, s.new_norm, s.old_norm, s.old_spread, f.new_nearest, f.old_nearest, f.old_far FROM sides AS s CROSS JOIN LATERAL ('
        '  SELECT percentile_cont(.5) WITHIN GROUP (ORDER BY p.nearest) FILTER (WHERE p.newer) AS new_nearest, '
        '         percentile_cont(.5) WITHIN GROUP (ORDER BY p.nearest) FILTER (WHERE NOT p.newer) AS old_nearest, '
        '         percentile_cont(.99) WITHIN GROUP (ORDER BY p.nearest) FILTER (WHERE NOT p.newer) AS old_far '
        '  FROM (SELECT g.newer, (SELECT min(r.v OPERATOR(%1$s.%4$s) g.v) FROM ('
        '            SELECT d.v FROM drawn AS d WHERE d.at <= s.cut AND d.n %% 5 > 0 LIMIT 400) AS r) AS nearest '
        '        FROM ((SELECT true AS newer, d.v FROM drawn AS d WHERE d.at > s.cut LIMIT 100) UNION ALL '
        '              (SELECT false, d.v FROM drawn AS d WHERE d.at <= s.cut AND d.n %% 5 = 0 LIMIT 100)) AS g) AS p) AS f '
        'ORDER BY s.cut DESC',
        t.vector_schema, t.version_sql, CASE WHEN rows > 4000 THEN format('TABLESAMPLE SYSTEM (%s) REPEATABLE (0)', least(100, 100 * 4000 / rows)) END, pgsim._distance_operator(t.metric))
    LOOP
        IF told.old_spread < .01 * told.old_norm AND abs(told.new_norm - told.old_norm) > .02 * told.old_norm THEN
            RETURN format('vectors stored after %s have length %s, and those before %s', told.cut::timestamptz(0), round(told.new_norm::numeric, 3), round(told.old_norm::numeric, 3));
        ELSIF told.new_nearest > told.old_far THEN
            RETURN format('vectors stored after %s lie farther from the others than these do from one another: the nearest at %s, where %s is usual',
                          told.cut::timestamptz(0), round(told.new_nearest::numeric, 3), round(told.old_nearest::numeric, 3));
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pgsim._vector_drift IS
    'What speaks for vectors of another model among those stored last, in a sample of up to 4000: another length where all had one, or no near neighbour where nearly all had one (the median beyond the 99th percentile).';

CREATE FUNCTION pgsim._version_problems(version_id int, shown text) RETURNS TABLE (severity text, object text, problem text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v record;
    drift text;
BEGIN
    SELECT s.* INTO v FROM pgsim.versions AS s WHERE s.id = _version_problems.version_id;
    IF v.state <> 'retired' AND NOT EXISTS (SELECT FROM pgsim._version AS s WHERE s.embedding_id = (SELECT o.embedding_id FROM pgsim._version AS o WHERE o.id = v.id) AND (s.state = 'active' OR s.state <> 'retired' AND s.id < v.id)) THEN
        RETURN QUERY SELECT 'error', _version_problems.shown, 'no version of this embedding is active: searches that name no model fail', format('SELECT pgsim.activate(%L, %L, %L)', v.collection, v.model, v.embedding);
    END IF;
    IF NOT v.adopted AND (SELECT count(*) FROM pg_trigger AS g WHERE g.tgrelid = v.relation AND g.tgfoid = 'pgsim._note_removal'::regproc AND g.tgenabled IN ('O', 'A')) < 2 THEN
        RETURN QUERY SELECT 'error', _version_problems.shown, format('a trigger of %s, note_removal or note_truncation, is missing or disabled: that vectors were deleted would not be noticed', v.relation),
            format('SELECT pgsim.sync_privileges(%L)', v.collection);
    END IF;
    -- Where policies hide rows, a sample of the others tells nothing.
    IF v.state <> 'retired' AND NOT row_security_active(v.relation) AND has_table_privilege(v.relation, 'SELECT') THEN
        drift := pgsim._vector_drift(pgsim._target(v.collection, v.model, v.embedding));
    END IF;
    IF drift IS NOT NULL THEN
        RETURN QUERY SELECT 'warning', _version_problems.shown, drift,
            'Another model, prefix or normalization made them, or their rows are of another kind. Compare the embedder: pgsim check --embedder module:object; store what is wrong again.';
    END IF;
END
$$;
COMMENT ON FUNCTION pgsim._version_problems IS 'What pgsim.check says of the life of a version: whether one of its embedding is active, and whether its newest vectors look like the others.';

CREATE FUNCTION pgsim._version_target(version_id int) RETURNS pgsim._target
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named record;
BEGIN
    SELECT w.collection, w.model, w.embedding INTO named FROM pgsim.versions AS w WHERE w.id = version_id;
    RETURN pgsim._target(named.collection, named.model, named.embedding);
END
$$;
COMMENT ON FUNCTION pgsim._version_target IS 'The same as pgsim._target, of a version''s id.';

CREATE FUNCTION pgsim._versions_given(r pgsim._search_request, queries jsonb, target text) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    models text[];
    wrong text;
BEGIN
    IF queries IS NULL OR jsonb_typeof(queries) <> 'object' OR (SELECT count(*) FROM jsonb_object_keys(queries)) NOT BETWEEN 1 AND 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('queries is %s; it is an object of one or two models, each with the query''s vector by it', coalesce(left(queries::text, 120), 'NULL')),
            HINT = 'For instance: {"old": [0.1, 0.2], "new": [0.3, 0.4, 0.5]}. Rows move from one version to another; search others by themselves.';
    END IF;
    FOR wrong IN SELECT q.key FROM jsonb_each(queries) AS q LOOP
        PERFORM pgsim._target(r.collection, wrong, r.embedding);
        IF jsonb_typeof(queries -> wrong) NOT IN ('array', 'string') THEN
            RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('the query of model %L is %s, not a vector', wrong, left((queries -> wrong)::text, 80)), HINT = 'Give an array of numbers.';
        END IF;
        BEGIN
            PERFORM pgsim._vector_of(queries ->> wrong);
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('the query of model %L is no vector: %s', wrong, SQLERRM), HINT = 'Give an array of finite numbers.';
        END;
    END LOOP;
    IF target IS NOT NULL AND NOT queries ? target THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('target is %L, of which queries has no vector', left(target, 80)), HINT = 'Name one of the models in queries; by default it is that of the younger version.';
    END IF;
    SELECT array_agg(v.model ORDER BY v.model IS NOT DISTINCT FROM target DESC, v.id DESC) INTO models
    FROM pgsim.versions AS v WHERE v.collection = r.collection AND v.embedding = r.embedding AND queries ? v.model;
    RETURN models;
END
$$;
COMMENT ON FUNCTION pgsim._versions_given IS 'The models whose versions are searched at once, the one that rows move to first. Raises PS010 or PS013 for queries that are not a vector of each.';

CREATE FUNCTION pgsim._waiting_rows(t pgsim._target, most int) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    waiting bigint;
BEGIN
    IF t.follows IS NOT NULL THEN
        -- What it follows is embedded, and mapped on the way.
        RETURN pgsim._waiting_rows(pgsim._followed(t), most);
    END IF;
    IF t.source_columns = '{}' OR NOT EXISTS (SELECT FROM pgsim._queue AS q WHERE q.version_id = t.version_id AND q.operation = 'upsert'
                                              UNION ALL SELECT FROM pgsim._batch AS o WHERE o.version_id = t.version_id
                                              UNION ALL SELECT FROM pgsim._poison AS p WHERE p.version_id = t.version_id) THEN
        RETURN 0;
    END IF;
    PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    -- What is queued may have been settled since, by vectors that came another way; a column does not tell, so of one every change of a text counts.
    EXECUTE format(
        'SELECT count(*) FROM (SELECT FROM (SELECT k.given, bool_or(k.hash IS NULL) AS queued, array_agg(k.hash) AS hashes FROM ('
        '    SELECT unnest(q.keys), NULL::bytea FROM pgsim._queue AS q WHERE q.version_id = $1 AND q.operation = ''upsert'' '
        '    UNION ALL SELECT x.key, x.hash FROM pgsim._batch AS o CROSS JOIN LATERAL unnest(o.keys, o.hashes) AS x (key, hash) WHERE o.version_id = $1 '
        '    UNION ALL SELECT p.key, p.source_hash FROM pgsim._poison AS p WHERE p.version_id = $1) AS k (given, hash) GROUP BY 1) AS n '
        'CROSS JOIN LATERAL (SELECT %s OFFSET 0) AS i JOIN %s AS b ON %s %s LIMIT %s) AS w',
        pgsim._key_parse(t.base, 'n.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
        CASE WHEN t.adopted THEN format('WHERE (b.%1$I IS NULL OR n.queued OR pgsim._source_hash(%2$s) = ANY (n.hashes)) AND %2$s IS NOT NULL', t.column_name, pgsim._source_text('b.', t.source_columns))
             ELSE format('LEFT JOIN %s AS v ON %s WHERE %s IS NOT NULL AND v.source_hash IS DISTINCT FROM pgsim._source_hash(%3$s)',
                         t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true), pgsim._source_text('b.', t.source_columns)) END,
        most)
    INTO waiting USING t.version_id;
    RETURN waiting;
END
$$;
COMMENT ON FUNCTION pgsim._waiting_rows IS
    'How many of the rows that are queued for a version, with a worker or set aside really wait for a vector (those settled otherwise do not count), up to so many. Of a derived version those of the one that it follows.';

CREATE FUNCTION pgsim.activate(collection text, model text, embedding text = 'default', force boolean = false, reason text = NULL) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    of_embedding int := pgsim._lock_embedding(collection, embedding);
    previous record;
    checked record;
BEGIN
    PERFORM pgsim._model_row(model);
    t := pgsim._target(collection, model, embedding);
    SELECT v.id, m.name INTO previous FROM pgsim._version AS v JOIN pgsim._model AS m ON m.id = v.model_id
    WHERE v.embedding_id = of_embedding AND v.state = 'active';
    IF previous.id = t.version_id THEN
        RETURN NULL;
    END IF;
    PERFORM pgsim._require_all_rows(t);
    IF t.state = 'retired' AND force THEN
        -- As pgsim.revive does: writers that began before would not know that their changes are to be queued again.
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', t.base_sql);
    END IF;
    checked := pgsim._activation_reasons(t);
    IF checked.reasons <> '{}' AND NOT coalesce(force, false) THEN
        RAISE EXCEPTION USING ERRCODE = 'PS043',
            MESSAGE = format('the version of %L under model %L is not ready to be activated, for %s', collection, model,
                             CASE cardinality(checked.reasons) WHEN 1 THEN 'one reason' ELSE cardinality(checked.reasons) || ' reasons' END),
            DETAIL = array_to_string(checked.reasons, E'\n'),
            HINT = format('%s Or activate it as it is with force => true, which is put on record.',
                          CASE WHEN (checked.gates ->> 'missing')::bigint = 0 AND coalesce((checked.gates ->> 'waiting')::bigint, 0) = 0 THEN 'DETAIL says what to do about each.'
                               WHEN t.follows IS NOT NULL AND coalesce((checked.gates ->> 'waiting')::bigint, 0) = 0
                               THEN format('Map what is missing with pgsim.fill_version(%L, %L, %L), until it fills none.', collection, model, embedding)
                               WHEN t.source_columns = '{}' THEN 'Store what is missing with pgsim.upsert.'
                               ELSE format('Queue what is missing with pgsim.enqueue_missing(%L, %L, %L), and embed it: pgsim embed, or a worker of yours.', collection, model, embedding) END);
    END IF;
    PERFORM pgsim._switch(of_embedding, t.version_id);
    PERFORM pgsim._record_transition(t.version_id, 'activate', t.state, 'active', reason, checked.reasons <> '{}', checked.gates, previous.id);
    IF t.state = 'retired' THEN
        PERFORM pgsim._sync_triggers(pgsim._collection_row(collection));
    END IF;
    RETURN previous.name;
END
$$;
COMMENT ON FUNCTION pgsim.activate IS
$$Makes a version the one that answers searches, and returns the model it takes the place of; NULL where it is active already.

It moves one pointer: a search that runs meanwhile sees the old version or the new one. Refused with all reasons in DETAIL while rows
that have a text lack a vector or wait in the queue for one, while the active version has a vector index and this one none, while an
index is invalid or codes are not complete, and while a gate (pgsim.set_gate) is not passed. force => true activates it all the same; that, and
reason, stand in pgsim.history. The version before stays ready, is kept up with changes, and pgsim.rollback returns to it.
Rows and vectors are compared for this, which blocks nobody; where pgsim.mark_ready found every vector there and nothing was written since,
that is not done again. Errors: PS001 to PS006, PS032, PS043.$$;

CREATE FUNCTION pgsim.check_probes(model text, texts text[], vectors vector[], kind text = 'document', tolerance float8 = 0.05) RETURNS float8
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m pgsim._model := pgsim._embedded_model(model);
    known text[];
    told text;
    farthest float8;
    beyond bigint;
BEGIN
    PERFORM pgsim._check_probes(m, texts, vectors, kind);
    IF tolerance IS NULL OR tolerance NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('tolerance is %s; it is a share of a vector''s length from 0 to 1', coalesce(tolerance::text, 'NULL')), HINT = 'The default is 0.05.';
    END IF;
    EXECUTE format(
        'SELECT array_agg(d.text), max(d.difference), count(*) FILTER (WHERE d.difference > $4), '
        '       string_agg(format(''%%L: %%s of its length'', left(d.text, 80), round(d.difference::numeric, 3)), E''\n'' ORDER BY d.difference DESC) FILTER (WHERE d.difference > $4) '
        'FROM (SELECT p.text, (p.vector OPERATOR(%1$s.<->) g.vector) / greatest(%1$s.vector_norm(p.vector), 1e-30) AS difference '
        '      FROM pgsim._probe AS p JOIN unnest($1, $2) AS g (text, vector) ON g.text = p.text WHERE p.model_id = $3 AND p.kind = $5) AS d', pgsim._vector_schema())
    INTO known, farthest, beyond, told USING texts, vectors, m.id, tolerance, kind;
    IF known IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('model %L has no %s probes of these texts', model, kind),
            HINT = 'Keep some with pgsim.set_probes; pgsim embed does it by itself when a model embeds its first rows.';
    END IF;
    IF beyond > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS044',
            MESSAGE = format('this is not model %L as it was: for %s of %s %s probes it gives other vectors', model, beyond, cardinality(known), kind),
            DETAIL = told,
            HINT = 'Another model or revision, or another prefix or instruction, made them. Register it under a name of its own with pgsim.create_model, and give it a version; or keep these vectors as the model''s with pgsim.set_probes.';
    END IF;
    RETURN farthest;
END
$$;
COMMENT ON FUNCTION pgsim.check_probes IS
$$Compares the vectors that an embedder gives for a model's probe texts with those kept, and refuses it where they differ: a model that was changed, a wrong prefix or instruction, another model of the same width.

Returns the greatest difference, as a share of the vector's length. tolerance: what may lie between two runs of one model; of 0.05 the cosine is
.99875. Half precision stays below .001. kind: document or query.
Errors: PS002, PS010, PS012, PS013, PS035, PS044.$$;

CREATE FUNCTION pgsim.copy_vectors(collection text, column_name text, embedding text = 'default', after text = NULL, size int = 10000) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    own_keys text;
    last_key text;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, NULL, embedding);
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._check_vector_column(t, column_name);
    IF size IS NULL OR size < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('size is %s; it is a number of rows above 0', coalesce(size::text, 'NULL')), HINT = 'The default is 10000.';
    END IF;
    IF t.adopted THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the vectors of %L are in column %I of %s already', collection, t.column_name, t.base_sql), HINT = 'pgsim.eject leaves them there.';
    END IF;
    IF after IS NOT NULL THEN
        PERFORM pgsim._check_keys(t.base, t.key_columns, ARRAY[after]);
    END IF;
    own_keys := pgsim._key_list('v.', t.key_columns, true);
    EXECUTE format(
        'WITH batch AS MATERIALIZED (SELECT %1$s, v.embedding FROM %2$s AS v, (SELECT %3$s) AS i %4$s ORDER BY %1$s LIMIT %5$s), '
        'changed AS (UPDATE %6$s AS b SET %7$I = v.embedding FROM batch AS v WHERE %8$s AND record_image_ne(ROW(b.%7$I), ROW(v.embedding))) '
        'SELECT %9$s FROM %6$s AS b JOIN (SELECT * FROM batch AS v ORDER BY %10$s LIMIT 1) AS v ON %8$s',
        own_keys, t.version_sql, coalesce(CASE WHEN after IS NOT NULL THEN pgsim._key_parse(t.base, '$1', t.key_columns, true) END, '1'),
        CASE WHEN after IS NOT NULL THEN format('WHERE (%s) > (%s)', own_keys, pgsim._key_list('i.', t.key_columns, true)) ELSE '' END, size,
        t.base_sql, column_name, pgsim._key_join('b.', 'v.', t.key_columns, true), pgsim._key_text(t.base, 'b.', t.key_columns), replace(own_keys, ', ', ' DESC, ') || ' DESC')
    INTO last_key USING after;
    RETURN last_key;
END
$$;
COMMENT ON FUNCTION pgsim.copy_vectors IS
$$Copies the active version's vectors into a column of the base table, up to size rows in the order of their keys, and returns the last key; NULL when no row is left.

Give that key as after in the next call, each in a transaction of its own: so a large table is filled while it is read and written. Rows that have the
vector already are left alone. pgsim.eject ends it. "pgsim eject --column" does all of it.
Errors: PS001, PS003 to PS006, PS010, PS012, PS016, PS020, PS032, PS035.$$;

CREATE FUNCTION pgsim.eject(collection text, embedding text = 'default', column_name text = NULL, table_name text = NULL, reason text = NULL) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    c pgsim._collection;
    of_embedding int := pgsim._lock_embedding(collection, embedding);
    others text;
    given_name text;
    place text;
    result regclass;
BEGIN
    c := pgsim._collection_row(collection);
    t := pgsim._target(collection, NULL, embedding);
    SELECT string_agg(quote_literal(m.name), ', ' ORDER BY v.id) INTO others
    FROM pgsim._version AS v JOIN pgsim._model AS m ON m.id = v.model_id WHERE v.embedding_id = of_embedding AND v.id <> t.version_id;
    IF others IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('embedding %L of %L has more versions than the active one', embedding, collection),
            DETAIL = 'Under: ' || others, HINT = 'Drop them with pgsim.drop_version first: they would be lost without a word.';
    END IF;
    IF t.adopted AND (table_name IS NOT NULL OR column_name <> t.column_name) OR num_nonnulls(column_name, table_name) = 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = CASE WHEN t.adopted THEN format('the vectors of %L are in column %I of %s, and stay there', collection, t.column_name, t.base_sql)
                                                                ELSE 'column_name and table_name are both given' END,
            HINT = 'Name a column of the table for the vectors to go to, or a table of their own, or neither.';
    END IF;
    IF table_name = '' OR octet_length(table_name) > 63 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS011', MESSAGE = format('table_name is %s; a table''s name has 1 to 63 bytes', quote_literal(left(table_name, 80))), HINT = 'Leave it out for one made of the base table''s name.';
    END IF;
    PERFORM pgsim._record_transition(t.version_id, 'eject', t.state, NULL, reason);

    IF t.adopted THEN
        PERFORM pgsim._detach_version(t);
        result := t.base;
    ELSIF column_name IS NOT NULL THEN
        PERFORM pgsim._check_vector_column(t, column_name);
        PERFORM pgsim._require_all_rows(t);
        -- No vector is stored from here on that would be lost; searches go on.
        EXECUTE format('LOCK TABLE %s IN SHARE MODE', t.version_sql);
        EXECUTE format('UPDATE %s AS b SET %I = v.embedding FROM %s AS v WHERE %s AND record_image_ne(ROW(b.%2$I), ROW(v.embedding))',
                       t.base_sql, column_name, t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true));
        PERFORM pgsim._drop_version(t.version_id);
        result := t.base;
    ELSE
        given_name := table_name;
        IF given_name IS NULL THEN
            SELECT left(r.relname, 40) || CASE embedding WHEN 'default' THEN '' ELSE '_' || left(embedding, 12) END || '_vectors' INTO given_name FROM pg_class AS r WHERE r.oid = t.base;
        END IF;
        place := format('%s.%I', t.base_schema, given_name);
        IF EXISTS (SELECT FROM pg_class AS r WHERE r.relnamespace = t.base_schema AND r.relname = given_name) THEN
            RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('there is a relation %s already', place), HINT = 'Name the table for the vectors: table_name => ''...''.';
        END IF;
        PERFORM pgsim._detach_version(t);
        EXECUTE format('DROP TRIGGER IF EXISTS note_removal ON %1$s; DROP TRIGGER IF EXISTS note_truncation ON %1$s', t.version_sql);
        EXECUTE format('ALTER TABLE %s DROP COLUMN provisional, DROP COLUMN source_hash', t.version_sql);
        BEGIN
            EXECUTE format('ALTER TABLE %s RENAME TO %I', t.version_sql, given_name);
            EXECUTE format('ALTER TABLE pgsim_data.%I SET SCHEMA %s', given_name, t.base_schema);
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION USING ERRCODE = 'PS032', MESSAGE = format('role %I may not make a table in schema %s: %s', current_user, t.base_schema, SQLERRM),
                    HINT = format('GRANT CREATE ON SCHEMA %s TO %I, or copy the vectors into a column: column_name => ''...''.', t.base_schema, current_user);
            WHEN duplicate_table THEN
                RAISE EXCEPTION USING ERRCODE = 'PS020', MESSAGE = format('%s cannot be made: %s', place, SQLERRM), HINT = 'Name the table for the vectors: table_name => ''...''.';
        END;
        result := t.version;
    END IF;
    PERFORM pgsim._sync_triggers(c);
    IF NOT EXISTS (SELECT FROM pgsim._version AS v JOIN pgsim._embedding AS e ON e.id = v.embedding_id WHERE e.collection_id = c.id)
       AND NOT EXISTS (SELECT FROM pgsim._text AS x WHERE x.collection_id = c.id) AND NOT EXISTS (SELECT FROM pgsim._text_backend AS x WHERE x.collection_id = c.id) THEN
        PERFORM pgsim.drop_collection(eject.collection);
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION pgsim.eject IS
$$Gives the vectors of the active version back as plain pgvector, and takes them out of pgsim's care; returns the table where they are.

An adopted column stays where it is, with its indexes. A version's own table moves beside the base table as it stands, indexes, grants and foreign key
included, as table_name (default the base table's name and _vectors): a change of the catalogue, whatever its size. column_name: its vectors go into that
column of the base table instead, of which it copies what pgsim.copy_vectors has not; index the column yourself, best before, CONCURRENTLY.
Nothing is changed when it fails. Other versions of the embedding have to be dropped first. reason stands in pgsim.history. When nothing else is left of the collection, that is
forgotten, too, with its triggers and its history, reason included. Errors: PS001, PS003 to PS006, PS010 to PS012, PS020, PS032, PS035.$$;

CREATE FUNCTION pgsim.expire(grace interval = '30 days') RETURNS TABLE (collection text, embedding text, model text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    due record;
BEGIN
    PERFORM pgsim._require_registrar();
    IF grace IS NULL OR grace NOT BETWEEN '0' AND '1000 years' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('grace is %s; it is a time span of 0 to 1000 years', coalesce(grace::text, 'NULL')), HINT = 'The default is 30 days.';
    END IF;
    FOR due IN
        SELECT v.id, v.collection, v.embedding, v.model FROM pgsim.versions AS v
        JOIN pgsim.collections AS c ON c.name = v.collection LEFT JOIN pg_class AS b ON b.oid = c.relation
        WHERE v.state = 'retired' AND (b.oid IS NULL OR pg_has_role(current_user, b.relowner, 'USAGE')) AND v.state_since <= clock_timestamp() - grace ORDER BY v.id
    LOOP
        -- What one collection comes to does not keep the others from theirs.
        BEGIN
            PERFORM pgsim._lock_embedding(due.collection, due.embedding);
            -- It may have been revived while this waited.
            CONTINUE WHEN NOT EXISTS (SELECT FROM pgsim._version AS v WHERE v.id = due.id AND v.state = 'retired');
            PERFORM pgsim.drop_version(due.collection, due.model, due.embedding, reason => format('retired longer than %s', grace));
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING USING MESSAGE = format('the version of %L under model %L is not dropped: %s', due.collection, due.model, SQLERRM), HINT = 'Run SELECT * FROM pgsim.check().';
            CONTINUE;
        END;
        collection := due.collection;
        embedding := due.embedding;
        model := due.model;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pgsim.expire IS
$$Drops the versions that were retired longer than a grace ago, and returns them. An adopted column stays, as pgsim.drop_version leaves it.

Those whose tables the caller does not own are left alone. One that cannot be dropped stays, and a WARNING says why.
"pgsim chores" does it from cron, pgsim.schedule_chores from within the database. Errors: PS010, PS032.$$;

CREATE FUNCTION pgsim.finish_batch(batch bigint, failed jsonb = NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    taken pgsim._batch;
    t pgsim._target;
    put_back text[];
    stranger text;
BEGIN
    PERFORM pgsim._require_registrar();
    IF jsonb_typeof(failed) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('failed is a JSON %s; it is an object of keys and what is wrong with their rows', jsonb_typeof(failed)), HINT = '{"17": "too long"}';
    END IF;
    SELECT * INTO taken FROM pgsim._batch AS b WHERE b.id = batch FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS045', MESSAGE = format('batch %s is not lent to anybody: it was finished, or its lease ended', coalesce(batch::text, 'NULL')),
            HINT = 'What of it was not stored is in the queue again: take the next batch, with a longer lease if need be.';
    END IF;
    t := pgsim._version_target(taken.version_id);
    PERFORM pgsim._require_all_rows(t);
    PERFORM pgsim._check_columns(t.base, 'source_columns', t.source_columns);
    SELECT f.key INTO stranger FROM jsonb_object_keys(failed) AS f (key) WHERE f.key <> ALL (taken.keys) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('failed names key %L, which is not in batch %s', left(stranger, 200), batch), HINT = 'Give keys as pgsim.next_batch returned them with this batch.';
    END IF;
    -- Those that had been set aside for another text are not any more.
    DELETE FROM pgsim._poison AS p USING unnest(taken.keys, taken.hashes) AS x (key, hash)
    WHERE p.version_id = taken.version_id AND p.key = x.key AND p.source_hash <> x.hash;
    PERFORM pgsim._set_aside(taken.version_id, x.key, x.hash, failed ->> x.key) FROM unnest(taken.keys, taken.hashes) AS x (key, hash) WHERE failed ? x.key;
    IF taken.keys <> '{}' THEN
        -- A second look, after what this transaction stored: whatever changed before it is seen here, and whatever changes after it is captured.
        EXECUTE format(
            'SELECT array_agg(i.given) FROM (SELECT %1$s, k.given FROM unnest($1) AS k (given)) AS i JOIN %2$s AS b ON %3$s %4$s '
            'WHERE %5$s IS NOT NULL AND %6$s AND NOT EXISTS (SELECT FROM pgsim._poison AS p WHERE p.version_id = $2 AND p.key = i.given AND coalesce(p.source_hash = pgsim._source_hash(%5$s), false))',
            pgsim._key_parse(t.base, 'k.given', t.key_columns, true), t.base_sql, pgsim._key_join('b.', 'i.', t.key_columns, true),
            CASE WHEN t.adopted THEN '' ELSE format('LEFT JOIN %s AS v ON %s', t.version_sql, pgsim._key_join('b.', 'v.', t.key_columns, true)) END,
            pgsim._source_text('b.', t.source_columns),
            -- A column tells nothing of the text its vector was made from. What is seen of a transaction that is under way is this one's own.
            CASE WHEN t.adopted THEN format('(b.%I IS NULL OR CASE WHEN age(b.xmin) > 0 THEN true ELSE pg_xact_status((pg_current_xact_id()::text::bigint - age(b.xmin))::text::xid8) <> ''in progress'' END)', t.column_name) ELSE format('v.source_hash IS DISTINCT FROM pgsim._source_hash(%s)', pgsim._source_text('b.', t.source_columns)) END)
        INTO put_back USING taken.keys, taken.version_id;
    END IF;
    IF put_back IS NOT NULL THEN
        INSERT INTO pgsim._queue (version_id, operation, keys) VALUES (taken.version_id, 'upsert', put_back);
    END IF;
    DELETE FROM pgsim._batch AS b WHERE b.id = batch;
    IF taken.worker_id IS NULL THEN
        INSERT INTO pgsim._backfill AS f (version_id, done) VALUES (taken.version_id, cardinality(taken.keys) - coalesce(cardinality(put_back), 0))
        ON CONFLICT ON CONSTRAINT _backfill_pkey DO UPDATE SET done = f.done + excluded.done;
    END IF;
    RETURN coalesce(cardinality(put_back), 0);
END
$$;
COMMENT ON FUNCTION pgsim.finish_batch IS
$$Says that a batch of pgsim.next_batch is done, and returns how many of its rows had to go back into the queue: not stored, or changed since.

Call it in the transaction that stores the vectors: of an adopted column only what that has stored counts as done. failed: rows that cannot be embedded, as {"key": "what is wrong"}: they are set aside
(pgsim.poison_rows) until their text changes, or pgsim.retry_poison. Errors: PS004 to PS006, PS010, PS032, PS045.$$;

CREATE FUNCTION pgsim.limit_backfill(
    collection text, model text = NULL, embedding text = 'default', calls_a_second float8 = NULL, rows_a_second float8 = NULL,
    calls_a_day bigint = NULL, tokens_a_day bigint = NULL, money_a_day numeric = NULL, price numeric = NULL
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    given record;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        t := pgsim._followed(t);
    END IF;
    FOR given IN
        -- Below the least rate, and above such amounts, a time or a sum is more than its type holds.
        SELECT * FROM (VALUES ('calls_a_second', calls_a_second::numeric, 0.000001), ('rows_a_second', rows_a_second::numeric, 0.000001), ('calls_a_day', calls_a_day, 0), ('tokens_a_day', tokens_a_day, 0),
                              ('money_a_day', money_a_day, 0), ('price', price, 0)) AS g (name, number, least)
        WHERE NOT (g.number > 0 AND g.number >= g.least AND g.number < 1e1000)
    LOOP
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('%s is %s; a limit is a finite number above 0%s', given.name, left(given.number::text, 80), CASE WHEN given.least > 0 THEN ', at least ' || given.least ELSE '' END),
            HINT = 'NULL is no limit; pgsim.pause_backfill holds all workers.';
    END LOOP;
    IF money_a_day IS NOT NULL AND price IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = 'money_a_day is given, and no price', HINT = 'price is that of 1000 tokens, in the same money.';
    END IF;
    INSERT INTO pgsim._backfill AS f (version_id, calls_a_second, rows_a_second, calls_a_day, tokens_a_day, money_a_day, price)
    VALUES (t.version_id, limit_backfill.calls_a_second, limit_backfill.rows_a_second, limit_backfill.calls_a_day, limit_backfill.tokens_a_day, limit_backfill.money_a_day, limit_backfill.price)
    ON CONFLICT (version_id) DO UPDATE SET calls_a_second = excluded.calls_a_second, rows_a_second = excluded.rows_a_second, calls_a_day = excluded.calls_a_day,
        tokens_a_day = excluded.tokens_a_day, money_a_day = excluded.money_a_day, price = excluded.price, next_at = '-infinity';
END
$$;
COMMENT ON FUNCTION pgsim.limit_backfill IS
$$Sets how fast the workers of a version may go, all of them together, and what they may spend on a day (UTC); what is NULL has no limit.

calls_a_second, rows_a_second: of the embedder. calls_a_day, tokens_a_day, money_a_day: noted before each call, so that a crash spends
what it began. price: of 1000 tokens. Limits that stood before are replaced, also by NULL. model NULL: the active version; a derived one: the version that it follows.
Errors: PS001 to PS004, PS006, PS010, PS032.$$;

CREATE FUNCTION pgsim.mark_ready(collection text, model text, embedding text = 'default') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    compared record;
    now_state text;
BEGIN
    PERFORM pgsim._lock_embedding(collection, embedding);
    PERFORM pgsim._model_row(model);
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_all_rows(t);
    IF t.state = 'retired' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the version of %L under model %L is retired, and changes were not followed since', collection, model),
            HINT = format('Take it up again with pgsim.revive(%L, %L, %L), and embed what is missing.', collection, model, embedding);
    END IF;
    compared := pgsim._compare_version(t);
    now_state := CASE WHEN t.state = 'active' THEN 'active' WHEN compared.missing = 0 THEN 'ready' ELSE 'building' END;
    IF now_state <> t.state THEN
        UPDATE pgsim._version AS v SET state = now_state WHERE v.id = t.version_id;
        PERFORM pgsim._record_transition(t.version_id, now_state, t.state, now_state, gates => jsonb_build_object('missing', compared.missing));
    END IF;
    RETURN compared.missing;
END
$$;
COMMENT ON FUNCTION pgsim.mark_ready IS
$$Compares a version with its table, and returns how many rows lack a vector; at 0 it is ready, and is activated without comparing again.

pgsim embed does it at its end. One that was ready and lacks rows is being built again. It reads the keys of both tables and blocks nobody.
Errors: PS001 to PS006, PS032, PS035.$$;

CREATE FUNCTION pgsim.measure_quality(collection text, model text, labelled jsonb = NULL, embedding text = 'default', k int = 10, sample int = 100) RETURNS float8
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    label record;
    queries int := 0;
    total float8 := 0;
    measured float8;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_owner(t.base);
    IF labelled IS NULL THEN
        measured := (SELECT r.mean_recall FROM pgsim.recall(measure_quality.collection, k => measure_quality.k, model => t.model, embedding => measure_quality.embedding, sample => measure_quality.sample) AS r);
        IF measured IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the version of %L under model %L has no vectors whose recall could be measured', collection, t.model), HINT = 'Fill it first.';
        END IF;
        PERFORM pgsim.record_quality(measure_quality.collection, t.model, 'recall', measured, measure_quality.embedding, jsonb_build_object('k', k, 'sample', sample));
        RETURN measured;
    END IF;
    IF jsonb_typeof(labelled) <> 'array' OR jsonb_array_length(labelled) = 0
       OR EXISTS (SELECT FROM jsonb_array_elements(labelled) AS q
                  WHERE jsonb_typeof(q) <> 'object' OR jsonb_typeof(q -> 'query') IS DISTINCT FROM 'array' OR jsonb_typeof(q -> 'keys') IS DISTINCT FROM 'array') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('labelled is %s; it is an array of queries with the keys that answer them', left(labelled::text, 120)),
            HINT = 'For instance: [{"query": [0.1, 0.2], "keys": ["7", "12"]}].';
    END IF;
    FOR label IN SELECT (q -> 'query')::text AS query, ARRAY(SELECT jsonb_array_elements_text(q -> 'keys')) AS keys FROM jsonb_array_elements(labelled) AS q LOOP
        queries := queries + 1;
        BEGIN
            PERFORM pgsim._vector_of(label.query);
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            RAISE EXCEPTION USING ERRCODE = 'PS013', MESSAGE = format('query %s of labelled is no vector: %s', queries, left(SQLERRM, 200)), HINT = 'Give an array of finite numbers.';
        END;
        total := total + coalesce((SELECT 1.0 / min(s.rank) FROM pgsim.search(measure_quality.collection, pgsim._vector_of(label.query), measure_quality.k, model => t.model, embedding => measure_quality.embedding) AS s
                                   WHERE s.key = ANY (label.keys)), 0);
    END LOOP;
    measured := total / queries;
    PERFORM pgsim.record_quality(measure_quality.collection, t.model, 'mrr', measured, measure_quality.embedding, jsonb_build_object('k', k, 'queries', queries));
    RETURN measured;
END
$$;
COMMENT ON FUNCTION pgsim.measure_quality IS
$$Measures a version and records the result for pgsim.set_gate: recall of its own searches, or with labelled queries their mean reciprocal rank (mrr).

labelled: [{"query": [...], "keys": ["7"]}], vectors that this model made of queries, and the keys that answer them. Without it sample rows are
searched for, and compared with the exact answer. Returns the value. model NULL: the active version.
Errors: PS001 to PS006, PS010, PS012, PS013, PS032, PS035.$$;

CREATE FUNCTION pgsim.next_batch(collection text, model text = NULL, embedding text = 'default', size int = 64, lease interval = '15 minutes')
RETURNS TABLE (key text, source text, source_hash bytea, batch bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        RETURN QUERY SELECT * FROM pgsim.next_batch(collection, (pgsim._followed(t)).model, embedding, size, lease);
        RETURN;
    END IF;
    PERFORM pgsim._check_backfill(t, embedding);
    IF size IS NULL OR size NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('size is %s; a batch has 1 to 10000 rows', coalesce(size::text, 'NULL')), HINT = 'Take what the embedder takes in one call.';
    END IF;
    IF lease IS NULL OR lease NOT BETWEEN '1 second' AND '7 days' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('lease is %s; a batch is lent for 1 second to 7 days', coalesce(lease::text, 'NULL')), HINT = 'Take what embedding and storing a batch takes at the most.';
    END IF;
    RETURN QUERY SELECT b.key, b.source, b.source_hash, b.batch FROM pgsim._take_batch(t, size, lease, NULL) AS b;
END
$$;
COMMENT ON FUNCTION pgsim.next_batch IS
$$Takes up to size rows that wait to be embedded out of the queue, and returns their keys, texts, the texts' hashes, and the batch they are.

Commit, embed the texts, and store them with pgsim.upsert(..., source_hashes => ..., skip_absent => true), then call
pgsim.finish_batch(batch) in the same transaction. When that does not happen within lease, the rows are in the queue again. Workers do not
meet: what one has taken, others pass over. Rows whose text is what their vector was made from, whose text is gone, or that were deleted
are settled here. No rows: nothing waits that no worker has taken, or the backfill is paused. model NULL: the active version.
Errors: PS001 to PS006, PS010, PS032, PS035.$$;

CREATE FUNCTION pgsim.pause_backfill(collection text, model text = NULL, embedding text = 'default', reason text = NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        t := pgsim._followed(t);
    END IF;
    INSERT INTO pgsim._backfill AS f (version_id, paused_at, paused_by, reason) VALUES (t.version_id, clock_timestamp(), session_user, pause_backfill.reason)
    ON CONFLICT (version_id) DO UPDATE SET paused_at = coalesce(f.paused_at, excluded.paused_at), paused_by = excluded.paused_by, reason = excluded.reason;
END
$$;
COMMENT ON FUNCTION pgsim.pause_backfill IS
$$Holds all workers of a version, wherever they run, before their next call of an embedder, until pgsim.resume_backfill.

What they have embedded they store; changes of rows are queued meanwhile as ever. reason: shown in pgsim.backfill_progress.
model NULL: the active version; a derived one: the version that it follows. Errors: PS001 to PS004, PS006, PS032.$$;

CREATE FUNCTION pgsim.record_quality(collection text, model text, name text, value float8, embedding text = 'default', details jsonb = '{}') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    PERFORM pgsim._require_owner(t.base);
    PERFORM pgsim._check_name('gate', name);
    IF value IS NULL OR value IN ('NaN', 'Infinity', '-Infinity') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('value is %s; it is a finite number', coalesce(value::text, 'NULL')), HINT = 'Record what was measured.';
    END IF;
    INSERT INTO pgsim._quality (version_id, name, value, details) VALUES (t.version_id, record_quality.name, record_quality.value, coalesce(record_quality.details, '{}'));
END
$$;
COMMENT ON FUNCTION pgsim.record_quality IS
$$Notes what was measured of a version, for the gates of pgsim.set_gate: higher is better.

model NULL: the active version. details: whatever tells how it was measured. Errors: PS001 to PS004, PS006, PS010, PS011, PS032.$$;

CREATE FUNCTION pgsim.resume_backfill(collection text, model text = NULL, embedding text = 'default') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        t := pgsim._followed(t);
    END IF;
    UPDATE pgsim._backfill AS f SET paused_at = NULL, paused_by = NULL, reason = NULL WHERE f.version_id = t.version_id;
END
$$;
COMMENT ON FUNCTION pgsim.resume_backfill IS
$$Lets the workers of a version go on that pgsim.pause_backfill holds. model NULL: the active version; a derived one: the version that it follows.

Errors: PS001 to PS004, PS006, PS032.$$;

CREATE FUNCTION pgsim.retire(collection text, model text, embedding text = 'default', reason text = NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._lock_embedding(collection, embedding);
    PERFORM pgsim._model_row(model);
    t := pgsim._target(collection, model, embedding);
    IF t.state = 'retired' THEN
        RETURN;
    ELSIF t.state = 'active' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('the version of %L under model %L is active: searches are answered from it', collection, model),
            HINT = 'Activate another one first, or roll back.';
    END IF;
    PERFORM pgsim._release_followers(t.version_id, false);
    UPDATE pgsim._version AS v SET state = 'retired', lapsed = true, verified = NULL WHERE v.id = t.version_id;
    DELETE FROM pgsim._queue AS q WHERE q.version_id = t.version_id;
    PERFORM pgsim._record_transition(t.version_id, 'retire', t.state, 'retired', reason);
    PERFORM pgsim._sync_triggers(pgsim._collection_row(collection));
END
$$;
COMMENT ON FUNCTION pgsim.retire IS
$$Puts a version out of use: changes of rows are not queued for it any more, and searches that name it are refused. Its vectors stay.

pgsim.revive takes it up again; pgsim.expire drops it when its grace is over, pgsim.drop_version at once. The active version is not retired, nor
one that a derived version follows. Errors: PS001 to PS004, PS006, PS021, PS032, PS035.$$;

CREATE FUNCTION pgsim.retry_poison(collection text, model text = NULL, embedding text = 'default', keys text[] = NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    again text[];
BEGIN
    PERFORM pgsim._require_registrar();
    t := pgsim._target(collection, model, embedding);
    IF t.follows IS NOT NULL THEN
        t := pgsim._followed(t);
    END IF;
    WITH taken AS (
        DELETE FROM pgsim._poison AS p WHERE p.version_id = t.version_id AND (retry_poison.keys IS NULL OR p.key = ANY (retry_poison.keys)) RETURNING p.key
    )
    SELECT array_agg(k.key) INTO again FROM taken AS k;
    INSERT INTO pgsim._queue (version_id, operation, keys)
    SELECT t.version_id, 'upsert', again[i : i + 1999] FROM generate_series(1, cardinality(again), 2000) AS i;
    RETURN coalesce(cardinality(again), 0);
END
$$;
COMMENT ON FUNCTION pgsim.retry_poison IS
$$Queues rows again that were set aside because they could not be embedded (pgsim.poison_rows), and returns how many.

keys: only these; NULL: all of the version. model NULL: the active version; a derived one: the version that it follows. Errors: PS001 to PS004, PS006, PS032.$$;

CREATE FUNCTION pgsim.revive(collection text, model text, embedding text = 'default', reason text = NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
BEGIN
    PERFORM pgsim._lock_embedding(collection, embedding);
    PERFORM pgsim._model_row(model);
    t := pgsim._target(collection, model, embedding);
    IF t.state <> 'retired' THEN
        RETURN;
    END IF;
    -- Writers that began before would not know that their changes are to be queued again: until they are done, it waits.
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', t.base_sql);
    UPDATE pgsim._version AS v SET state = 'building' WHERE v.id = t.version_id;
    PERFORM pgsim._record_transition(t.version_id, 'revive', 'retired', 'building', reason);
    PERFORM pgsim._sync_triggers(pgsim._collection_row(collection));
END
$$;
COMMENT ON FUNCTION pgsim.revive IS
$$Takes a retired version up again: changes are queued for it from here on, and it is being built.

Then embed what came or changed while it was retired: pgsim.enqueue_missing, and a worker. pgsim.activate compares vectors with texts and refuses it
until that is done. Writers of the table wait for a moment, as when a version is created. A version that is not retired is left as it is.
Errors: PS001 to PS004, PS006, PS032.$$;

CREATE FUNCTION pgsim.rollback(collection text, embedding text = 'default', reason text = NULL) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pgsim._target;
    of_embedding int := pgsim._lock_embedding(collection, embedding);
    current_version record;
    step record;
    earlier record;
    waiting bigint := 0;
    few CONSTANT int := 5000;
BEGIN
    SELECT v.id, m.name INTO current_version FROM pgsim._version AS v JOIN pgsim._model AS m ON m.id = v.model_id
    WHERE v.embedding_id = of_embedding AND v.state = 'active';
    SELECT s.previous_version, s.previous_model INTO step FROM pgsim._transition AS s
    WHERE s.version_id = current_version.id AND s.action = 'activate' ORDER BY s.id DESC LIMIT 1;
    IF step.previous_version IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035',
            MESSAGE = CASE WHEN current_version.id IS NULL THEN format('embedding %L of collection %L has no active version to roll back', embedding, collection)
                           ELSE format('the version under model %L is the first that was active: there is none to go back to', current_version.name) END,
            HINT = 'Name the version that is to answer: pgsim.activate(collection, model).';
    END IF;
    SELECT v.id, v.state INTO earlier FROM pgsim._version AS v WHERE v.id = step.previous_version;
    IF earlier.id IS NULL OR earlier.state = 'retired' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035',
            MESSAGE = format('the version that was active before, under model %L, was %s', step.previous_model, CASE WHEN earlier.id IS NULL THEN 'dropped' ELSE 'retired, and changes were not followed since' END),
            HINT = CASE WHEN earlier.id IS NULL THEN format('Activate one that is there, or make that one again: pgsim.create_version(%L, %L, %L).', collection, step.previous_model, embedding)
                        ELSE format('Take it up again with pgsim.revive(%L, %L, %L), embed what is missing, and activate it.', collection, step.previous_model, embedding) END;
    END IF;
    t := pgsim._target(collection, step.previous_model, embedding);
    -- The way back is open whatever the gates say; but nobody should find out later.
    IF NOT row_security_active(t.base) THEN
        -- Counted one by one only where that is a matter of milliseconds.
        waiting := pgsim._noted_keys(coalesce(t.follows, t.version_id));
        IF waiting BETWEEN 1 AND few AND t.source_columns <> '{}' THEN
            waiting := (pgsim._noted_rows(t)).waiting;
        END IF;
    END IF;
    IF waiting > 0 THEN
        RAISE WARNING USING MESSAGE = format('%s%s rows wait to be embedded under model %L, and are found late or by their old text until they are', CASE WHEN waiting > few THEN 'up to ' END, waiting, step.previous_model),
            HINT = format('Run a worker for it: pgsim embed %s --model %s.', collection, step.previous_model);
    END IF;
    PERFORM pgsim._switch(of_embedding, t.version_id);
    PERFORM pgsim._record_transition(t.version_id, 'rollback', t.state, 'active', reason, false, jsonb_strip_nulls(jsonb_build_object('waiting', waiting)), current_version.id);
    RETURN step.previous_model;
END
$$;
COMMENT ON FUNCTION pgsim.rollback IS
$$Goes back to the version that was active before the active one was activated, and returns its model.

No gate stands in the way. That version was kept up with changes since, as long as a worker embedded them; a WARNING tells how many rows
still wait. Called again it goes back one further. Refused when that version was retired or dropped since. reason stands in pgsim.history.
Errors: PS001, PS003, PS006, PS032, PS035.$$;

CREATE FUNCTION pgsim.schedule_chores(schedule text = '17 3 * * *', grace interval = '30 days', audit int = 20) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    job bigint;
BEGIN
    PERFORM pgsim._require_registrar();
    IF schedule IS NULL OR grace IS NULL OR grace NOT BETWEEN '0' AND '1000 years' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('schedule is %s and grace %s; give both, and a grace of 0 to 1000 years', coalesce(quote_literal(left(schedule, 80)), 'NULL'), coalesce(grace::text, 'NULL')),
            HINT = 'For instance ''17 3 * * *'', every night, and ''30 days''.';
    END IF;
    IF audit IS NULL OR audit NOT BETWEEN 0 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('audit is %s; it is how many rows of a version are searched for, 0 to 1000', coalesce(audit::text, 'NULL')), HINT = 'The default is 20; 0 audits nothing.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS035', MESSAGE = format('database %I has no extension pg_cron, which runs jobs inside the database', current_database()),
            HINT = 'Run "pgsim chores" from the cron of any machine that reaches the database; or have an administrator create pg_cron.';
    END IF;
    EXECUTE pgsim._chores_statement(schedule, grace, audit) INTO job;
    RETURN job;
END
$$;
COMMENT ON FUNCTION pgsim.schedule_chores IS
$$Has pg_cron run pgsim.chores on a schedule, as the calling role, and returns the job's id; a schedule made before is replaced.

schedule: as cron has it, minute hour day month weekday; the default is every night. grace, audit: as pgsim.chores has them. Without pg_cron run "pgsim chores" from outside.
Errors: PS010, PS032, PS035.$$;

CREATE FUNCTION pgsim.search_versions(
    collection text, queries jsonb, k int = 10, filter jsonb = NULL, embedding text = 'default', recall float8 = NULL, mode text = 'auto',
    target text = NULL, where_sql text = NULL, where_values jsonb = NULL, where_columns text[] = NULL
) RETURNS TABLE (key text, score float8, distance float8, rank int, details jsonb)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT n.key, n.score, n.distance, n.rank::int, n.details
    FROM pgsim._search_versions(
        ROW(search_versions.collection, search_versions.k, search_versions.filter, NULL, search_versions.embedding, search_versions.recall, search_versions.mode, NULL,
            NULL, NULL, NULL, NULL, search_versions.where_sql, search_versions.where_values, search_versions.where_columns,
            pg_catalog.current_setting('search_path'))::pgsim._search_request,
        search_versions.queries, search_versions.target) AS r
    CROSS JOIN LATERAL unnest(r.keys, r.distances, r.scores, r.row_details) WITH ORDINALITY AS n (key, distance, score, details, rank)
    ORDER BY n.rank;
END;
COMMENT ON FUNCTION pgsim.search_versions IS
$$Searches two versions at once while rows move from one to the other: a row that has a vector of the new model is ranked by that, every other one by its old vector.

queries: the query's vector by each model, {"old": [...], "new": [...]}. target: the model that rows move to; by default that of the younger version.
Distances of two models cannot be compared, so places are: of the rows that have moved, the one found n places below the best stands for n divided by the share
that has moved, as the old model's own list tells for this query. With no row moved, or all, the answer is that of pgsim.search in the one version, to the last digit.
k rows come whenever k rows match. score is 1 / (1 + the places expected above it), or of an answer from one version alone that version's own; details names the model that
ranked each row, and distance is that model's. Filters, where_sql, row-level security and grants hold as in pgsim.search.
Errors: PS001 to PS006, PS010, PS012 to PS015, PS032, PS035.$$;

CREATE FUNCTION pgsim.set_gate(collection text, name text, minimum float8, embedding text = 'default', max_age interval = '7 days') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_embedding int := pgsim._lock_embedding(collection, embedding);
BEGIN
    PERFORM pgsim._check_name('gate', name);
    IF minimum IN ('NaN', 'Infinity', '-Infinity') THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('minimum is %s; it is a finite number', minimum), HINT = 'Give what has to be measured at least; NULL takes the gate away.';
    END IF;
    IF max_age IS NULL OR max_age <= '0' OR max_age > '1000 years' THEN
        RAISE EXCEPTION USING ERRCODE = 'PS010', MESSAGE = format('max_age is %s; it is a time span above 0, and at most 1000 years', coalesce(max_age::text, 'NULL')), HINT = 'The default is 7 days.';
    END IF;
    IF minimum IS NULL THEN
        DELETE FROM pgsim._gate AS g WHERE g.embedding_id = of_embedding AND g.name = set_gate.name;
        RETURN;
    END IF;
    INSERT INTO pgsim._gate AS g (embedding_id, name, minimum, max_age) VALUES (of_embedding, set_gate.name, set_gate.minimum, set_gate.max_age)
    ON CONFLICT ON CONSTRAINT _gate_pkey DO UPDATE SET minimum = excluded.minimum, max_age = excluded.max_age;
END
$$;
COMMENT ON FUNCTION pgsim.set_gate IS
$$Asks of every version of an embedding that it reached a quality before it is activated: the last value recorded under that name, not older than max_age.

name: recall and mrr are measured by pgsim.measure_quality; any other is recorded by pgsim.record_quality. minimum: NULL takes the gate away.
Errors: PS001, PS003, PS006, PS010, PS011, PS032.$$;

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

-- Closes the script.
DO $$
DECLARE
    member record;
BEGIN
    -- Installed by CREATE EXTENSION, the registry's rows are the user's data, and pg_dump must carry them.
    FOR member IN
        SELECT c.oid::regclass AS relation
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        JOIN pg_catalog.pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
        WHERE e.extname = 'pgsim' AND c.relkind IN ('r', 'S')
          -- CREATE EXTENSION writes the releases itself, when a dump is restored.
          AND c.relname <> '_release'
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(member.relation, '');
    END LOOP;
END
$$;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('pgsim.caller_search_path'),
                             EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pgsim'));

INSERT INTO pgsim._release (version, breaking) VALUES ('0.1.0', false);
