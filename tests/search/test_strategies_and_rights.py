"""k rows whenever k match, and none that a policy hides: by every strategy that a search can take."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest

from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.server import Server
    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]

ROWS, DIM, CLUSTERS = 1200, 16, 12
K = 10
# Of these, the last rows of the table have no vector, or one without direction.
WITHOUT_VECTOR, ZERO = 6, 6
# Costs that leave the planner one choice: what is dear is not taken where there is another way.
DEAR = {
    "exact": "code_row = 9, ann_candidate = 9, exact_row = 1e-9, scan_row = 0",
    "codes": "exact_row = 9, ann_candidate = 9, code_row = 1e-9, keep_row = 1e-9",
    "ann": "exact_row = 9, code_row = 9, ann_candidate = 1e-9",
}


@dataclass(frozen=True)
class Way:
    """A collection, and the arguments by which a search of it takes a strategy; ``filter`` goes with each filter."""

    collection: str
    strategy: str
    mode: str
    filter: dict[str, Any]


WAYS = {
    "exact": Way("doc", "exact", "exact", {}),
    "codes": Way("doc", "codes", "codes", {}),
    "ann": Way("doc", "ann", "ann", {}),
    "partial": Way("doc", "partial", "ann", {"tenant": "a"}),
    "partition": Way("pdoc", "partition", "ann", {"tenant": "a"}),
    "exact, version table": Way("vdoc", "exact", "exact", {}),
    "codes, version table": Way("vdoc", "codes", "codes", {}),
    "ann, version table": Way("vdoc", "ann", "ann", {}),
    "auto": Way("doc", "", "auto", {}),
    "auto, version table": Way("vdoc", "", "auto", {}),
    "auto, partitions": Way("pdoc", "", "auto", {}),
}
TABLES = {"doc": "embedding", "vdoc": None, "pdoc": "embedding"}


def drawn(seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors ``(ROWS, DIM)`` in clusters, and the cluster of each."""
    random = np.random.default_rng(seed)
    cluster = random.integers(CLUSTERS, size=ROWS)
    centres = np.random.default_rng(0).normal(size=(CLUSTERS, DIM))
    return (centres[cluster] + 0.3 * random.normal(size=(ROWS, DIM))).astype(np.float32), cluster


@pytest.fixture(scope="module")
def library(server: Server, template: str) -> Iterator[str]:
    """Three tables of the same documents: with vectors of their own, in a version table, and partitioned by tenant."""
    vectors, cluster = drawn(1)
    stored = [vector_text(v) for v in vectors[: ROWS - WITHOUT_VECTOR - ZERO]]
    with server.database("strategies", template) as name:
        with psycopg.connect(server.dsn(name)) as connection:
            connection.execute(
                f"CREATE TABLE given AS SELECT o::int AS id, CASE WHEN mod(o, 2) = 0 THEN 'a' ELSE 'b' END AS tenant, "
                f"'s' || c AS section, o::int AS size, v::vector({DIM}) AS embedding "
                "FROM unnest(%s::vector[], %s::int[]) WITH ORDINALITY AS u (v, c, o)",
                [[*stored, *[None] * (WITHOUT_VECTOR + ZERO)], cluster.tolist()],
            )
            connection.execute("SELECT pgsim.create_model('m', %s)", [DIM])
            for table, column in TABLES.items():
                connection.execute(f"""
                    CREATE TABLE {table} (LIKE given, PRIMARY KEY (id{", tenant" if table == "pdoc" else ""}))
                        {"PARTITION BY LIST (tenant)" if table == "pdoc" else ""};
                    {"ALTER TABLE vdoc DROP embedding;" if column is None else ""}
                    {"CREATE TABLE pa PARTITION OF pdoc FOR VALUES IN ('a'); CREATE TABLE pb PARTITION OF pdoc DEFAULT;"
                     if table == "pdoc" else ""}
                    INSERT INTO {table}
                        SELECT id, tenant, section, size{"" if column is None else ", embedding"} FROM given;
                    SELECT pgsim.create_collection('{table}', filter_columns => '{{section,tenant,size}}');
                """)  # fmt: skip
                connection.execute("SELECT pgsim.create_version(%s, 'm', column_name => %s)", [table, column])
            connection.execute("SELECT pgsim.upsert('vdoc', 'm', array_agg(id::text), array_agg(embedding)) FROM given "
                               "WHERE embedding IS NOT NULL")  # fmt: skip
            for table in ("doc", "pdoc"):
                connection.execute(
                    f"UPDATE {table} SET embedding = %s WHERE id > %s", [f"[{','.join('0' * DIM)}]", ROWS - ZERO]
                )
            for table in TABLES:
                connection.execute("SELECT pgsim.create_index(%s, 'm')", [table])
            connection.execute("""SELECT pgsim.create_index('doc', 'm', where_filter => '{"tenant": "a"}')""")
            connection.execute("ANALYZE")
        yield name


