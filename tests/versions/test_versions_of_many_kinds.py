"""Versions side by side: of several embeddings, widths, types and metrics, of partitioned tables; and their locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from pgsim import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

STATES = "SELECT embedding, model, state FROM pgsim.versions ORDER BY embedding, id"


def store(database: Database, model: str, dims: int, *, embedding: str = "default", count: int = 6) -> None:
    vectors = [[1.0] * (dims - 1) + [float(i)] for i in range(1, count + 1)]
    database.upsert("documents", model, list(range(1, count + 1)), vectors, embedding=embedding)


def test_each_embedding_changes_its_model_by_itself(filled: psycopg.Connection) -> None:
    database = Database(filled)
    database.create_embedding("documents", "title", ["title"])
    for model in ("old", "new"):
        database.create_version("documents", model, embedding="title")
        store(database, model, 2 if model == "old" else 3, embedding="title")
    assert database.activate("documents", "new", embedding="title") == "old"
    assert filled.execute(STATES).fetchall() == [
        ("default", "old", "active"),
        ("default", "new", "building"),
        ("title", "old", "ready"),
        ("title", "new", "active"),
    ]
    assert database.search("documents", [1, 1, 3], embedding="title")[0].details["model"] == "new"
    assert database.search("documents", [1, 1])[0].details["model"] == "old"
    assert database.rollback("documents", embedding="title") == "old"
    assert {step.embedding for step in database.history() if step.action == "activate"} == {"title"}


@pytest.mark.parametrize("element", ["vector", "halfvec"])
@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_models_of_other_widths_types_and_metrics_stand_side_by_side(
    filled: psycopg.Connection, element: str, metric: str
) -> None:
    database = Database(filled)
    database.create_model("wide", 40, metric=metric, element=element)
    database.create_version("documents", "wide")
    store(database, "wide", 40)
    database.create_index("documents", "old")
    database.create_index("documents", "wide")
    mixed = database.search_versions("documents", {"old": [1, 1], "wide": [1] * 39 + [6]}, k=6)
    assert {hit.details["model"] for hit in mixed} == {"wide"}, "all rows have moved"
    assert database.activate("documents", "wide") == "old"
    found = database.search("documents", [1] * 39 + [6], k=6)
    assert found[0].key == "6"
    assert len(found) == 6
    assert database.rollback("documents") == "old"
    assert database.check() == []


def test_the_model_of_a_partitioned_table_is_changed_like_any_other(connection: psycopg.Connection) -> None:
    connection.execute("""
        CREATE TABLE events (id int, day date, body text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
        INSERT INTO events SELECT i, date '2024-12-30' + i, 'body ' || i FROM generate_series(1, 4) AS i;
        SELECT pgsim.create_collection('events', text_columns => '{body}');
        SELECT pgsim.create_model('old', 2), pgsim.create_model('new', 2);
        SELECT pgsim.create_version('events', 'old'), pgsim.create_version('events', 'new');
    """)
    database = Database(connection)
    keys = [{"id": i, "day": f"2024-12-{30 + i}" if i < 2 else f"2025-01-0{i - 1}"} for i in range(1, 5)]
    for model in ("old", "new"):
        database.upsert("events", model, keys, [[1, i] for i in range(4)])
    assert database.mark_ready("events", "new") == 0
    connection.execute("UPDATE events SET day = '2025-06-01' WHERE id = 1; DELETE FROM events WHERE id = 4")
    assert database.activate("events", "new") == "old"
    compared = "SELECT gates ->> 'compared', gates ->> 'missing' FROM pgsim.history ORDER BY id DESC LIMIT 1"
    assert connection.execute(compared).fetchone() == ("false", "0")
    for model in ("old", "new"):
        assert [hit.key for hit in database.search("events", [1, 0], model=model)] == [
            '{"id": 1, "day": "2025-06-01"}',
            '{"id": 2, "day": "2025-01-01"}',
            '{"id": 3, "day": "2025-01-02"}',
        ]
    assert database.rollback("events") == "old"
    connection.execute("TRUNCATE events CASCADE")
    assert database.search("events", [1, 0], model="new") == []


# Neither stands in the way of INSERT, UPDATE, DELETE, COPY, nor of SELECT.
HARMLESS = {"AccessShareLock", "RowShareLock"}


@pytest.fixture
def operator(documents_dsn: str) -> Iterator[psycopg.Connection]:
    """A connection in whose transactions locks stay to be looked at."""
    with psycopg.connect(documents_dsn) as connection:
        yield connection


@pytest.mark.parametrize(
    "call",
    [
        "SELECT pgsim.enqueue_missing('documents', 'new')",
        "SELECT * FROM pgsim.next_batch('documents', 'new', size => 2)",
        "SELECT pgsim.upsert('documents', 'new', '{1}', ARRAY['[1,2,3]']::vector[])",
        "SELECT pgsim.finish_batch(batch) FROM (SELECT DISTINCT batch FROM pgsim.next_batch('documents', 'new')) AS b",
        "SELECT w.worker, pgsim._begin_store(), t.key FROM pgsim._begin_work('documents', 'new', 'default', 'me') AS w "
        "CROSS JOIN LATERAL pgsim._take_batch(pgsim._target('documents', 'new', 'default'), 5, '1 min', w.worker) AS t",
        "SELECT pgsim.mark_ready('documents', 'new')",
        "SELECT pgsim.activate('documents', 'new', force => true)",
        "SELECT pgsim.search_versions('documents', '{\"old\": [1, 1], \"new\": [1, 2, 1]}')",
        "SELECT pgsim.chores()",
        "SELECT * FROM pgsim.check()",
    ],
)
def test_no_step_of_a_fill_or_a_switch_takes_a_lock_that_writers_wait_for(
    operator: psycopg.Connection, call: str
) -> None:
    operator.execute("UPDATE documents SET body = body || '!'")
    operator.commit()
    operator.execute(call.encode())
    taken = operator.execute(
        "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'documents'::regclass"
    ).fetchall()
    assert {mode for (mode,) in taken} <= HARMLESS
    operator.rollback()


def test_what_a_worker_stores_takes_no_lock_that_an_update_waits_for(operator: psycopg.Connection) -> None:
    operator.execute("UPDATE documents SET body = body || '!' WHERE id = 1")
    operator.commit()
    batch, key, digest = operator.execute(
        "SELECT batch, key, source_hash FROM pgsim.next_batch('documents', 'new')"
    ).fetchall()[0]
    operator.commit()
    operator.execute("SELECT pgsim._begin_store()")
    operator.execute("INSERT INTO pg_temp.pgsim_vectors VALUES (%s, %s, '[1,2,3]')", [key, digest])
    stored = operator.execute("SELECT stored FROM pgsim._store_batch(%s, NULL, '1 minute')", [batch]).fetchone()
    assert stored == (1,)
    taken = operator.execute(
        "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'documents'::regclass"
    ).fetchall()
    assert {mode for (mode,) in taken} <= HARMLESS
    with psycopg.connect(operator.info.dsn, autocommit=True) as writer:
        writer.execute("SET lock_timeout = '200ms'")
        writer.execute("UPDATE documents SET title = 'other' WHERE id = 1")
        writer.execute("INSERT INTO documents VALUES (7, 'seven')")
    operator.rollback()
