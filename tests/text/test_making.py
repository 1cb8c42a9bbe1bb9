"""A text index is made while its table is written: nobody waits for it, and it lacks nothing that was written."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from test_upkeep import CHANGES
from texts import CREATE, insert, search, statistics, true_statistics

from pgsim import errors
from pgsim.indexes import enable_text_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROWS = [(1, "a", "The fox", "a fox and a dog"), (2, "a", "Dogs", "dog dog fox"), (3, "b", "None", "")]
WRITES = [
    "INSERT INTO book VALUES (10, 'a', 'new fox', 'found here')",
    "UPDATE book SET body = 'other words, and a dog' WHERE id = 1",
    "DELETE FROM book WHERE id = 2",
    "UPDATE book SET id = 30, body = 'moved' WHERE id = 3",
    "UPDATE book SET pages = 7 WHERE id = 10",
]


def _problems(connection: psycopg.Connection) -> Sequence[tuple[object, ...]]:
    return connection.execute("SELECT problem FROM pgsim.check('book')").fetchall()


def _filled(connection: psycopg.Connection) -> bool:
    return connection.execute("SELECT FROM pgsim._text").rowcount == 1


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Making:
    """A session that makes the text index of ``book``, in a thread of its own."""

    def __init__(self, dsn: str, make: Callable[[psycopg.Connection], object]) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.pid = self.connection.info.backend_pid
        self.failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(make,))
        self._thread.start()

    def _run(self, make: Callable[[psycopg.Connection], object]) -> None:
        try:
            make(self.connection)
        except psycopg.Error as error:
            self.failed.append(error)
        finally:
            self.connection.close()

    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(timeout=60)
        assert self.is_over()


@pytest.fixture
def writer(database_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        connection.execute(CREATE.encode())
        insert(connection, ROWS)
        connection.execute("SET lock_timeout = '900ms'")
        yield connection


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_written_between_the_steps_is_in_the_index(connection: psycopg.Connection, change: str) -> None:
    connection.execute(CREATE.encode())
    insert(connection, ROWS)
    begin = "SELECT pgsim._begin_text('book', NULL, NULL, 1.2, 0.75, 'pgsim')::text"
    ((documents,),) = connection.execute(begin.encode()).fetchall()
    # Another transaction would not be among those that the filling saw; this one is.
    connection.execute("UPDATE pgsim._text SET filled_with = '{}'")
    connection.execute(CHANGES[change].encode())
    connection.execute("SELECT pgsim._watch_text(%s)", [documents])
    ((keys,),) = connection.execute("SELECT pgsim._changed_texts(%s)", [documents]).fetchall()
    connection.execute("UPDATE book SET body = body || ' later' WHERE id IN (1, 10, 77)")
    for key in keys:
        connection.execute("SELECT pgsim._repair_text(%s, %s)", [documents, [key]])
    connection.execute("SELECT pgsim._finish_text(%s)", [documents])
    assert statistics(connection) == true_statistics(connection)
    assert _problems(connection) == []


def test_rows_of_the_same_transaction_are_read_once(connection: psycopg.Connection) -> None:
    connection.execute(CREATE.encode())
    insert(connection, ROWS)
    begin = "SELECT pgsim._changed_texts(pgsim._begin_text('book', NULL, NULL, 1.2, 0.75, 'pgsim'))"
    assert connection.execute(begin.encode()).fetchall() == [([],)]


def test_rows_with_a_key_of_two_columns_are_found_again(connection: psycopg.Connection) -> None:
    connection.execute("""
        CREATE TABLE page ("book %" int, "no'" text, body text, PRIMARY KEY ("book %", "no'"));
        INSERT INTO page VALUES (1, 'i"', 'fox'), (1, 'ii', 'dog'), (2, 'i', 'owl');
        SELECT pgsim.create_collection('page', text_columns => '{body}', text_config => 'simple')
    """)
    begin = "SELECT pgsim._begin_text('page', NULL, NULL, 1.2, 0.75, 'pgsim')::text"
    ((documents,),) = connection.execute(begin.encode()).fetchall()
    connection.execute("UPDATE pgsim._text SET filled_with = '{}'")
    connection.execute("""DELETE FROM page WHERE "no'" = 'ii'; UPDATE page SET body = 'hen' WHERE "no'" = 'i"'""")
    for step in ("_watch_text(d)", "_repair_text(d, pgsim._changed_texts(d))", "_finish_text(d)"):
        connection.execute(f"SELECT pgsim.{step} FROM CAST(%s AS regclass) AS d".encode(), [documents])
    found = {word: len(search(connection, word, collection="page").keys) for word in ("fox", "dog", "owl", "hen")}
    assert found == {"fox": 0, "dog": 0, "owl": 1, "hen": 1}
    assert connection.execute("SELECT problem FROM pgsim.check('page')").fetchall() == []


def test_an_index_waits_for_a_long_transaction_and_no_writer_waits_for_it(
    database_dsn: str, writer: psycopg.Connection
) -> None:
    with psycopg.connect(database_dsn) as slow:
        slow.execute("UPDATE book SET body = 'slow fox' WHERE id = 1; INSERT INTO book VALUES (4, 'a', 'slow', 'owl')")
        making = Making(database_dsn, lambda each: enable_text_concurrently(each, "book"))
        _until(lambda: _filled(writer))
        for write in [*WRITES[:1], *WRITES[2:]]:
            writer.execute(write.encode())
            time.sleep(0.2)
        assert not making.is_over()
        assert _problems(writer) != []
        with pytest.raises(psycopg.DatabaseError, match="still being made") as raised:
            search(writer, "fox")
        assert raised.value.sqlstate == "PS035"
    making.join()
    assert making.failed == []
    assert statistics(writer) == true_statistics(writer)
    assert _problems(writer) == []


def test_what_is_committed_while_one_statement_makes_the_index_is_in_it(
    database_dsn: str, writer: psycopg.Connection
) -> None:
    with psycopg.connect(database_dsn) as slow:
        for write in WRITES:
            slow.execute(write.encode())
        making = Making(database_dsn, lambda each: each.execute("SELECT pgsim.enable_text('book')"))
        waits = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
        _until(lambda: writer.execute(waits, [making.pid]).fetchall() == [("Lock",)])
    making.join()
    assert making.failed == []
    assert statistics(writer) == true_statistics(writer)
    assert _problems(writer) == []


def test_an_index_whose_making_is_ended_leaves_nothing(database_dsn: str, writer: psycopg.Connection) -> None:
    with psycopg.connect(database_dsn) as slow:
        slow.execute("UPDATE book SET body = 'slow fox' WHERE id = 1")
        making = Making(database_dsn, lambda each: enable_text_concurrently(each, "book"))
        _until(lambda: _filled(writer))
        slow.rollback()
        slow.execute("SELECT FROM book WHERE id = 1 FOR UPDATE")
        # The row was not changed, so nothing waits for it.
        making.join()
    assert making.failed == []
    writer.execute("SELECT pgsim.disable_text('book')")
    with psycopg.connect(database_dsn) as slow:
        slow.execute("UPDATE book SET body = 'slow fox' WHERE id = 1")
        making = Making(database_dsn, lambda each: enable_text_concurrently(each, "book"))
        _until(lambda: _filled(writer))
        slow.commit()
        slow.execute("SELECT FROM book WHERE id = 1 FOR UPDATE")
        # This one was, and is to be read again: the making is ended while it waits.
        _until(lambda: writer.execute(_CANCEL, [making.pid]).fetchall() == [(True,)])
        slow.rollback()
    making.join()
    assert [type(error) for error in making.failed] == [psycopg.errors.QueryCanceled]
    left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'pgsim_data'::regnamespace AND relname LIKE 'book%'"
    assert writer.execute(left.encode()).fetchall() == [(0,)]
    assert _triggers(writer) == 0
    enable_text_concurrently(writer, "book")
    assert statistics(writer) == true_statistics(writer)


_CANCEL = (
    "SELECT pg_cancel_backend(a.pid) FROM pg_stat_activity AS a "
    "WHERE a.pid = %s AND a.wait_event_type = 'Lock' AND a.query LIKE '%%_repair_text%%'"
)


def _triggers(connection: psycopg.Connection) -> int:
    count = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'book'::regclass AND tgname LIKE '!pgsim_text%'"
    return int(connection.execute(count.encode()).fetchall()[0][0])


def test_an_index_is_made_in_steps_outside_transactions_alone(database_dsn: str, writer: psycopg.Connection) -> None:
    with psycopg.connect(database_dsn) as within, pytest.raises(errors.WrongState, match="inside a transaction"):
        enable_text_concurrently(within, "book")
    enable_text_concurrently(writer, "book", weights={"title": 3}, k1=0.9)
    assert search(writer, "fox").keys == ["1", "2"]
    with pytest.raises(errors.AlreadyExists):
        enable_text_concurrently(writer, "book")
    assert search(writer, "fox").keys == ["1", "2"]


def test_two_who_make_an_index_at_once_get_one(database_dsn: str, writer: psycopg.Connection) -> None:
    both = [Making(database_dsn, lambda each: each.execute("SELECT pgsim.enable_text('book')")) for _ in range(2)]
    for making in both:
        making.join()
    assert [getattr(error, "sqlstate", None) for making in both for error in making.failed] == ["PS020"]
    assert _problems(writer) == []
