"""Advice is what the planner expects to gain, for searches that were recorded, and what it says can be run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import psycopg
import pytest

from pgsim.vectors import vector_text, vectors_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fixtures.server import Server
    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]
    Filter = Mapping[str, object] | None

ROWS, DIM = 6000, 16
DEAR = {
    "scan_row": 1e-6,
    "exact_row": 1e-5,
    "code_row": 5e-6,
    "keep_row": 1e-7,
    "ann_start": 1e-4,
    "ann_candidate": 1e-5,
}


class Advice(NamedTuple):
    """A row of pgsim.advise."""

    rank: int
    kind: str
    target: str
    statement: str | None
    searches: float
    seconds_before: float | None
    seconds_after: float | None
    gain: float
    bytes: int
    build_seconds: float | None
    reason: str


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    """``(ROWS, DIM)``, in clusters."""
    random = np.random.default_rng(5)
    centres = random.normal(size=(40, DIM))
    return (centres[random.integers(40, size=ROWS)] + 0.5 * random.normal(size=(ROWS, DIM))).astype(np.float32)


def fill(
    connection: Connection, vectors: NDArray[np.float32], *, adopted: bool = True, declared: str = "{section,shelf}"
) -> None:
    """6,000 books: 40% games, 36% python, the rest 20 small sections; the language goes with the section."""
    connection.execute(
        "CREATE TABLE book (id int PRIMARY KEY, section text, lang text, shelf int, size int, tags text[], meta jsonb, "
        f"e vector({DIM}))".encode()
    )
    connection.execute(
        "INSERT INTO book SELECT o, section, CASE section WHEN 'games' THEN 'de' ELSE 'en' END, o %% 60, o, "
        "ARRAY['t' || o %% 9, 'u' || o %% 500], "
        "jsonb_build_object('author', jsonb_build_object('name', 'a' || o %% 700)), CASE WHEN %s THEN v END "
        "FROM (SELECT o, v, CASE WHEN o %% 50 < 20 THEN 'games' WHEN o %% 50 < 38 THEN 'python' "
        "ELSE 's' || o %% 20 END AS section FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o)) AS b",
        [adopted, vectors_text(vectors)],
    )
    connection.execute("ANALYZE book")
    connection.execute("SELECT pgsim.create_collection('book', filter_columns => %s)", [declared])
    connection.execute("SELECT pgsim.create_model('m', %s)", [DIM])
    connection.execute("SELECT pgsim.create_version('book', 'm', column_name => %s)", ["e" if adopted else None])
    if not adopted:
        connection.execute(
            "SELECT pgsim.upsert('book', 'm', array_agg(o::text ORDER BY o), array_agg(v ORDER BY o)) "
            "FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o)",
            [vectors_text(vectors)],
        )


@pytest.fixture(scope="module")
def library_database(server: Server, template: str, vectors: NDArray[np.float32]) -> Iterator[str]:
    """What each test gets a copy of: in a shared one, rows that were rolled back would swell the table."""
    with server.database("library", template) as name:
        with psycopg.connect(server.dsn(name)) as connection:
            fill(connection, vectors)
            cost(connection, **DEAR)
        yield name


@pytest.fixture(scope="module")
def indexed_database(server: Server, library_database: str) -> Iterator[str]:
    with server.database("indexed", library_database) as name:
        with psycopg.connect(server.dsn(name)) as connection:
            connection.execute("SELECT pgsim.create_index('book', 'm')")
            cost(connection, **DEAR)
        yield name


@pytest.fixture
def library(server: Server, library_database: str) -> Iterator[Connection]:
    with server.database("advised", library_database) as name, server.rolled_back(name) as connection:
        yield connection


@pytest.fixture
def indexed(server: Server, indexed_database: str) -> Iterator[Connection]:
    """The library with a vector index."""
    with server.database("advised", indexed_database) as name, server.rolled_back(name) as connection:
        yield connection


def cost(connection: Connection, **seconds: float) -> None:
    """Have the planner believe that rows cost so much."""
    connection.execute(
        "INSERT INTO pgsim._calibration AS k (version_id, rows, queries, margins, ef_intercepts, ef_slope) "
        "SELECT v.id, %s, 60, ARRAY[-1, 0, 1, 2, 2.5, 3, 3.5, 4], '{1.2,1.6,2.1,2.5,2.9}', "
        "1.1 FROM pgsim.versions AS v WHERE v.collection = 'book' "
        "ON CONFLICT (version_id) DO UPDATE SET margins = excluded.margins, ef_intercepts = excluded.ef_intercepts, "
        "ef_slope = excluded.ef_slope",
        [ROWS],
    )
    for name, value in seconds.items():
        connection.execute(f"UPDATE pgsim._calibration SET {name} = %s".encode(), [value])


def record(connection: Connection, filter: Filter, times: int = 5, *, values: bool = True, **search: object) -> None:
    """Search so often, every search being noted down."""
    connection.execute("SELECT pgsim.record_searches('book', share => 1, \"values\" => %s)", [values])
    named = "".join(f", {name} => %({name})s" for name in search)
    for _ in range(times):
        connection.execute(
            f"SELECT pgsim.search('book', %(query)s, filter => %(filter)s{named})".encode(),
            {"query": vector_text(np.ones(DIM, np.float32)), "filter": json.dumps(filter), **search},
        )
    connection.execute("SELECT pgsim.record_searches('book', share => 0)")


def advise(connection: Connection, kind: str | None = None, **arguments: object) -> list[Advice]:
    named = "".join(f", {name} => %({name})s" for name in arguments)
    rows = connection.execute(f"SELECT * FROM pgsim.advise('book'{named})".encode(), arguments)
    return [each for each in map(Advice._make, rows) if kind in {None, each.kind}]


def explain(connection: Connection, filter: Filter) -> dict[str, Any]:
    rows = connection.execute(
        "SELECT pgsim.explain_search('book', %s, filter => %s)",
        [vector_text(np.ones(DIM, np.float32)), json.dumps(filter)],
    ).fetchall()
    told: dict[str, Any] = rows[0][0]
    return told


def run(connection: Connection, statement: str | None) -> None:
    """What cannot run in a transaction runs without CONCURRENTLY here; another test runs all as they stand."""
    assert statement
    connection.execute(statement.replace(" CONCURRENTLY", "").encode())


# Partial indexes


def test_a_value_often_asked_for_gets_a_partial_index_that_keeps_its_promise(indexed: Connection) -> None:
    record(indexed, {"section": "python"}, 20)
    (told,) = advise(indexed, "partial_index")
    assert json.loads(told.target) == {"section": "python"}
    assert (told.rank, told.searches) == (1, 20)
    before = explain(indexed, {"section": "python"})
    assert (before["strategy"], told.seconds_before) == ("ann", pytest.approx(before["costs"]["ann"]))

    run(indexed, told.statement)

    after = explain(indexed, {"section": "python"})
    assert after["strategy"] == "partial"
    assert after["costs"]["ann"] == pytest.approx(told.seconds_after, rel=0.05)
    assert told.gain == pytest.approx(20 * (before["costs"]["ann"] - after["costs"]["ann"]), rel=0.1)
    size = indexed.execute("SELECT bytes FROM pgsim.indexes WHERE where_filter IS NOT NULL").fetchall()[0][0]
    assert told.bytes == pytest.approx(size, rel=0.2)


def test_what_is_covered_already_is_not_advised_again(indexed: Connection) -> None:
    record(indexed, {"section": "python"}, 20)
    run(indexed, advise(indexed, "partial_index")[0].statement)
    assert advise(indexed, "partial_index") == []
    record(indexed, {"section": "python", "shelf": {"$lt": 50}}, 20)
    assert advise(indexed, "partial_index") == []


def test_one_index_on_a_range_serves_the_narrower_ones(indexed: Connection) -> None:
    for bound in (25, 20, 23, 22):
        record(indexed, {"shelf": {"$lt": bound}}, 5)
    (told,) = advise(indexed, "partial_index")
    assert (json.loads(told.target), told.searches) == ({"shelf": {"$lt": 25}}, 20)


def test_two_bounds_make_one_index(indexed: Connection) -> None:
    record(indexed, {"shelf": {"$gte": 10, "$lt": 35}}, 20)
    (told,) = advise(indexed, "partial_index")
    assert json.loads(told.target) == {"shelf": {"$gte": 10, "$lt": 35}}
    run(indexed, told.statement)
    assert explain(indexed, {"shelf": {"$gte": 10, "$lt": 35}})["strategy"] == "partial"


def test_a_filter_of_several_branches_can_be_an_index(indexed: Connection) -> None:
    filter = {"$or": [{"section": "s7"}, {"shelf": {"$lt": 25}}]}
    record(indexed, filter, 20)
    (told,) = advise(indexed, "partial_index")
    assert json.loads(told.target) == filter
    run(indexed, told.statement)
    assert explain(indexed, filter)["strategy"] == "partial"


@pytest.mark.parametrize("filter", [None, {"section": "s17"}, {"size": {"$lt": 1500}}, {"section": "nowhere"}])
def test_few_rows_or_no_filter_get_no_partial_index(indexed: Connection, filter: Filter) -> None:
    record(indexed, filter, 20)
    assert advise(indexed, "partial_index") == []


def test_where_ranking_every_match_is_as_cheap_nothing_is_gained(indexed: Connection) -> None:
    record(indexed, {"section": "python"}, 20)
    cost(indexed, exact_row=1e-8, scan_row=1e-9)
    assert advise(indexed) == []


def test_recall_1_is_exact_whatever_index_there_is(indexed: Connection) -> None:
    record(indexed, {"section": "python"}, 20, recall=1)
    assert advise(indexed, "partial_index") == []


def test_vectors_in_a_table_of_their_own_have_no_partial_index(
    connection: Connection, vectors: NDArray[np.float32]
) -> None:
    fill(connection, vectors, adopted=False)
    connection.execute("SELECT pgsim.create_index('book', 'm')")
    cost(connection, **DEAR)
    record(connection, {"section": "python"}, 20)
    assert advise(connection, "partial_index") == []


# Indexes on all rows, and codes


def test_codes_are_advised_where_there_are_none_and_cost_what_was_foretold(library: Connection) -> None:
    cost(library, code_row=1e-7, ann_start=1)
    record(library, {"section": "python", "shelf": {"$lt": 30}}, 20)
    (told,) = advise(library, "codes")
    run(library, told.statement)
    cost(library, code_row=1e-7, ann_start=1)
    after = explain(library, {"section": "python", "shelf": {"$lt": 30}})
    assert after["strategy"] == "codes"
    assert after["costs"]["codes"] == pytest.approx(told.seconds_after)
    size = library.execute("SELECT bytes FROM pgsim.indexes WHERE method = 'codes'").fetchall()[0][0]
    assert told.bytes == pytest.approx(size, rel=0.5)
    assert advise(library, "codes") == []


def test_a_vector_index_is_advised_where_there_is_none(library: Connection) -> None:
    cost(library, code_row=1.0)
    record(library, None, 20)
    assert [each.kind for each in advise(library)] == ["hnsw"]
    (told,) = advise(library, "hnsw")
    assert "codes are made beside it" in told.reason
    run(library, told.statement)
    cost(library, **(DEAR | {"code_row": 1.0}))
    assert explain(library, None)["costs"]["ann"] == pytest.approx(told.seconds_after)
    size = library.execute("SELECT sum(bytes)::float8 FROM pgsim.indexes").fetchall()[0][0]
    assert told.bytes == pytest.approx(size, rel=0.5)
    assert advise(library) == []


def test_codes_first_leave_the_index_its_own_bytes(library: Connection) -> None:
    cost(library, code_row=1e-6)
    record(library, {"section": "python"}, 20)
    record(library, None, 2)
    codes, index = [each for each in advise(library) if each.kind in {"codes", "hnsw"}]
    assert (codes.kind, index.kind) == ("codes", "hnsw")
    assert "beside" not in index.reason


def test_an_index_of_the_users_own_is_one(library: Connection) -> None:
    record(library, None, 20)
    library.execute("CREATE INDEX by_hand ON book USING hnsw (e vector_cosine_ops)")
    assert advise(library, "hnsw") == []


def test_wide_vectors_are_indexed_as_halves(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE book (id int PRIMARY KEY, e vector(2100));"
        "INSERT INTO book SELECT i, array_fill(i, '{2100}')::vector FROM generate_series(1, 30) AS i; ANALYZE book;"
        "SELECT pgsim.create_collection('book'), pgsim.create_model('m', 2100);"
        "SELECT pgsim.create_version('book', 'm', column_name => 'e')"
    )
    cost(connection, **(DEAR | {"exact_row": 1.0, "code_row": 1.0}))
    (told,) = advise(connection, "hnsw")
    assert "element => 'halfvec'" in str(told.statement)
    run(connection, told.statement)
    assert advise(connection, "hnsw") == []


def test_filters_beyond_the_declared_columns_are_told(library: Connection) -> None:
    cost(library, code_row=1e-7, ann_candidate=1e-2)
    record(library, {"size": {"$gte": 100}, "lang": "de"}, 20)
    record(library, {"section": "python"}, 20)
    (told,) = advise(library, "filter_columns")
    assert (told.target, told.statement, told.searches) == ("lang, size", None, 20)
    assert "{section,shelf,lang,size}" in told.reason


# Indexes on filter columns


def test_a_column_that_searches_scan_for_gets_a_btree(library: Connection) -> None:
    record(library, {"size": {"$between": [100, 130]}}, 20)
    (told,) = advise(library, "btree_index")
    assert told.target == "size"
    run(library, told.statement)
    after = explain(library, {"size": {"$between": [100, 130]}})
    assert after["costs"]["exact"] == pytest.approx(told.seconds_after, rel=0.05)
    assert "book_size_idx" in after["index"]
    assert advise(library, "btree_index") == []


@pytest.mark.parametrize(
    ("filter", "target"),
    [
        ({"tags": {"$contains": "u77"}}, "tags"),
        ({"tags": {"$overlap": ["u77", "u78"]}}, "tags"),
        ({"meta": {"$contains": {"author": {"name": "a77"}}}}, "meta"),
    ],
)
def test_arrays_and_json_get_a_gin_index(library: Connection, filter: Filter, target: str) -> None:
    record(library, filter, 20)
    (told,) = advise(library, "gin_index")
    assert told.target == target
    run(library, told.statement)
    assert f"book_{target}_idx" in explain(library, filter)["index"]
    assert advise(library, "gin_index") == []


def test_a_path_into_json_is_indexed_as_filters_read_it(library: Connection) -> None:
    record(library, {"meta.author.name": "a77"}, 20)
    (told,) = advise(library, "btree_index")
    assert told.target == "meta.author.name"
    run(library, told.statement)
    assert "book_meta_author_name_idx" in explain(library, {"meta.author.name": "a77"})["index"]
    assert advise(library, "btree_index") == []


@pytest.mark.parametrize(
    "filter",
    [{"size": {"$gt": 100}}, {"section": {"$ne": "games"}}, {"id": 7}, {"title.name": "x"}, {"lang": {"$like": "d%"}}],
)
def test_an_index_that_would_not_be_read_is_not_advised(library: Connection, filter: dict[str, object]) -> None:
    library.execute(
        "CREATE TABLE title (id int PRIMARY KEY, name text); ALTER TABLE book ADD title_id int REFERENCES title"
    )
    record(library, filter, 20)
    assert [each for each in advise(library) if each.kind in {"btree_index", "gin_index"}] == []


# Statistics


def test_columns_that_go_together_get_statistics(indexed: Connection) -> None:
    together = {"section": "games", "lang": "en"}
    record(indexed, together, 20)
    (told,) = advise(indexed, "statistics")
    assert (told.target, told.searches) == ("lang, section", 20)
    assert "where 0 match" in told.reason
    run(indexed, told.statement)
    assert explain(indexed, together)["estimated_matches"] < 50
    assert advise(indexed, "statistics") == []


def test_columns_that_are_independent_get_none(indexed: Connection) -> None:
    record(indexed, {"section": "games", "shelf": {"$lt": 30}}, 20)
    assert advise(indexed, "statistics") == []


def test_statistics_gain_what_the_wrong_plan_costs_more(indexed: Connection) -> None:
    indexed.execute(
        "ALTER TABLE book ADD a int, ADD b int, ADD c int, ADD d int; "
        "UPDATE book SET a = id % 40 / 10, b = id % 40 / 10, c = id % 40 / 10, d = id % 40 / 10; ANALYZE book"
    )
    cost(indexed, scan_row=1e-9)
    record(indexed, {"a": 1, "b": 1, "c": 1, "d": 1}, 10)
    (told,) = advise(indexed, "statistics")
    assert told.seconds_before == pytest.approx(1500 * 1e-5, rel=0.1)
    assert told.seconds_after is not None
    assert told.seconds_after < told.seconds_before
    assert told.gain == pytest.approx(10 * (told.seconds_before - told.seconds_after))


def test_a_table_that_was_never_analyzed_is_to_be_analyzed_first(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE book (id int PRIMARY KEY, e vector(2));"
        "INSERT INTO book SELECT i, '[1,1]' FROM generate_series(1, 50) AS i;"
        "SELECT pgsim.create_collection('book'), pgsim.create_model('m', 2);"
        "SELECT pgsim.create_version('book', 'm', column_name => 'e')"
    )
    assert [(each.kind, each.statement) for each in advise(connection)] == [("statistics", "ANALYZE public.book")]
    connection.execute("ANALYZE book")
    assert advise(connection) == []


def test_an_empty_table_gets_no_advice(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE book (id int PRIMARY KEY, e vector(2));"
        "SELECT pgsim.create_collection('book'), pgsim.create_model('m', 2);"
        "SELECT pgsim.create_version('book', 'm', column_name => 'e'); ANALYZE book"
    )
    assert advise(connection) == []


# Partitions


def test_one_value_in_most_searches_is_what_partitions_are_for(indexed: Connection) -> None:
    indexed.execute("ALTER TABLE book ADD tenant int; UPDATE book SET tenant = id % 3; ANALYZE book")
    for tenant in range(3):
        record(indexed, {"tenant": tenant, "shelf": {"$lt": 40}}, 10)
    record(indexed, None, 5)
    cost(indexed, **(DEAR | {"ann_candidate": 1e-4}))
    (told,) = advise(indexed, "partition")
    assert (told.target, told.statement, told.searches, told.bytes) == ("tenant", None, 30, 0)
    assert "PARTITION BY LIST (tenant)" in told.reason
    assert "86%" in told.reason
    record(indexed, None, 40)
    assert advise(indexed, "partition") == []


def test_a_column_of_many_values_is_not(indexed: Connection) -> None:
    record(indexed, {"shelf": 7}, 20)
    assert advise(indexed, "partition") == []


def test_a_partitioned_table_gets_what_it_can_have(connection: Connection, vectors: NDArray[np.float32]) -> None:
    connection.execute(
        f"CREATE TABLE book (id int, tenant int, size int, e vector({DIM}), PRIMARY KEY (id, tenant)) "
        "PARTITION BY LIST (tenant); CREATE TABLE book_1 PARTITION OF book FOR VALUES IN (1);"
        "CREATE TABLE book_2 PARTITION OF book FOR VALUES IN (2)".encode()
    )
    connection.execute(
        "INSERT INTO book SELECT o, 1 + o %% 2, o, v FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o)",
        [vectors_text(vectors)],
    )
    connection.execute(
        "ANALYZE book; SELECT pgsim.create_collection('book', filter_columns => '{tenant}');"
        f"SELECT pgsim.create_model('m', {DIM}); SELECT pgsim.create_version('book', 'm', column_name => 'e')".encode()
    )
    cost(connection, **DEAR)
    record(connection, {"tenant": 1}, 10)
    record(connection, {"size": {"$lt": 30}}, 10)
    assert sorted(each.kind for each in advise(connection)) == ["btree_index", "hnsw"]
    for each in advise(connection):
        run(connection, each.statement)
    assert advise(connection) == []


# Calibration


def test_what_was_never_measured_is_to_be_measured(connection: Connection, vectors: NDArray[np.float32]) -> None:
    fill(connection, vectors)
    (told,) = advise(connection, "calibrate")
    assert (told.gain, told.bytes) == (0, 0)
    run(connection, told.statement)
    assert advise(connection, "calibrate") == []
    connection.execute("UPDATE pgsim._calibration SET rows = rows / 3")
    assert "stale" in advise(connection, "calibrate")[0].reason


# Order, budget and sums


def test_the_best_gain_for_its_bytes_comes_first_and_words_last(indexed: Connection) -> None:
    for filter, times in (({"section": "python"}, 20), ({"section": "games"}, 10), ({"size": {"$lt": 20}}, 5)):
        record(indexed, filter, times)
    cost(indexed, code_row=1e-4)
    told = advise(indexed)
    assert [each.rank for each in told] == list(range(1, len(told) + 1))
    stated = [each for each in told if each.statement]
    assert stated == told[: len(stated)]
    worth = [each.gain / max(each.bytes, 16384) for each in stated]
    assert worth == sorted(worth, reverse=True)
    assert {each.kind for each in stated} == {"partial_index", "btree_index"}


def test_gain_is_what_the_searches_take_less(indexed: Connection) -> None:
    record(indexed, {"section": "python"}, 20)
    record(indexed, {"section": "python", "shelf": {"$lt": 40}}, 10)
    for told in advise(indexed):
        assert told.seconds_before is not None
        assert told.seconds_after is not None
        assert told.gain == pytest.approx(told.searches * (told.seconds_before - told.seconds_after))


def test_the_budget_is_kept(indexed: Connection) -> None:
    for section in ("python", "games"):
        record(indexed, {"section": section}, 10)
    whole = advise(indexed)
    assert len([each for each in whole if each.kind == "partial_index"]) == 2
    budget = max(each.bytes for each in whole) + 1
    for bytes_given in (1, budget // 2, budget, 2 * budget, 2**40):
        assert sum(each.bytes for each in advise(indexed, budget=bytes_given)) <= bytes_given
    assert len(advise(indexed, "partial_index", budget=budget)) == 1
    assert advise(indexed, budget=2**40) == whole


def test_statements_run_as_they_stand_and_are_not_advised_again(
    database_dsn: str, vectors: NDArray[np.float32]
) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        fill(connection, vectors, declared="{section,shelf,lang}")
        for filter in (
            *({"section": "python"}, {"section": "games", "lang": "en"}, None),
            *({"size": {"$lt": 20}}, {"tags": {"$contains": "u7"}}, {"meta.author.name": "a7"}),
        ):
            record(connection, filter, 10)
        cost(connection, **(DEAR | {"code_row": 1e-6}))
        kinds = set()
        for _ in range(3):
            told = [each for each in advise(connection) if each.statement]
            kinds |= {each.kind for each in told}
            for each in told:
                connection.execute(str(each.statement).encode())
            cost(connection, **(DEAR | {"code_row": 1e-6}))
        assert told == []
        assert kinds >= {"codes", "hnsw", "partial_index", "btree_index", "gin_index", "statistics"}


# What the workload is


def test_without_a_record_it_says_so_and_takes_the_declared_columns(indexed: Connection) -> None:
    told = advise(indexed)
    assert {json.loads(each.target)["section"] for each in told if each.kind == "partial_index"} == {"games", "python"}
    assert all("no searches were recorded" in each.reason for each in told)
    record(indexed, {"section": "games"}, 1)
    assert not any("no searches were recorded" in each.reason for each in advise(indexed))


def test_values_that_were_not_kept_are_taken_to_be_the_common_ones(indexed: Connection) -> None:
    record(indexed, {"section": "s7"}, 100, values=False)
    told = {json.loads(each.target)["section"]: each for each in advise(indexed, "partial_index")}
    assert {section: each.searches for section, each in told.items()} == pytest.approx(
        {"games": 40, "python": 36}, rel=0.1
    )
    assert all("values were not recorded" in each.reason for each in told.values())


def test_values_that_were_not_kept_are_never_shown(indexed: Connection) -> None:
    for filter in (
        *({"section": "a secret"}, {"size": {"$gte": 424242}}, {"tags": {"$contains": ["a secret"]}}),
        *({"section": {"$in": ["a secret"]}, "lang": "a secret"}, {"$or": [{"section": "a secret"}, {"size": 424242}]}),
        *({"meta.author.name": "a secret"}, {"section": "games", "lang": "en", "size": {"$between": [424242, 424243]}}),
    ):
        record(indexed, filter, 10, values=False)
    told = str(advise(indexed))
    assert told != "[]"
    assert "secret" not in told
    assert "424242" not in told


def test_searches_of_another_embedding_are_not_its_own(indexed: Connection) -> None:
    indexed.execute(
        f"ALTER TABLE book ADD other vector({DIM}); UPDATE book SET other = e; ANALYZE book;"
        "SELECT pgsim.create_embedding('book', 'other', '{section}');"
        "SELECT pgsim.create_version('book', 'm', 'other', 'other')".encode()
    )
    record(indexed, {"section": "python"}, 20, embedding="other")
    cost(indexed, **DEAR)
    assert all("no searches were recorded" in each.reason for each in advise(indexed))
    told = advise(indexed, embedding="other")[0]
    assert told.searches == 20
    run(indexed, told.statement)
    assert "embedding => 'other'" in str(told.statement)


def test_conditions_in_sql_are_passed_over(indexed: Connection) -> None:
    record(indexed, {"section": "python"}, 20, where_sql="size > 0")
    assert all("no searches were recorded" in each.reason for each in advise(indexed))


def test_lines_that_make_no_sense_stop_nothing(indexed: Connection) -> None:
    record(indexed, {"section": "python"}, 20)
    for shape, filter, k, recall in (
        *((")$or((", None, 10, 0.9), ("a $eq, $eq", None, 10, 0.9), ("", None, 0, 0.9), ("", None, 10, "NaN")),
        *(
            ("x", '{"gone": 1}', 10, 0.9),
            ("x", "[1]", 10, 0.9),
            ("x", '{"size": "a"}', 10, 7),
            ("section $eq", None, -1, 0),
        ),
        *(
            ("x", '{"section": {"$in": 5}}', 10, 0.9),
            ('"', None, 10, 0.9),
            ("$ $", None, 10, 0.9),
            ("x", "{}", 10, 0.9),
        ),
    ):
        indexed.execute(
            "INSERT INTO pgsim._search_log "
            "(collection_id, version_id, shape, filter, k, recall_asked, strategy, returned, seconds) "
            "SELECT collection_id, version_id, %s, %s, %s, %s, 'ann', 10, 'NaN' FROM pgsim._search_log LIMIT 1",
            [shape, filter, k, recall],
        )
    assert [json.loads(each.target) for each in advise(indexed, "partial_index")] == [{"section": "python"}]


def test_names_may_hold_anything(connection: Connection, vectors: NDArray[np.float32]) -> None:
    connection.execute(
        """
        CREATE SCHEMA "S.%s";
        CREATE TABLE "S.%s"."100%s of 'it' $1"
            (id int PRIMARY KEY, "sec""tion %I" text, "A" int, b int, "t.a,gs" text[]);
        INSERT INTO "S.%s"."100%s of 'it' $1"
            SELECT i, 'it''s %s {"' || i % 2, i % 30, i % 30, ARRAY['t' || i % 900] FROM generate_series(1, 6000) AS i;
        ALTER TABLE "S.%s"."100%s of 'it' $1" ADD "v %2$s" vector(2);
        UPDATE "S.%s"."100%s of 'it' $1" SET "v %2$s" = ARRAY[sin(id), cos(id)]::vector;
        ANALYZE "S.%s"."100%s of 'it' $1";
        SELECT pgsim.create_collection('"S.%s"."100%s of ''it'' $1"', 'book', filter_columns => '{"sec\\"tion %I"}');
        SELECT pgsim.create_model('it''s %s', 2);
        SELECT pgsim.create_version('book', 'it''s %s', column_name => 'v %2$s')
        """
    )
    connection.execute("SELECT pgsim.record_searches('book', 1, \"values\" => true)")
    for filter in ({'sec"tion %I': "it's %s {\"1"}, {"A": 7, "b": 7}, {"t.a,gs": {"$contains": "t77"}}):
        for _ in range(5):
            connection.execute("SELECT pgsim.search('book', '[1,0]', filter => %s)", [json.dumps(filter)])
    cost(connection, **(DEAR | {"ann_candidate": 1e-4}))
    kinds = set()
    for _ in range(3):
        for each in advise(connection):
            if each.statement:
                kinds.add(each.kind)
                run(connection, each.statement)
        cost(connection, **(DEAR | {"ann_candidate": 1e-4}))
    assert kinds >= {"partial_index", "gin_index", "statistics"}


@pytest.mark.parametrize(
    ("shape", "filters"),
    [
        ("", [None]),
        ("section $eq", [{"section": {"$eq": "games"}}, {"section": {"$eq": "python"}}]),
        ('"section" $eq', [{"section": {"$eq": "games"}}, {"section": {"$eq": "python"}}]),
        ("lang $eq, section $eq", [{"lang": {"$eq": "en"}, "section": {"$eq": "games"}}]),
        ("shelf $gte, shelf $lt", [{"shelf": {"$gte": 14, "$lt": 44}}]),
        ("shelf $lt", [{"shelf": {"$lt": 29}}]),
        ("section $in", [{"section": {"$in": ["games", "python"]}}]),
        ("tags $contains", [{"tags": {"$contains": ["t0"]}}]),
        ("size $eq", [{"size": {"$eq": 3000}}]),
        *(
            (shape, [])
            for shape in ("$or(section $eq | shelf $eq)", "meta.a $eq", "where_sql", "lang $like", "gone $eq", "?")
        ),
    ],
)
def test_a_shape_stands_for_filters_with_the_columns_values(
    library: Connection, shape: str, filters: list[Filter]
) -> None:
    told = library.execute(
        "SELECT filter, share FROM pgsim._advise_filters('book', %s) ORDER BY share DESC, filter", [shape]
    ).fetchall()
    assert all(filter in [row[0] for row in told] for filter in filters)
    assert bool(told) == bool(filters)
    assert sum(row[1] for row in told) == pytest.approx(1.0 if filters else 0.0, rel=0.01)


# Who may, and what is refused


@pytest.mark.parametrize(
    ("arguments", "sqlstate"),
    [
        ({"budget": 0}, "PS010"),
        ({"budget": -5}, "PS010"),
        ({"model": "other"}, "PS002"),
        ({"embedding": "title"}, "PS003"),
    ],
)
def test_bad_arguments_are_refused(library: Connection, arguments: dict[str, object], sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        advise(library, **arguments)
    assert raised.value.sqlstate == sqlstate
    assert raised.value.diag.message_hint


def test_an_unknown_collection_is_refused(connection: Connection) -> None:
    with pytest.raises(psycopg.Error) as raised:
        advise(connection)
    assert raised.value.sqlstate == "PS001"


def test_advice_is_the_registrars(library: Connection) -> None:
    library.execute("CREATE ROLE a_reader; GRANT SELECT ON book TO a_reader; SET LOCAL ROLE a_reader")
    with pytest.raises(psycopg.Error) as raised:
        advise(library)
    assert raised.value.sqlstate == "PS032"


def test_a_registrar_from_whom_rows_are_hidden_is_refused(library: Connection) -> None:
    library.execute(
        "CREATE ROLE a_registrar; ALTER SCHEMA pgsim OWNER TO a_registrar; GRANT SELECT ON book TO a_registrar;"
        "ALTER TABLE book ENABLE ROW LEVEL SECURITY; CREATE POLICY half ON book USING (shelf < 30);"
        "SET LOCAL ROLE a_registrar"
    )
    with pytest.raises(psycopg.Error) as raised:
        advise(library)
    assert raised.value.sqlstate == "PS032"
    assert "row-level security" in str(raised.value)


def test_a_registrar_need_not_be_superuser(indexed: Connection) -> None:
    record(indexed, {"section": "python"}, 20)
    record(indexed, {"section": "games", "lang": "en"}, 5)
    expected = [each.statement for each in advise(indexed)]
    indexed.execute(
        "DO $$ DECLARE r record; BEGIN CREATE ROLE a_registrar; GRANT SELECT ON book TO a_registrar; "
        "ALTER SCHEMA pgsim OWNER TO a_registrar; "
        "FOR r IN SELECT oid::regclass AS t FROM pg_class WHERE relnamespace = 'pgsim'::regnamespace "
        "AND relkind = 'r' LOOP EXECUTE format('ALTER TABLE %s OWNER TO a_registrar', r.t); END LOOP; END $$;"
        "SELECT pgsim.sync_privileges('book'); SET LOCAL ROLE a_registrar"
    )
    assert [each.statement for each in advise(indexed)] == expected


def test_settings_are_as_they_were_and_nothing_is_noted_down(indexed: Connection) -> None:
    record(indexed, {"section": "python"}, 20)
    indexed.execute("SELECT pgsim.record_searches('book', 1, 1)")
    before = indexed.execute("SELECT name, setting FROM pg_settings ORDER BY name").fetchall()
    advise(indexed)
    assert indexed.execute("SELECT name, setting FROM pg_settings ORDER BY name").fetchall() == before
    assert indexed.execute("SELECT count(*) FROM pgsim._search_log").fetchall() == [(20,)]
