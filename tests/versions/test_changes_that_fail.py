"""Operators, kills and writers at once: there is one active version always, and it is the one that was committed."""

from __future__ import annotations

import contextlib
import random
import threading
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

from pgsim import Database, errors

if TYPE_CHECKING:
    from collections.abc import Callable

ACTIVE = "SELECT array_agg(model) FROM pgsim.versions WHERE state = 'active'"


def active(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(ACTIVE).fetchall()[0][0]  # type: ignore[no-any-return]


def test_a_reader_sees_the_old_pointer_until_the_new_one_is_committed(documents_dsn: str) -> None:
    search = "SELECT details ->> 'model' FROM pgsim.search('documents', %s::text::vector, 1)"
    with psycopg.connect(documents_dsn) as operator, psycopg.connect(documents_dsn, autocommit=True) as reader:
        reader.execute("SET lock_timeout = '500ms'")
        operator.execute("SELECT pgsim.activate('documents', 'new')")
        assert reader.execute(search, ["[1,1]"]).fetchone() == ("old",)
        operator.commit()
        assert reader.execute(search, ["[1,1,1]"]).fetchone() == ("new",)


def test_of_two_operators_one_waits_for_the_other(documents_dsn: str) -> None:
    with psycopg.connect(documents_dsn, autocommit=True) as connection:
        connection.execute("SELECT pgsim.create_version('documents', 'other')")
    with psycopg.connect(documents_dsn) as first, psycopg.connect(documents_dsn) as second:
        first.execute("SELECT pgsim.activate('documents', 'new')")
        second.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable), second.transaction():
            second.execute("SELECT pgsim.activate('documents', 'other', force => true)")
        first.commit()
        row = second.execute("SELECT pgsim.activate('documents', 'other', force => true)").fetchone()
        assert row == ("new",), "it takes the place of what was committed meanwhile"
        second.commit()
    assert active(documents_dsn) == ["other"]


def test_many_operators_at_once_leave_one_active_version_and_a_history_that_adds_up(documents_dsn: str) -> None:
    def work(seed: int) -> None:
        draw = random.Random(seed)
        with Database(documents_dsn) as database:
            for _ in range(12):
                step: Callable[[], object] = draw.choice(
                    [
                        lambda: database.activate("documents", "new"),
                        lambda: database.activate("documents", "old"),
                        lambda: database.rollback("documents"),
                        lambda: database.mark_ready("documents", "new"),
                    ]
                )
                try:
                    step()
                except errors.WrongState:
                    continue  # nothing to go back to

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Database(documents_dsn) as database:
        model = "old"
        for step in database.history():
            if step.action in {"activate", "rollback"}:
                assert step.previous_model == model
                model = step.model
    assert active(documents_dsn) == [model]


@pytest.mark.parametrize("step", ["activate('documents', 'new')", "rollback('documents')"])
def test_a_backend_that_is_killed_leaves_the_pointer_where_it_was(documents_dsn: str, step: str) -> None:
    """At any moment: before it has the lock, while it compares, between the two changes, before it commits."""
    if step.startswith("rollback"):
        with Database(documents_dsn) as database:
            database.activate("documents", "new")
    before = active(documents_dsn)
    for attempt in range(25):
        with psycopg.connect(documents_dsn, autocommit=True) as killer, psycopg.connect(documents_dsn) as operator:
            kill = threading.Timer(
                random.Random(attempt).uniform(0, 0.006),
                killer.execute,
                ["SELECT pg_terminate_backend(%s)", [operator.info.backend_pid]],
            )
            kill.start()
            with contextlib.suppress(psycopg.OperationalError):
                operator.execute(f"SELECT pgsim.{step}")  # type: ignore[arg-type]
            kill.join()
            # It died in the middle, or after the last statement: nothing was committed.
            with pytest.raises(psycopg.OperationalError):
                operator.commit()
        assert active(documents_dsn) == before
    with Database(documents_dsn) as database:
        assert (database.activate if "activate" in step else database.rollback)(*step.split("'")[1::2])
        assert len(database.search("documents", [1, 1, 1] if "activate" in step else [1, 1])) == 6


def test_a_rollback_in_the_middle_of_a_fill_loses_no_row(documents_dsn: str) -> None:
    with Database(documents_dsn) as database, psycopg.connect(documents_dsn) as worker:
        worker.execute("INSERT INTO documents SELECT i, 'late ' || i FROM generate_series(7, 20) AS i")
        worker.commit()
        keys = [row[0] for row in worker.execute("SELECT key FROM pgsim.next_batch('documents', 'new', size => 8)")]
        assert database.activate("documents", "new", force=True) == "old"
        assert database.rollback("documents") == "old"
        worker.execute("SELECT pgsim.upsert('documents', 'new', %s, %s)", [keys, ["[1,1,1]"] * len(keys)])
        worker.commit()
        assert {hit.key for hit in database.search("documents", [1, 1], k=50)} == {str(i) for i in range(1, 7)}
        assert database.mark_ready("documents", "new") == 6
        left = worker.execute("SELECT key FROM pgsim.next_batch('documents', 'new')").fetchall()
        assert len({key for (key,) in left} | set(keys)) == 14, "each row waits, or has its vector"
        worker.rollback()
        with pytest.raises(errors.NotReady):
            database.activate("documents", "new")


