"""What is written during a backfill reaches every live version, and no writer waits for a worker."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from letters import Gate, Letters, counts, wrong

from pgsim.versions.backfill import backfill
from pgsim.versions.worker import WorkerOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WRITES = {
    "insert": "INSERT INTO articles VALUES (41, 'new'), (42, 'newer')",
    "update": "UPDATE articles SET body = body || ' changed' WHERE id < 9",
    "update twice": "UPDATE articles SET body = 'once' WHERE id < 9; UPDATE articles SET body = 'twice' WHERE id < 9",
    "update of other columns": "UPDATE articles SET views = views + 1",
    "delete": "DELETE FROM articles WHERE id > 30",
    "text gone": "UPDATE articles SET body = NULL WHERE id = 7",
    "key change": "UPDATE articles SET id = id + 100 WHERE id < 5",
    "key swap": "UPDATE articles SET id = 99 WHERE id = 1; UPDATE articles SET id = 1 WHERE id = 2; "
    "UPDATE articles SET id = 2 WHERE id = 99",
    "deleted and back": "DELETE FROM articles WHERE id < 6; INSERT INTO articles VALUES (1, 'back'), (2, 'back')",
    "truncate": "TRUNCATE articles CASCADE; INSERT INTO articles VALUES (1, 'alone'), (77, 'a second')",
}  # fmt: skip


@pytest.mark.parametrize("write", WRITES)
def test_a_write_while_the_embedder_works_reaches_every_version(
    dsn: str, connection: psycopg.Connection, write: str
) -> None:
    connection.execute("SELECT pgsim.create_model('letters too', 26)")
    connection.execute("SELECT pgsim.create_version('articles', 'letters too')")
    gate = Gate()
    worker = threading.Thread(
        target=backfill, args=(dsn, "articles", gate), kwargs={"model": "letters", "index": "none"}
    )
    worker.start()
    assert gate.reached.wait(30)
    connection.execute("SET lock_timeout = '100ms'")
    connection.execute(WRITES[write].encode())
    gate.go_on.set()
    worker.join(30)
    backfill(dsn, "articles", Letters(), model="letters too", index="none")
    assert wrong(connection) == []
    assert wrong(connection, "letters too") == []
    waiting = connection.execute("SELECT sum(pending + taken) FROM pgsim.backfill_progress WHERE model <> 'old'")
    assert waiting.fetchall() == [(0,)]


def test_copied_rows_are_embedded_too(dsn: str, connection: psycopg.Connection) -> None:
    gate = Gate()
    worker = threading.Thread(target=backfill, args=(dsn, "articles", gate), kwargs={"model": "letters"})
    worker.start()
    assert gate.reached.wait(30)
    with connection.cursor().copy("COPY articles (id, body) FROM STDIN") as copy:
        copy.write_row((50, "copied"))
    gate.go_on.set()
    worker.join(30)
    assert wrong(connection) == []


def test_what_was_embedded_of_an_older_text_does_not_replace_the_vector_of_a_newer_one(
    dsn: str, connection: psycopg.Connection
) -> None:
    gate = Gate()
    slow = threading.Thread(target=backfill, args=(dsn, "articles", gate), kwargs={"model": "letters"})
    slow.start()
    assert gate.reached.wait(30)
    connection.execute("UPDATE articles SET body = 'newer' WHERE id = 3")
    backfilled = threading.Thread(target=backfill, args=(dsn, "articles", Letters()), kwargs={"model": "letters"})
    backfilled.start()
    while connection.execute("SELECT count(*) FROM pgsim.search('articles', %s::text::vector, model => 'letters')",
                             [str(counts("newer").tolist())]).fetchall() == [(0,)]:  # fmt: skip
        pass
    gate.go_on.set()
    slow.join(30)
    backfilled.join(30)
    assert wrong(connection) == []


def test_writers_run_at_their_own_pace_during_a_fill(dsn: str, connection: psycopg.Connection) -> None:
    """Lock audit: a worker's locks on the base table are those of a reader, and writers wait for none of them."""
    connection.execute("INSERT INTO articles SELECT i, 'more ' || i FROM generate_series(41, 1500) AS i")
    modes: set[str] = set()
    over = threading.Event()

    class Watched(Letters):
        def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
            with psycopg.connect(dsn) as other:
                modes.update(mode for (mode,) in other.execute(AUDIT))
            return super().embed_documents(texts)

    def audit() -> None:
        with psycopg.connect(dsn, autocommit=True) as other:
            while not over.is_set():
                modes.update(mode for (mode,) in other.execute(AUDIT))

    auditor = threading.Thread(target=audit)
    auditor.start()
    worker = threading.Thread(
        target=backfill,
        args=(dsn, "articles", Watched),
        kwargs={"model": "letters", "workers": 2, "index": "live", "options": WorkerOptions(batch_rows=100)},
    )
    worker.start()
    connection.execute("SET lock_timeout = '100ms'")
    written = 0
    while worker.is_alive() and written < 150:
        key = 1 + written * 37 % 1500
        connection.execute("UPDATE articles SET body = body || '!', views = views + 1 WHERE id = %s", [key])
        connection.execute("DELETE FROM articles WHERE id = %s", [1 + written * 53 % 1500])
        connection.execute("INSERT INTO articles VALUES (%s, 'written meanwhile')", [2000 + written])
        written += 1
    worker.join(30)
    over.set()
    auditor.join(30)
    backfill(dsn, "articles", Letters(), model="letters")
    assert wrong(connection) == []
    assert written > 3
    assert modes <= {"AccessShareLock", "RowShareLock"}