@pytest.fixture
def shelves(server: Server, library: str) -> Iterator[Connection]:
    """A connection to the library; what a test does there is rolled back."""
    with server.rolled_back(library) as connection:
        yield connection


def call(connection: Connection, function: str, collection: str, query: NDArray[Any], **arguments: object) -> list[Any]:
    values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in arguments.items()}
    named = "".join(f", {name} => %({name})s" for name in values)
    return connection.execute(
        f"SELECT * FROM pgsim.{function}(%(c)s, query => %(q)s{named})".encode(),
        values | {"c": collection, "q": vector_text(np.asarray(query, np.float32))},
    ).fetchall()


def nearest(connection: Connection, way: Way, query: NDArray[Any], condition: str) -> list[tuple[str, float]]:
    """All rows that meet a condition, by brute force: keys and distances in their order."""
    where = " AND ".join([condition, *(f"{column} = '{value}'" for column, value in way.filter.items())])
    source = {
        "vdoc": "(SELECT d.*, v.embedding FROM vdoc AS d JOIN {version} AS v ON v.key = d.id)".format(
            version=connection.execute(
                "SELECT relation::text FROM pgsim.versions WHERE collection = 'vdoc'"
            ).fetchall()[0][0]
        )
    }.get(way.collection, way.collection)
    key = "jsonb_build_object('id', id, 'tenant', tenant)::text" if way.collection == "pdoc" else "id::text"
    where = where.replace("%", "%%")
    rows = connection.execute(
        f"SELECT {key}, (embedding <=> %(q)s) + 0 AS d FROM {source} AS t WHERE ({where}) "
        "AND (embedding <=> %(q)s) + 0 < 'NaN' ORDER BY 2, id".encode(),
        {"q": vector_text(np.asarray(query, np.float32))},
    )
    return rows.fetchall()


