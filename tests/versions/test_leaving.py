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
    assert (done["missing"], done["failed"]) == ({}, {})
    assert [step.action for step in database.history()] == ["create", "create", "retire", "drop"]


BROKEN = """
CREATE TABLE broken (id int PRIMARY KEY, body text); INSERT INTO broken VALUES (1, 'x');
SELECT pgsim.create_collection('broken', text_columns => '{body}');
SELECT pgsim.create_version('broken', m) FROM unnest('{old,new,other}'::text[]) AS m;
SELECT pgsim.retire('broken', 'other');
ALTER TABLE broken RENAME body TO words;
"""


def test_a_broken_collection_keeps_no_other_from_its_chores(filled: psycopg.Connection) -> None:
    filled.execute(BROKEN)
    filled.execute("SELECT pgsim.create_version('documents', 'other'), pgsim.retire('documents', 'other')")
    done = Database(filled).chores(grace=datetime.timedelta(0))
    assert {"collection": "documents", "embedding": "default", "model": "other"} in done["expired"]  # type: ignore[operator]
    assert done["missing"] == {"documents, default, new": 0}
    assert done["failed"] == {"broken, default, new": "source_columns: table public.broken has no column 'body'"}


def test_one_version_that_cannot_be_dropped_stays_and_the_others_go(filled: psycopg.Connection) -> None:
    filled.execute("SELECT pgsim.retire('documents', 'new')")
    filled.execute("SELECT pgsim.create_version('documents', 'other'), pgsim.retire('documents', 'other')")
    table = filled.execute("SELECT relation::text FROM pgsim.versions WHERE model = 'new'").fetchall()[0][0]
    filled.execute(f"CREATE VIEW mine AS SELECT key FROM {table}")
    notices: list[str | None] = []
    filled.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    assert filled.execute("SELECT model FROM pgsim.expire('0')").fetchall() == [("other",)]
    [notice] = notices
    assert str(notice).startswith("the version of 'documents' under model 'new' is not dropped: cannot drop table")


def test_expiry_leaves_versions_of_tables_of_others_alone(filled: psycopg.Connection) -> None:
    filled.execute("SELECT pgsim.retire('documents', 'new')")
    filled.execute("""
        CREATE ROLE chores_registrar; CREATE ROLE chores_runner; GRANT chores_registrar TO chores_runner;
        GRANT ALL ON ALL TABLES IN SCHEMA pgsim TO chores_registrar; ALTER SCHEMA pgsim OWNER TO chores_registrar;
        SET LOCAL ROLE chores_runner;
    """)
    assert filled.execute("SELECT * FROM pgsim.expire('0')").fetchall() == []
    assert filled.execute("SELECT pgsim.chores('0') -> 'expired'").fetchone() == ([],)


def test_spans_beyond_a_thousand_years_are_refused(filled: psycopg.Connection, refused: Refused) -> None:
    span = "'300000 years'"
    refused("PS010", f"SELECT pgsim.set_gate('documents', 'mrr', 1, max_age => {span})")
    refused("PS010", f"SELECT * FROM pgsim.expire({span})")
    refused("PS010", f"SELECT pgsim.chores({span})")
    refused("PS010", f"SELECT pgsim.schedule_chores(grace => {span})")
    filled.execute("SELECT pgsim.set_gate('documents', 'mrr', 1, max_age => '1000 years')")
    assert "was not measured" in str(refused("PS043", "SELECT pgsim.activate('documents', 'new')").detail)


@pytest.mark.parametrize("after", ["abc", "99999999999", ""])
def test_a_key_that_is_none_is_refused_as_the_place_to_go_on_from(
    alone: psycopg.Connection, refused: Refused, after: str
) -> None:
    alone.execute("ALTER TABLE documents ADD COLUMN mine vector(2)")
    refused("PS016", "SELECT pgsim.copy_vectors('documents', 'mine', after => %s)", after)


def test_a_generated_column_takes_no_vectors(alone: psycopg.Connection, refused: Refused) -> None:
    alone.execute(
        "ALTER TABLE documents ADD COLUMN made vector(2) GENERATED ALWAYS AS (ARRAY[id, 1]::vector(2)) STORED"
    )
    assert "is generated" in refused("PS010", "SELECT pgsim.copy_vectors('documents', 'made')").message
    assert "is generated" in refused("PS010", "SELECT pgsim.eject('documents', column_name => 'made')").message


@pytest.mark.parametrize("name", ["", "x" * 64, "\u00e9" * 32])
def test_a_name_that_no_table_can_have_is_refused(alone: psycopg.Connection, refused: Refused, name: str) -> None:
    refused("PS011", "SELECT pgsim.eject('documents', table_name => %s)", name)


@pytest.mark.parametrize("query", ['["a"]', "[]", "[1, 1e300, 1]", "[null, 1, 1]", "[[1, 2, 3]]"])
def test_labelled_queries_that_are_no_vectors_are_refused(
    filled: psycopg.Connection, refused: Refused, query: str
) -> None:
    labelled = f'[{{"query": [1, 1, 1], "keys": ["1"]}}, {{"query": {query}, "keys": ["1"]}}]'
    told = refused("PS013", "SELECT pgsim.measure_quality('documents', 'new', %s::jsonb)", labelled)
    assert told.message.startswith("query 2 of labelled is no vector")


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
