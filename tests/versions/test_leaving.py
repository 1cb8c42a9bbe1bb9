"""Nobody is locked in: vectors go back to plain columns and tables. Retired versions go when their grace is over."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from pgsim import Database, errors
from pgsim.cli.screen import output

if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.command_line import CommandLine

    Refused = Callable[..., errors.PgsimError]

LEFT = """
SELECT (SELECT count(*) FROM pgsim._collection) + (SELECT count(*) FROM pgsim._version)
       + (SELECT count(*) FROM pgsim._queue),
       (SELECT count(*) FROM pg_trigger WHERE tgfoid::regproc::text LIKE 'pgsim.%'),
       (SELECT count(*) FROM pg_class WHERE relnamespace = 'pgsim_data'::regnamespace)
"""


@pytest.fixture
def alone(filled: psycopg.Connection) -> psycopg.Connection:
    """The documents under `old` alone, with an index, and codes beside it."""
    filled.execute("SELECT pgsim.drop_version('documents', 'new'), pgsim.create_index('documents', 'old')")
    return filled


def test_the_version_table_becomes_a_table_of_yours(alone: psycopg.Connection) -> None:
    assert Database(alone).eject("documents", reason="moving on") == "documents_vectors"
    assert alone.execute(LEFT).fetchone() == (0, 0, 0)
    nearest = "SELECT key, embedding::text FROM documents_vectors ORDER BY embedding <=> '[3,1]' LIMIT 1"
    assert alone.execute(nearest).fetchone() == (3, "[3,1]")
    assert alone.execute(
        "SELECT count(*) FROM pg_indexes WHERE tablename = 'documents_vectors' AND indexdef LIKE '%hnsw%'"
    ).fetchone() == (1,)
    alone.execute("DELETE FROM documents WHERE id = 3")
    assert alone.execute("SELECT count(*) FROM documents_vectors").fetchone() == (5,), "the foreign key stays"


def test_a_column_takes_the_vectors(alone: psycopg.Connection) -> None:
    database = Database(alone)
    alone.execute('ALTER TABLE documents ADD COLUMN "100% mine" vector(2)')
    assert database.copy_vectors("documents", "100% mine", size=4) == "4"
    alone.execute("SELECT pgsim.upsert('documents', 'old', '{2}', ARRAY['[7,7]']::vector[])")
    assert database.copy_vectors("documents", "100% mine", after="4", size=4) == "6"
    assert database.copy_vectors("documents", "100% mine", after=6) is None
    assert database.eject("documents", column_name="100% mine") == "documents"
    assert alone.execute(LEFT).fetchone() == (0, 0, 0)
    assert alone.execute('SELECT id, "100% mine"::text FROM documents ORDER BY id').fetchall() == [
        (1, "[1,1]"), (2, "[7,7]"), (3, "[3,1]"), (4, "[4,1]"), (5, "[5,1]"), (6, "[6,1]"),
    ]  # fmt: skip


def test_an_adopted_column_stays_with_its_index(connection: psycopg.Connection) -> None:
    connection.execute("""
        CREATE TABLE photos (a int, b text, embedding vector(2), PRIMARY KEY (a, b));
        INSERT INTO photos VALUES (1, 'x', '[1,0]');
        SELECT pgsim.create_collection('photos', text_columns => '{b}'), pgsim.create_model('seen', 2);
        SELECT pgsim.create_version('photos', 'seen', column_name => 'embedding'), pgsim.create_index('photos', 'seen');
        SELECT pgsim.create_embedding('photos', 'b', '{b}'), pgsim.create_version('photos', 'seen', embedding => 'b');
    """)
    database = Database(connection)
    assert database.eject("photos") == "photos"
    assert connection.execute("SELECT name, active_model FROM pgsim.embeddings ORDER BY 1").fetchall() == [
        ("b", "seen"),
        ("default", None),
    ], "the other embedding goes on"
    index = "SELECT obj_description(indexrelid) FROM pg_index WHERE indrelid = 'photos'::regclass AND NOT indisprimary"
    assert connection.execute(index).fetchall() == [(None,)]
    assert database.eject("photos", embedding="b", table_name="of b") == '"of b"'
    assert connection.execute(LEFT).fetchone() == (0, 0, 0)


def test_composite_keys_are_copied_in_order(connection: psycopg.Connection) -> None:
    connection.execute("""
        CREATE TABLE photos (a int, b text, embedding vector(2), PRIMARY KEY (a, b));
        INSERT INTO photos SELECT i, 'x' || i % 3 FROM generate_series(1, 9) AS i;
        SELECT pgsim.create_collection('photos'), pgsim.create_model('seen', 2), pgsim.create_version('photos', 'seen');
    """)
    database = Database(connection)
    database.upsert(
        "photos", "seen", [{"a": i, "b": f"x{i % 3}"} for i in range(1, 10)], [[i, 1] for i in range(1, 10)]
    )
    last = None
    calls = 0
    while (last := database.copy_vectors("photos", "embedding", after=last, size=2)) is not None:
        calls += 1
    assert calls == 5
    assert connection.execute("SELECT count(*) FROM photos WHERE embedding::text = format('[%s,1]', a)").fetchone() == (
        9,
    )
    assert connection.execute("SELECT count(*) FROM photos WHERE embedding IS NULL").fetchone() == (0,)


def test_what_would_be_lost_or_overwritten_is_refused(filled: psycopg.Connection, refused: Refused) -> None:
    told = refused("PS035", "SELECT pgsim.eject('documents')")
    assert told.detail == "Under: 'new'"
    filled.execute("SELECT pgsim.drop_version('documents', 'new'); CREATE TABLE documents_vectors ()")
    refused("PS020", "SELECT pgsim.eject('documents')")
    refused("PS005", "SELECT pgsim.eject('documents', column_name => 'none')")
    refused("PS012", "SELECT pgsim.eject('documents', column_name => 'size')")
    refused("PS010", "SELECT pgsim.eject('documents', column_name => 'size', table_name => 'x')")
    refused("PS012", "SELECT pgsim.copy_vectors('documents', 'size')")
    assert filled.execute("SELECT model, state FROM pgsim.versions").fetchall() == [("old", "active")]


def test_the_shell_copies_indexes_and_ejects(
    documents_dsn: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSIM_DSN", documents_dsn)
    monkeypatch.setattr(output, "width", 200)
    with psycopg.connect(documents_dsn) as connection:
        connection.execute("SELECT pgsim.create_index('documents', 'old', options => '{\"m\": 8}')")
    assert "more versions than the active one" in command_line("eject", "documents", "--column", "mine").err
    with psycopg.connect(documents_dsn) as connection:
        connection.execute("SELECT pgsim.drop_version('documents', 'new')")
    done = command_line("eject", "documents", "--column", "mine")
    assert done.status == 0, done.err
    with psycopg.connect(documents_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM documents WHERE mine IS NOT NULL").fetchone() == (6,)
        [definition] = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'documents_mine_hnsw'"
        ).fetchall()
        assert "vector_cosine_ops) WITH (m='8')" in definition[0]
        assert connection.execute(LEFT).fetchone() == (0, 0, 0)


def test_retired_versions_go_when_their_grace_is_over(filled: psycopg.Connection) -> None:
    database = Database(filled)
    database.retire("documents", "new")
    assert filled.execute("SELECT * FROM pgsim.expire()").fetchall() == []
    done = database.chores(grace=datetime.timedelta(0))
    assert done["expired"] == [{"collection": "documents", "embedding": "default", "model": "new"}]
    assert done["missing"] == {}
    assert [step.action for step in database.history()] == ["create", "create", "retire", "drop"]


def test_chores_find_what_is_ready(filled: psycopg.Connection) -> None:
    assert Database(filled).chores()["missing"] == {"documents, default, new": 0}
    assert filled.execute("SELECT state FROM pgsim.versions WHERE model = 'new'").fetchone() == ("ready",)


def test_chores_are_scheduled_by_pg_cron_where_it_is(connection: psycopg.Connection, refused: Refused) -> None:
    database = Database(connection)
    with pytest.raises(errors.WrongState, match="has no extension pg_cron") as raised, connection.transaction():
        database.schedule_chores()
    assert "pgsim chores" in str(raised.value.hint)
    refused("PS010", "SELECT pgsim.schedule_chores(grace => '-1 day')")
    refused("PS010", "SELECT * FROM pgsim.expire(NULL)")
    refused("PS010", "SELECT pgsim.schedule_chores(audit => -1)")
    sent = connection.execute("SELECT pgsim._chores_statement('5 4 * * *', '10 days', 7)").fetchone()
    assert sent == (
        "SELECT cron.schedule('pgsim chores', '5 4 * * *', 'SELECT pgsim.chores(grace => ''10 days'', audit => 7)')",
    )
    statement = "SELECT pgsim.chores(grace => '10 days', audit => 7)"
    assert connection.execute(statement).fetchall()[0][0]["expired"] == []


def test_chores_take_statistics_and_audit_what_answers(filled: psycopg.Connection) -> None:
    more = (
        "INSERT INTO documents SELECT i, 'late ' || i FROM generate_series({}, {}) AS i; ANALYZE documents;"
        "SELECT pgsim.upsert('documents', 'old', array_agg(id::text), array_agg(ARRAY[id, 1]::vector)) FROM documents"
    )
    filled.execute(more.format(7, 20))  # type: ignore[arg-type]
    filled.execute("SELECT pgsim.create_index('documents', 'old'), pgsim.calibrate('documents')")
    filled.execute(more.format(21, 90))  # type: ignore[arg-type]
    ((table,),) = filled.execute("SELECT relation::text FROM pgsim.versions WHERE model = 'old'").fetchall()
    filled.execute(f"UPDATE pg_class SET reltuples = -1 WHERE oid = '{table}'::regclass".encode())
    done = Database(filled).chores(audit=5)
    assert table in done["analyzed"]  # type: ignore[operator]
    assert done["calibrated"] == ["documents, default, old"]
    assert done["audited"] == {"documents, default, old": 1}
    recorded = filled.execute("SELECT name, value, details ->> 'sample' FROM pgsim._quality").fetchall()
    assert recorded == [("recall", 1, "5")]
    again = Database(filled).chores(audit=0)
    assert (again["calibrated"], again["audited"]) == ([], {})


def test_the_shell_does_the_chores(
    documents_dsn: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSIM_DSN", documents_dsn)
    assert '"documents, default, new": 0' in command_line("chores", "--grace", "5").out