AUDIT = """
SELECT l.mode FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.relation = 'articles'::regclass AND a.application_name <> 'writer' AND l.granted
  AND a.query LIKE '%pgsim.\\_%' AND a.pid <> pg_backend_pid()
"""


def test_a_row_that_somebody_is_deleting_is_passed_over_and_comes_again(
    dsn: str, connection: psycopg.Connection
) -> None:
    with psycopg.connect(dsn) as writer:
        writer.execute("DELETE FROM articles WHERE id = 5")
        worker = threading.Thread(
            target=backfill, args=(dsn, "articles", Letters()), kwargs={"model": "letters", "index": "none"}
        )
        worker.start()
        while connection.execute("SELECT done FROM pgsim.backfill_progress WHERE model = 'letters'").fetchall() != [
            (39,)
        ]:
            pass
        writer.rollback()
    worker.join(30)
    assert wrong(connection) == []


def test_a_writer_of_filter_columns_and_a_worker_that_stores_the_same_rows_do_not_wait_for_each_other_for_ever(
    dsn: str, connection: psycopg.Connection
) -> None:
    connection.execute(
        "DELETE FROM articles WHERE id > 2; UPDATE pgsim._collection SET filter_columns = '{views}';"
        "SELECT pgsim.create_index('articles', 'letters', method => 'codes')"
    )
    with psycopg.connect(dsn) as writer:
        writer.execute("UPDATE articles SET views = 1 WHERE id = 2")
        worker = threading.Thread(
            target=backfill, args=(dsn, "articles", Letters()), kwargs={"model": "letters", "index": "none"}
        )
        worker.start()
        stored = "SELECT FROM pgsim.search('articles', %s::text::vector, model => 'letters') WHERE key = '1'"
        for _ in range(500):
            if connection.execute(stored, [str(counts("b").tolist())]).rowcount:
                break
            threading.Event().wait(0.01)
        else:
            pytest.fail("the worker waits for the writer")
        writer.execute("UPDATE articles SET views = 1 WHERE id = 1")
        writer.commit()
    worker.join(30)
    assert not worker.is_alive()
    assert wrong(connection) == []
    found = connection.execute(
        "SELECT key FROM pgsim.search('articles', %s::text::vector, filter => '{\"views\": 1}', model => 'letters', "
        "mode => 'codes')",
        [str(counts("b").tolist())],
    )
    assert {key for (key,) in found.fetchall()} == {"1", "2"}


@pytest.mark.slow
def test_writers_of_filter_columns_and_workers_never_deadlock(dsn: str, connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO articles SELECT i, 'article ' || repeat(chr(97 + i % 26), i % 90) "
        "FROM generate_series(41, 2000) AS i;"
        "UPDATE pgsim._collection SET filter_columns = '{views}';"
        "SELECT pgsim.create_index('articles', 'letters', method => 'codes')"
    )
    over = threading.Event()
    refused: list[psycopg.Error] = []

    def write(order: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as writer:
            while not over.is_set():
                try:
                    writer.execute(
                        "WITH these AS MATERIALIZED (SELECT id FROM articles WHERE id % 7 = 0 "
                        f"ORDER BY id {order} FOR NO KEY UPDATE) "
                        "UPDATE articles AS a SET views = views + 1 FROM these AS t WHERE a.id = t.id".encode()
                    )
                except psycopg.Error as error:
                    refused.append(error)
                    return

    # Writers that lock their rows in one order, the other way round than workers come to them.
    writer = threading.Thread(target=write, args=("DESC",))
    writer.start()
    try:
        for number in range(5):
            for key in range(1 + number, 2000, 9):
                connection.execute("UPDATE articles SET body = body || 'x' WHERE id = %s", [key])
            backfill(dsn, "articles", Letters(), model="letters", workers=2, index="none")
    finally:
        over.set()
        writer.join()
    assert refused == []
    assert wrong(connection) == []
