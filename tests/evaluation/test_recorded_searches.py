"""Searches are noted down only as far as asked, and never in a searcher's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from shelf import fill_shelf

from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shelf import Shelf

SEARCH = {
    "collection_id": 0,
    "version_id": 0,
    "shape": "tenant $eq",
    "filter": '{"tenant": "acme"}',
    "k": 10,
    "recall_asked": 0.9,
    "strategy": "ann",
    "estimated": 240.0,
    "matches": 240.0,
    "returned": 10,
    "seconds": 0.002,
    "exact_seconds": 0.01,
    "recall": 1.0,
    "keys": ["1", "2"],
}


def _note(connection: psycopg.Connection[Any], **search: object) -> None:
    ids = connection.execute(
        "SELECT c.id AS collection_id, v.id AS version_id FROM pgsim._collection AS c, pgsim.versions AS v "
        "WHERE c.name = 'book' AND v.collection = 'book' AND v.state = 'active'"
    ).fetchall()[0]
    given = {**SEARCH, "collection_id": ids[0], "version_id": ids[1], **search}
    named = ", ".join(f"{name} => %({name})s" for name in given)
    connection.execute(f"SELECT pgsim._record_search({named})".encode(), given)


def _noted(connection: psycopg.Connection[Any], columns: str = "shape, filter") -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT {columns} FROM pgsim._search_log ORDER BY id".encode()).fetchall()


def test_nothing_is_noted_down_until_it_is_asked_for(shelf: Shelf) -> None:
    _note(shelf.connection)
    assert _noted(shelf.connection) == []
    shelf.connection.execute("SELECT pgsim.record_searches('book', share => 0.5)")
    _note(shelf.connection)
    assert _noted(shelf.connection, "shape, k, strategy, returned, recall") == [("tenant $eq", 10, "ann", 10, 1.0)]


def test_values_are_kept_only_where_they_are_asked_for(shelf: Shelf) -> None:
    shelf.connection.execute("SELECT pgsim.record_searches('book', share => 1)")
    _note(shelf.connection)
    shelf.connection.execute("""SELECT pgsim.record_searches('book', "values" => true)""")
    _note(shelf.connection)
    assert _noted(shelf.connection) == [("tenant $eq", None), ("tenant $eq", {"tenant": "acme"})]


def test_what_is_not_given_stays_as_it_was(shelf: Shelf) -> None:
    def told() -> list[tuple[Any, ...]]:
        return shelf.connection.execute(
            "SELECT record_share, audit_share, record_values FROM pgsim._collection"
        ).fetchall()

    assert told() == [(0, 0, False)]
    shelf.connection.execute("""SELECT pgsim.record_searches('book', 0.5, 0.01, true)""")
    shelf.connection.execute("SELECT pgsim.record_searches('book')")
    assert told() == [(0.5, 0.01, True)]
    shelf.connection.execute("""SELECT pgsim.record_searches('book', audit_share => 0, "values" => false)""")
    assert told() == [(0.5, 0, False)]


@pytest.mark.parametrize("argument", ["share", "audit_share"])
@pytest.mark.parametrize("part", ["-0.1", "1.5", "NaN", "inf"])
def test_a_share_is_a_part_of_the_whole(shelf: Shelf, argument: str, part: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        shelf.connection.execute(f"SELECT pgsim.record_searches('book', {argument} => '{part}')".encode())
    assert raised.value.sqlstate == "PS010"
    assert raised.value.diag.message_hint


def test_a_version_of_another_collection_is_not_noted_down(shelf: Shelf) -> None:
    shelf.connection.execute("SELECT pgsim.record_searches('book', 1)")
    _note(shelf.connection, version_id=-1)
    _note(shelf.connection, collection_id=-1)
    assert _noted(shelf.connection) == []


def test_a_line_is_bounded(shelf: Shelf) -> None:
    shelf.connection.execute("""SELECT pgsim.record_searches('book', 1, "values" => true)""")
    _note(shelf.connection, shape="x" * 1_000_000, strategy="y" * 1000, filter=f'{{"tenant": "{_noise(20_000)}"}}')
    assert _noted(shelf.connection, "length(shape), length(strategy), filter") == [(2000, 40, None)]


def _noise(characters: int) -> str:
    return "".join(chr(97 + (i * i * 31 + i * 7) % 26) for i in range(characters))


def test_measuring_recall_is_no_users_search(shelf: Shelf) -> None:
    shelf.connection.execute("SELECT pgsim.record_searches('book', 1, 1)")
    shelf.recall(sample=3)
    assert _noted(shelf.connection) == []


def test_a_search_leaves_its_shape_and_not_its_values(shelf: Shelf) -> None:
    shelf.connection.execute("SELECT pgsim.record_searches('book', share => 1)")
    query = vector_text(shelf.vectors[0])
    shelf.connection.execute(
        """SELECT pgsim.search('book', %s, k => 7, recall => 0.9, filter => '{"tenant": "umbrella"}')""", [query]
    )
    shelf.connection.execute("SELECT pgsim.search('book', %s, where_sql => $$tenant = 'secret'$$)", [query])
    columns = "shape, filter, k, recall_asked, returned, exact_seconds, recall"
    assert _noted(shelf.connection, columns) == [
        ("tenant $eq", None, 7, 0.9, 7, None, None),
        ("where_sql", None, 10, 0.95, 0, None, None),
    ]
    assert "secret" not in str(_noted(shelf.connection, "to_jsonb(_search_log)::text"))


def test_an_audited_search_leaves_the_recall_it_had(shelf: Shelf) -> None:
    shelf.connection.execute("SELECT pgsim.record_searches('book', audit_share => 1)")
    for vector in shelf.vectors[:5]:
        shelf.connection.execute("SELECT pgsim.search('book', %s)", [vector_text(vector)])
    told = shelf.connection.execute(
        "SELECT shape, searches, mean_recall, worst_recall, exact_seconds > 0 FROM pgsim.recall_audit"
    ).fetchall()
    assert told == [("", 5, 1, 1, True)]


def test_searches_in_a_read_only_transaction_are_answered(database_dsn: str, normal_vectors: NDArray[Any]) -> None:
    with psycopg.connect(database_dsn) as connection:
        fill_shelf(connection, normal_vectors)
        connection.execute("SELECT pgsim.record_searches('book', 1, 1)")
        connection.commit()
        connection.execute("SET TRANSACTION READ ONLY")
        query = vector_text(normal_vectors[0])
        assert len(connection.execute("SELECT key FROM pgsim.search('book', %s)", [query]).fetchall()) == 10
        connection.commit()
        assert _noted(connection) == []


def test_a_read_only_transaction_is_not_disturbed(database_dsn: str, normal_vectors: NDArray[Any]) -> None:
    with psycopg.connect(database_dsn) as connection:
        fill_shelf(connection, normal_vectors)
        connection.execute("SELECT pgsim.record_searches('book', 1)")
        connection.commit()
        connection.execute("SET TRANSACTION READ ONLY")
        _note(connection)
        connection.commit()
        assert _noted(connection) == []


def test_who_may_search_writes_the_log_and_cannot_read_it(shelf: Shelf) -> None:
    connection = shelf.connection
    connection.execute("SELECT pgsim.record_searches('book', 1); CREATE ROLE a_reader; SET LOCAL ROLE a_reader")
    _note(connection)
    for statement in (
        "SELECT * FROM pgsim._search_log",
        "SELECT * FROM pgsim.recall_audit",
        "DELETE FROM pgsim._search_log",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute(statement.encode())
    connection.execute("RESET ROLE")
    assert len(_noted(connection)) == 1


@pytest.mark.parametrize("call", ["record_searches('book', 1)", "forget_searches('book')"])
def test_the_registrar_alone_decides_what_is_kept(shelf: Shelf, call: str) -> None:
    shelf.connection.execute("CREATE ROLE a_reader; GRANT SELECT ON book TO a_reader; SET LOCAL ROLE a_reader")
    with pytest.raises(psycopg.Error) as raised:
        shelf.connection.execute(f"SELECT pgsim.{call}".encode())
    assert raised.value.sqlstate == "PS032"


@pytest.mark.parametrize("call", ["record_searches('nothing', 1)", "forget_searches('nothing')"])
def test_an_unknown_collection_is_refused(connection: psycopg.Connection[Any], call: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        connection.execute(f"SELECT pgsim.{call}".encode())
    assert raised.value.sqlstate == "PS001"


def test_what_is_old_is_forgotten(shelf: Shelf) -> None:
    connection = shelf.connection
    connection.execute("SELECT pgsim.record_searches('book', 1)")
    for _ in range(3):
        _note(connection)
    connection.execute(
        "UPDATE pgsim._search_log SET at = '2020-01-01' WHERE id = (SELECT min(id) FROM pgsim._search_log)"
    )
    assert connection.execute("SELECT pgsim.forget_searches('book', before => '2021-01-01')").fetchall() == [(1,)]
    assert connection.execute("SELECT pgsim.forget_searches('book')").fetchall() == [(2,)]
    assert _noted(connection) == []


def test_the_log_goes_with_its_collection(shelf: Shelf) -> None:
    shelf.connection.execute("SELECT pgsim.record_searches('book', 1)")
    _note(shelf.connection)
    shelf.connection.execute("SELECT pgsim.drop_collection('book')")
    assert _noted(shelf.connection) == []


def test_the_audit_says_what_recall_each_shape_of_filter_gets(shelf: Shelf) -> None:
    connection = shelf.connection
    connection.execute("SELECT pgsim.record_searches('book', 1, 1)")
    for shape, recall, asked, seconds in (
        ("tenant $eq", 1.0, 0.9, 0.001),
        ("tenant $eq", 0.8, 0.9, 0.002),
        ("tenant $eq", 0.9, 0.9, 0.006),
        ("", 1.0, 0.99, 0.004),
        ("", None, 0.99, 9.0),
    ):
        _note(connection, shape=shape, recall=recall, recall_asked=asked, seconds=seconds)
    told = connection.execute(
        "SELECT shape, searches, recall_asked, mean_recall, worst_recall, share_below_asked, seconds, exact_seconds "
        "FROM pgsim.recall_audit WHERE (collection, embedding, model) = ('book', 'default', 'model') ORDER BY shape"
    ).fetchall()
    assert told == [
        ("", 1, 0.99, 1.0, 1.0, 0.0, 0.004, 0.01),
        ("tenant $eq", 3, *(pytest.approx(value) for value in (0.9, 0.9, 0.8, 1 / 3, 0.002, 0.01))),
    ]