def test_a_version_being_dropped_cannot_be_activated(documents_dsn: str) -> None:
    with psycopg.connect(documents_dsn) as first, psycopg.connect(documents_dsn) as second:
        first.execute("SELECT pgsim.drop_version('documents', 'new')")
        outcome: list[BaseException] = []

        def activate() -> None:
            try:
                second.execute("SELECT pgsim.activate('documents', 'new')")
            except psycopg.Error as error:
                outcome.append(error)

        thread = threading.Thread(target=activate)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive(), "it waits"
        first.commit()
        thread.join()
    [error] = outcome
    assert isinstance(error, psycopg.Error)
    assert error.sqlstate == "PS004"
    assert active(documents_dsn) == ["old"]


def test_vectors_deleted_in_a_transaction_that_ran_while_it_was_compared_are_missed_by_nobody(
    documents_dsn: str,
) -> None:
    with Database(documents_dsn) as database, psycopg.connect(documents_dsn) as writer:
        table = writer.execute("SELECT relation::text FROM pgsim.versions WHERE model = 'new'").fetchall()[0][0]
        writer.execute(f"DELETE FROM {table} WHERE key = 4")
        assert database.mark_ready("documents", "new") == 0, "as it stands committed"
        writer.commit()
        with pytest.raises(errors.NotReady, match="not ready"):
            database.activate("documents", "new")


def test_changes_reach_both_versions(documents_dsn: str) -> None:
    counts = "SELECT (SELECT count(*) FROM {}), (SELECT count(*) FROM {})"
    with psycopg.connect(documents_dsn, autocommit=True) as connection:
        old, new = (row[0] for row in connection.execute("SELECT relation::text FROM pgsim.versions ORDER BY id"))
        counts = counts.format(old, new)
        waiting = "SELECT sum(pending) FILTER (WHERE model = 'old'), sum(pending) FILTER (WHERE model = 'new')"
        connection.execute("DELETE FROM documents WHERE id = 6")
        assert connection.execute(counts).fetchone() == (5, 5)
        connection.execute("UPDATE documents SET id = 60 WHERE id = 5")
        for table in (old, new):
            assert connection.execute(f"SELECT count(*) FROM {table} WHERE key = 60").fetchone() == (1,)
        connection.execute("UPDATE documents SET title = 'other' WHERE id = 1")
        assert connection.execute(f"{waiting} FROM pgsim.backfill_progress").fetchone() == (2, 2)
        connection.execute("TRUNCATE documents CASCADE")
        assert connection.execute(counts).fetchone() == (0, 0)
        assert connection.execute("SELECT pgsim.activate('documents', 'new')").fetchone() == ("old",)


def test_rows_of_partitions_are_compared_too(connection: psycopg.Connection) -> None:
    connection.execute("""
        CREATE TABLE events (id int, day date, body text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE loose (id int NOT NULL, day date NOT NULL, body text, PRIMARY KEY (id, day));
        INSERT INTO loose VALUES (2, '2025-05-05', 'came with its partition');
        INSERT INTO events VALUES (1, '2024-05-05', 'x');
        SELECT pgsim.create_collection('events', text_columns => '{body}');
        SELECT pgsim.create_model('old', 2), pgsim.create_model('new', 2);
        SELECT pgsim.create_version('events', 'old'), pgsim.create_version('events', 'new');
    """)
    database = Database(connection)
    database.upsert("events", "new", [{"id": 1, "day": "2024-05-05"}], [[1, 0]])
    assert database.mark_ready("events", "new") == 0
    connection.execute("ALTER TABLE events ATTACH PARTITION loose FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')")
    with pytest.raises(errors.NotReady) as refused, connection.transaction():
        database.activate("events", "new")
    assert "1 rows have no vector" in str(refused.value.detail)
    database.upsert("events", "new", [{"id": 2, "day": "2025-05-05"}], [[1, 0]])
    assert database.activate("events", "new") == "old"
    connection.execute("DELETE FROM loose")
    assert len(database.search("events", [1, 0])) == 1


def test_a_writer_whose_snapshot_is_older_than_a_version_is_missed_by_nobody(documents_dsn: str) -> None:
    with Database(documents_dsn) as database, psycopg.connect(documents_dsn) as writer:
        writer.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        writer.execute("SELECT FROM pgsim.versions")
        database.create_version("documents", "other")
        database.upsert("documents", "other", list(range(1, 7)), [[1, 1, 1]] * 6)
        assert database.mark_ready("documents", "other") == 0
        assert database.mark_ready("documents", "new") == 0
        writer.execute("INSERT INTO documents VALUES (7, 'seven')")
        assert database.mark_ready("documents", "other") == 0, "as it stands committed"
        writer.commit()
        for model in ("other", "new"):
            with pytest.raises(errors.NotReady) as refused:
                database.activate("documents", model)
            assert "1 rows have no vector of their text" in str(refused.value.detail)
        database.embed("documents", Constant(), model="other")
        assert database.activate("documents", "other") == "old"


class Constant:
    """The same vector for every text."""

    def embed_documents(self, texts: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.ones((len(texts), 3), np.float32)

    def embed_query(self, _text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        return np.ones(3, np.float32)