def assert_complete(found: list[Any], truth: list[tuple[str, float]], k: int = K) -> None:
    """As many rows as there can be, each of them a match, in the order of their distances."""
    distances = dict(truth)
    assert len(found) == min(k, len(truth))
    assert len({key for key, *_ in found}) == len(found)
    for key, _, distance, *_ in found:
        assert distance == pytest.approx(distances[key], abs=1e-6)
    assert [row[2] for row in found] == sorted(row[2] for row in found)
    assert [row[3] for row in found] == list(range(1, len(found) + 1))


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "everything": ({}, "true"),
    "one cluster": ({"section": "s3"}, "section = 's3'"),
    "all but the cluster of the query": ({"section": {"$ne": "s0"}}, "section <> 's0'"),
    "the cluster farthest from the query": ({"section": "s7", "size": {"$gt": 300}}, "section = 's7' AND size > 300"),
    "nothing": ({"section": "none"}, "false"),
    "three rows": ({"size": {"$between": [600, 603]}, "tenant": {"$in": ["a", "b"]}}, "size BETWEEN 600 AND 603"),
    "rows without a vector": ({"size": {"$gt": ROWS - 20}}, f"size > {ROWS - 20}"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_k_rows_whenever_k_match(shelves: Connection, way: Way, case: str) -> None:
    vectors, cluster = drawn(1)
    query = vectors[np.flatnonzero(cluster == 0)[0]] + np.float32(0.01)
    filter, condition = CASES[case]
    # In so small a table PostgreSQL would rather read all of it.
    shelves.execute("SET LOCAL enable_sort = off")
    if way.strategy == "partial":
        shelves.execute("SELECT pgsim.drop_index(name::regclass) FROM pgsim.indexes "
                        "WHERE collection = 'doc' AND method = 'hnsw' AND where_filter IS NULL")  # fmt: skip
    for k in (K, 150):
        found = call(shelves, "search", way.collection, query, k=k, filter=filter | way.filter, mode=way.mode)
        assert_complete(found, nearest(shelves, way, query, condition), k)
    told = call(shelves, "explain_search", way.collection, query, filter=filter | way.filter, mode=way.mode)[0][0]
    if way.strategy:
        assert told["stages"][0]["strategy"] == way.strategy


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_estimates_far_off_leave_answers_whole(shelves: Connection, way: Way) -> None:
    query = drawn(1)[0][5]
    # a hundred times as many as the statistics know of, and a hundredth
    shelves.execute(f"UPDATE {way.collection} SET section = 's3' WHERE id > 100 AND section <> 's5'")
    shelves.execute(f"DELETE FROM {way.collection} WHERE section = 's5' AND size > 30")
    for section in ("s3", "s5"):
        truth = nearest(shelves, way, query, f"section = '{section}'")
        filter = {"section": section, "size": {"$gt": 0}} | way.filter
        assert_complete(call(shelves, "search", way.collection, query, filter=filter, mode=way.mode), truth)
    shelves.execute("CREATE FUNCTION rare(int) RETURNS bool LANGUAGE sql IMMUTABLE RETURN $1 % 3 < 3")
    for condition in (
        "rare(size)",
        "NOT rare(size)",
        "size * 2 < 300 AND size % 7 < 7 AND size + 1 > 0 AND size % 3 < 9",
    ):
        found = call(shelves, "search", way.collection, query, filter=way.filter, where_sql=condition, mode=way.mode,
                     where_columns=["size"])  # fmt: skip
        assert_complete(found, nearest(shelves, way, query, condition))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_rows_that_went_or_moved_hide_no_others(shelves: Connection, way: Way) -> None:
    query = drawn(1)[0][5]
    shelves.execute(f"DELETE FROM {way.collection} WHERE id % 3 = 0")
    shelves.execute(f"UPDATE {way.collection} SET id = id + 100000 WHERE id % 3 = 1")
    shelves.execute(f"UPDATE {way.collection} SET section = 'moved' WHERE section = 's2'")
    for section in ("s1", "s2", "moved"):
        found = call(shelves, "search", way.collection, query, filter={"section": section} | way.filter, mode=way.mode)
        assert_complete(found, nearest(shelves, way, query, f"section = '{section}'"))


def test_codes_that_lead_nowhere_hide_no_row(connection: Connection) -> None:
    connection.execute("""
        CREATE TABLE t (id int PRIMARY KEY, section text, embedding vector(4));
        SELECT pgsim.create_collection('t', filter_columns => '{section}'), pgsim.create_model('m', 4);
        SELECT pgsim.create_version('t', 'm', column_name => 'embedding');
        SELECT pgsim.create_index('t', 'm', method => 'codes');
        INSERT INTO t SELECT i, 'q', '[1,1,1,1]' FROM generate_series(1, 1100) AS i;
        UPDATE t SET id = id + 10000; UPDATE t SET section = 'other';
        INSERT INTO t VALUES (1, 'q', '[-1,-1,-1,-1]');
    """)
    for mode in ("codes", "auto"):
        found = call(connection, "search", "t", np.ones(4), filter={"section": "q"}, mode=mode)
        assert [row[0] for row in found] == ["1"]


@pytest.mark.parametrize("strategy", DEAR)
@pytest.mark.parametrize("collection", ["doc", "vdoc"])
def test_what_costs_least_is_taken_and_complete(shelves: Connection, collection: str, strategy: str) -> None:
    shelves.execute(
        "INSERT INTO pgsim._calibration (version_id, rows, queries) SELECT id, 1200, 0 FROM pgsim.versions "
        "ON CONFLICT DO NOTHING"
    )
    shelves.execute(f"UPDATE pgsim._calibration SET {DEAR[strategy]}".encode())
    way = Way(collection, strategy, "auto", {})
    query = drawn(1)[0][9]
    for filter, condition in CASES.values():
        found = call(shelves, "search", collection, query, filter=filter)
        assert_complete(found, nearest(shelves, way, query, condition))
    told = call(shelves, "explain_search", collection, query)[0][0]
    assert told["stages"][0]["strategy"] == strategy


@pytest.mark.parametrize("metric", ["l2", "ip", "l1"])
@pytest.mark.parametrize("mode", ["exact", "codes", "ann", "auto"])
def test_a_query_of_zeros_is_answered_where_the_metric_knows_it(connection: Connection, metric: str, mode: str) -> None:
    connection.execute(
        f"""
        CREATE TABLE t (id int PRIMARY KEY, size int, embedding vector(3));
        SELECT pgsim.create_collection('t', filter_columns => '{{size}}');
        SELECT pgsim.create_model('m', 3, metric => '{metric}');
        SELECT pgsim.create_version('t', 'm', column_name => 'embedding'); SELECT pgsim.create_index('t', 'm');
        INSERT INTO t SELECT i, i, format('[%s,%s,%s]', i, mod(i, 7), -i)::vector FROM generate_series(1, 1500) AS i;
        ANALYZE t;
    """.encode()
    )
    found = call(connection, "search", "t", np.zeros(3), k=3, mode=mode)
    assert [row[2] for row in found] == sorted(row[2] for row in found)
    if metric != "ip" or mode == "exact":
        # To an index all rows at one distance are alike; to the others the key decides.
        assert [row[0] for row in found] == ["1", "2", "3"]


POLICY = """
CREATE ROLE reader; GRANT SELECT ON doc, vdoc, pdoc TO reader;
CREATE POLICY own ON {table} USING (tenant = current_setting('app.tenant', true));
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} {force} FORCE ROW LEVEL SECURITY;
SELECT pgsim.sync_privileges('doc'), pgsim.sync_privileges('vdoc'), pgsim.sync_privileges('pdoc');
SET LOCAL app.tenant = 'a';
"""


@pytest.mark.parametrize("force", ["", "NO"], ids=["forced", "enabled"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_policy_holds_for_every_strategy(shelves: Connection, way: Way, force: str) -> None:
    query = drawn(1)[0][5]
    # The rows nearest to the query, and a whole section, are another tenant's.
    shelves.execute(f"UPDATE {way.collection} SET section = 'secret' WHERE tenant = 'b' AND id % 5 = 1")
    shelves.execute(POLICY.format(table=way.collection, force=force))
    if way.mode == "codes":
        shelves.execute("SET LOCAL ROLE reader")
        with pytest.raises(psycopg.Error) as raised, shelves.transaction():
            call(shelves, "search", way.collection, query, mode="codes")
        assert raised.value.sqlstate == "PS010"
        assert "row-level security" in str(raised.value)
        return
    shelves.execute("RESET ROLE")
    own = nearest(shelves, way, query, "tenant = 'a'")
    shelves.execute("SET LOCAL ROLE reader")
    for filter, condition in (({}, "true"), ({"size": {"$gt": 500}}, "size > 500"), ({"section": "secret"}, "false")):
        exact = call(shelves, "search", way.collection, query, filter=filter | way.filter, mode="exact")
        found = call(shelves, "search", way.collection, query, filter=filter | way.filter, mode=way.mode)
        assert {row[0] for row in found} <= {key for key, _ in own}
        assert len(found) == len(exact)
        if way.mode != "ann":
            assert [row[:4] for row in found] == [row[:4] for row in exact]
        told = call(shelves, "explain_search", way.collection, query, filter=filter | way.filter, mode=way.mode)[0][0]
        assert (
            told["matches"]
            == shelves.execute(f"SELECT count(*) FROM {way.collection} WHERE {condition}").fetchall()[0][0]
        )
        where = " AND ".join([condition, *(f"{column} = '{value}'" for column, value in way.filter.items())])
        plan = shelves.execute(f"EXPLAIN (FORMAT JSON) SELECT FROM {way.collection} WHERE {where}").fetchall()[0][0]
        assert told["estimated_matches"] == pytest.approx(plan[0]["Plan"]["Plan Rows"], rel=0.2) or condition == "false"
        assert told.get("tuples") is None
        assert all("tuples" not in stage for stage in told["stages"])
    batch = shelves.execute("SELECT key FROM pgsim.search_batch(%s, ARRAY[%s::vector], mode => %s)",
                            [way.collection, vector_text(query), way.mode]).fetchall()  # fmt: skip
    assert {key for (key,) in batch} <= {key for key, _ in own}


@pytest.mark.parametrize("collection", ["doc", "vdoc"])
def test_codes_are_not_read_where_a_policy_binds_and_are_again_when_it_is_gone(
    shelves: Connection, collection: str
) -> None:
    query = drawn(1)[0][5]
    codes = shelves.execute(
        "SELECT i.relation::text FROM pgsim._index AS i JOIN pgsim.versions AS v ON v.id = i.version_id "
        "WHERE i.method = 'codes' AND v.collection = %s", [collection]
    ).fetchall()[0][0]  # fmt: skip
    rows = f"SELECT count(*) FROM {codes}"
    shelves.execute("CREATE ROLE reader; GRANT SELECT ON doc, vdoc TO reader")
    for table in ("doc", "vdoc"):
        shelves.execute("SELECT pgsim.sync_privileges(%s)", [table])
    for change, seen in (("ENABLE", 0), ("DISABLE", ROWS), ("ENABLE", 0)):
        shelves.execute(f"ALTER TABLE {collection} {change} ROW LEVEL SECURITY")
        problems = shelves.execute("SELECT problem, hint FROM pgsim.check(%s)", [collection]).fetchall()
        assert any("codes" in problem for problem, _ in problems)
        for hint in {hint for _, hint in problems}:
            shelves.execute(hint)
        assert shelves.execute("SELECT * FROM pgsim.check(%s)", [collection]).fetchall() == []
        shelves.execute("SET LOCAL ROLE reader")
        assert shelves.execute(rows).fetchone() == (seen,)
        assert len(call(shelves, "search", collection, query)) == (K if seen else 0)
        if seen:
            assert call(shelves, "search", collection, query, mode="codes")[0][4]["strategy"] == "codes"
        shelves.execute("RESET ROLE")
        shelves.execute(f"SELECT set_config('app.none', '', true); SELECT count(*) FROM {codes}")


PATHS = {
    "search": "SELECT * FROM pgsim.search(%(c)s, %(q)s, mode => %(m)s)",
    "search_batch": "SELECT * FROM pgsim.search_batch(%(c)s, ARRAY[%(q)s::vector], mode => %(m)s)",
    "explain_search": "SELECT * FROM pgsim.explain_search(%(c)s, %(q)s, mode => %(m)s)",
    "fetch": "SELECT * FROM pgsim.fetch(%(c)s, '{1}')",
}


@pytest.mark.parametrize("path", PATHS)
def test_who_may_not_read_the_table_may_not_search_it(shelves: Connection, path: str) -> None:
    shelves.execute(
        "CREATE ROLE stranger; GRANT SELECT (id, section) ON doc, vdoc TO stranger; SET LOCAL ROLE stranger"
    )
    for collection in TABLES:
        for mode in ("auto", "exact", "codes", "ann"):
            with pytest.raises(psycopg.Error) as raised, shelves.transaction():
                shelves.execute(PATHS[path].encode(), {"c": collection, "q": vector_text(np.ones(DIM)), "m": mode})
            assert raised.value.sqlstate == "PS032"
            assert raised.value.diag.message_hint
