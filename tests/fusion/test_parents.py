"""Chunks whose parent is another table: the parents are ranked, each by its best chunks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest

from pgsim.vectors import vector_text, vectors_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]

CHUNKS, DIM = 400, 6
RNG = np.random.default_rng(2)
VECTORS: NDArray[np.float32] = RNG.normal(size=(CHUNKS, DIM)).astype(np.float32)
QUERY: NDArray[np.float32] = RNG.normal(size=DIM).astype(np.float32)
# The first book has two hundred chunks, and some have one; ten chunks belong to none.
PARENT = [None if i < 10 else 1 if i < 210 else 2 + i % 37 for i in range(CHUNKS)]
SCORES = VECTORS.astype(float) @ QUERY / np.linalg.norm(VECTORS, axis=1) / np.linalg.norm(QUERY)


@pytest.fixture
def chunks(connection: Connection) -> Connection:
    connection.execute("CREATE TABLE book (id int PRIMARY KEY, title text)")
    connection.execute("INSERT INTO book SELECT i, 'book ' || i FROM generate_series(1, 60) AS i")
    connection.execute("CREATE TABLE chunk (id int PRIMARY KEY, book_id int REFERENCES book, page int)")
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO chunk VALUES (%s, %s, %s)", [(i + 1, book, i % 5) for i, book in enumerate(PARENT)]
        )
    connection.execute("SELECT pgsim.create_collection('chunk'), pgsim.create_model('m', %s)", [DIM])
    connection.execute("SELECT pgsim.create_version('chunk', 'm')")
    keys = [str(i + 1) for i in range(CHUNKS)]
    connection.execute("SELECT pgsim.upsert('chunk', 'm', %s, %s)", [keys, vectors_text(VECTORS)])
    connection.execute("ANALYZE chunk")
    return connection


def search(connection: Connection, **arguments: object) -> list[tuple[Any, ...]]:
    given = {"query": vector_text(QUERY), **arguments}
    values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in given.items()}
    named = ", ".join(f"{name} => %({name})s" for name in values)
    return connection.execute(
        f"SELECT * FROM pgsim.search_parents('chunk', 'book_id', {named})".encode(), values
    ).fetchall()


def by_hand(aggregate: str, top: int, pages: set[int] | None = None) -> dict[str, float]:
    of: dict[int, list[float]] = {}
    for i, book in enumerate(PARENT):
        if book is not None and (pages is None or i % 5 in pages):
            of.setdefault(book, []).append(float(SCORES[i]))
    best = {book: sorted(scores, reverse=True)[: 1 if aggregate == "max" else top] for book, scores in of.items()}
    total = {
        str(book): sum(scores) if aggregate == "sum" else sum(scores) / len(scores) for book, scores in best.items()
    }
    return dict(sorted(total.items(), key=lambda row: -row[1]))


@pytest.mark.parametrize("top", [1, 3, 50])
@pytest.mark.parametrize("aggregate", ["max", "mean", "sum"])
def test_parents_are_ranked_by_their_best_chunks(chunks: Connection, aggregate: str, top: int) -> None:
    found = search(chunks, aggregate=aggregate, top=top, k=10)
    expected = by_hand(aggregate, top)
    assert [(row[0], row[2]) for row in found] == [(key, rank) for rank, key in enumerate(list(expected)[:10], 1)]
    assert [row[1] for row in found] == pytest.approx(list(expected.values())[:10], abs=1e-5)


@pytest.mark.parametrize("aggregate", ["max", "mean", "sum"])
def test_a_condition_in_sql_is_read_by_the_callers_search_path(chunks: Connection, aggregate: str) -> None:
    chunks.execute("CREATE SCHEMA shop")
    chunks.execute("CREATE FUNCTION shop.wanted(page int, first int) RETURNS boolean RETURN page >= first")
    chunks.execute("SET LOCAL search_path = shop, public")
    condition = "wanted(page, ($1 ->> 'least')::int) -- and no more"
    found = search(chunks, aggregate=aggregate, where_sql=condition, where_values={"least": 3}, k=10)
    expected = by_hand(aggregate, 3, {3, 4})
    assert [row[0] for row in found] == list(expected)[:10]
    assert chunks.execute("SHOW search_path").fetchall() == [("shop, public",)]
    with pytest.raises(psycopg.DatabaseError, match="where_values"), chunks.transaction():
        search(chunks, aggregate=aggregate, where_values={"least": 3})
    assert chunks.execute("SHOW search_path").fetchall() == [("shop, public",)]


def test_every_parent_comes_when_as_many_are_asked_for_and_chunks_without_one_do_not(chunks: Connection) -> None:
    for aggregate in ("max", "sum"):
        found = search(chunks, k=100, aggregate=aggregate)
        assert {row[0] for row in found} == {str(book) for book in PARENT if book is not None}


def test_details_have_the_chunks_that_counted(chunks: Connection) -> None:
    for row in search(chunks, aggregate="sum", top=2, k=3):
        told = row[3]["chunks"]
        assert len(told) == 2
        assert all(str(PARENT[int(chunk["key"]) - 1]) == row[0] for chunk in told)
        assert sum(chunk["score"] for chunk in told) == pytest.approx(row[1])


def test_a_filter_chooses_among_chunks(chunks: Connection) -> None:
    found = search(chunks, filter={"page": {"$in": [1, 2]}}, aggregate="mean", top=4)
    expected = by_hand("mean", 4, {1, 2})
    assert [row[0] for row in found] == list(expected)[:10]
    assert search(chunks, filter={"page": 99}) == []


def test_legs_are_fused_before_chunks_are_put_together(chunks: Connection) -> None:
    early = {"early": {"column": "page", "order": "asc"}}
    by_page = search(chunks, legs=early, weights={"dense": 0.01, "early": 1}, aggregate="mean", top=1, k=5)
    pages = {row[0]: row[3]["chunks"][0]["key"] for row in by_page}
    assert all((int(key) - 1) % 5 == 0 for key in pages.values())


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "says"),
    [
        ({"aggregate": "median"}, "PS010", "'median'; known are max, mean and sum"),
        ({"top": 0}, "PS010", "top is 0"),
        ({"k": 0}, "PS010", "k is 0"),
        ({"k": 1001, "aggregate": "sum"}, "PS010", "up to 1000"),
        ({"query": None}, "PS010", "nothing to look for"),
        ({"filter": {"nothing": 1}}, "PS005", "nothing"),
        ({"model": "other"}, "PS002", "other"),
    ],
)
def test_what_cannot_be_done_is_refused(
    chunks: Connection, arguments: dict[str, object], sqlstate: str, says: str
) -> None:
    with pytest.raises(psycopg.Error) as refused:
        search(chunks, **arguments)
    assert (refused.value.sqlstate, says in str(refused.value)) == (sqlstate, True)
    assert refused.value.diag.message_hint


def test_a_parent_is_not_null(chunks: Connection) -> None:
    with pytest.raises(psycopg.Error, match="parent") as refused:
        chunks.execute("SELECT * FROM pgsim.search_parents('chunk', NULL, '[1,1,1,1,1,1]')")
    assert str(refused.value.sqlstate).startswith("PS")


def test_a_parent_is_a_column(chunks: Connection) -> None:
    with pytest.raises(psycopg.Error, match="no column 'book'") as refused:
        chunks.execute("SELECT * FROM pgsim.search_parents('chunk', 'book', '[1,1,1,1,1,1]')")
    assert refused.value.sqlstate == "PS005"


@pytest.mark.parametrize("by", ["vector", "vector and text"])
@pytest.mark.parametrize("aggregate", ["mean", "sum"])
def test_parents_of_more_chunks_than_a_search_gives_are_all_ranked(
    connection: Connection, by: str, aggregate: str
) -> None:
    # The best half of the chunks of the first books are the nearest of all, and the others the farthest.
    connection.execute(
        "CREATE TABLE chunk (id int PRIMARY KEY, book_id int, body text, e vector(2));"
        "INSERT INTO chunk SELECT (b - 1) * 260 + j, b, 'word', "
        "CASE WHEN b > 10 THEN ARRAY[1, .5 + b / 1000.] WHEN j <= 130 THEN '{1,0}' ELSE '{0.2,1}' END::real[]::vector "
        "FROM generate_series(1, 45) AS b, generate_series(1, 260) AS j; ANALYZE chunk;"
        "SELECT pgsim.create_collection('chunk', text_columns => '{body}'), pgsim.create_model('m', 2);"
        "SELECT pgsim.create_version('chunk', 'm', column_name => 'e')"
    )
    more: dict[str, object] = {}
    if by != "vector":
        connection.execute("SELECT pgsim.enable_text('chunk')")
        more = {"text_query": "word", "weights": {"dense": 1, "text": 0.5}}
    truth = connection.execute(
        f"SELECT c.book_id::text FROM chunk AS c GROUP BY c.book_id ORDER BY {'avg' if aggregate == 'mean' else 'sum'}"
        "(1 - (e <=> '[1,0]')) DESC, c.book_id".encode()
    ).fetchall()
    rows = search(connection, query="[1,0]", k=45, aggregate=aggregate, top=1000, candidates=500, **more)
    assert [row[0] for row in rows] == [key for (key,) in truth]
    assert {len(row[3]["chunks"]) for row in rows} == {260}
