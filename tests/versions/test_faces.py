"""The life of a version from Python, the command line and Alembic, as it is from SQL."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import NullPool

import pgsim.alembic
from pgsim import AsyncDatabase, Database, errors
from pgsim.cli.screen import output
from pgsim.sqlalchemy import on_key, search_versions, version_hits

if TYPE_CHECKING:
    from fixtures.command_line import CommandLine


def test_python_activates_rolls_back_and_tells_the_history(filled: psycopg.Connection) -> None:
    database = Database(filled)
    database.set_gate("documents", "mrr", 0.9, max_age=datetime.timedelta(days=1))
    with pytest.raises(errors.NotReady) as refused:
        database.activate("documents", "new")
    assert refused.value.detail is not None
    assert "gate 'mrr'" in refused.value.detail
    assert database.measure_quality("documents", "new", [([1, 2, 1], [2])]) == 1
    database.record_quality("documents", "new", "judged", 0.5, details={"by": "three of us"})
    assert database.mark_ready("documents", "new") == 0
    assert database.activate("documents", "new", reason="better") == "old"
    assert database.rollback("documents") == "old"
    database.retire("documents", "new")
    database.revive("documents", "new")
    database.drop_version("documents", "new", reason="enough")
    steps = database.history("documents")
    assert [(step.model, step.action) for step in steps[2:]] == [
        ("new", "ready"),
        ("new", "activate"),
        ("old", "rollback"),
        ("new", "retire"),
        ("new", "revive"),
        ("new", "drop"),
    ]
    assert steps[3].reason == "better"
    assert steps[3].previous_model == "old"
    assert database.history("none") == []


def test_the_same_is_awaited(documents_dsn: str) -> None:
    async def change() -> list[str]:
        async with AsyncDatabase(documents_dsn) as database:
            await database.activate("documents", "new")
            await database.rollback("documents")
            return [step.action for step in await database.history("documents")]

    assert asyncio.run(change()) == ["create", "create", "activate", "rollback"]


def test_the_shell_does_it_too(documents_dsn: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSIM_DSN", documents_dsn)
    monkeypatch.setattr(output, "width", 200)
    assert "new answers in the place of old" in command_line("activate", "documents", "new", "--reason", "50% off").out
    assert "new answers searches of documents" in command_line("activate", "documents", "new").out
    with psycopg.connect(documents_dsn) as connection:
        connection.execute("INSERT INTO documents VALUES (7, 'seven')")
    back = command_line("rollback", "documents").out
    assert "warning: 1 rows wait" in back
    assert "old answers again" in back
    refused = command_line("activate", "documents", "new")
    assert refused.status == 1
    assert "1 rows have no vector of their text" in refused.err
    assert "retired" in command_line("retire", "documents", "new").out
    assert "being built again" in command_line("revive", "documents", "new").out
    assert "50% off" in command_line("history", "documents").out
    lines = [json.loads(line) for line in command_line("history", "--json").out.splitlines()]
    assert [line["action"] for line in lines][2:] == ["activate", "rollback", "retire", "revive"]
    unknown = command_line("history", "none")
    assert unknown.status == 1
    assert "Registered: 'documents'" in unknown.err


def test_the_shell_makes_lists_and_drops_versions(
    documents_dsn: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSIM_DSN", documents_dsn)
    monkeypatch.setattr(output, "width", 250)
    assert "short is building" in command_line("version", "create", "documents", "short", "--dim", "2").out
    shown = command_line("version", "list", "documents").out
    assert [line.split()[2:6] for line in shown.splitlines() if line.lstrip().startswith("documents")] == [
        ["old", "2", "cosine", "active"],
        ["new", "3", "cosine", "building"],
        ["short", "2", "cosine", "building"],
    ], shown
    assert "is dropped" in command_line("version", "drop", "documents", "short").out
    assert command_line("version", "drop", "documents", "old").status == 1
    assert command_line("version", "list", "none").status == 1


def test_a_migration_and_its_downgrade(documents_dsn: str) -> None:
    pgsim.alembic.register()
    engine = create_engine(documents_dsn.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        op = Operations(MigrationContext.configure(connection))
        op.activate_version("documents", "new", reason="it's 100% better")  # type: ignore[attr-defined]
        op.rollback_version("documents")  # type: ignore[attr-defined]
        op.retire_version("documents", "new")  # type: ignore[attr-defined]
        op.revive_version("documents", "new")  # type: ignore[attr-defined]
    with engine.begin() as connection:
        op = Operations(MigrationContext.configure(connection))
        op.execute("INSERT INTO documents VALUES (7, 'seven')")
        with pytest.raises(errors.NotReady):
            op.activate_version("documents", "new")  # type: ignore[attr-defined]
    with Database(documents_dsn) as database:
        steps = database.history()
    assert [step.action for step in steps[2:]] == ["activate", "rollback", "retire", "revive"]
    assert steps[2].reason == "it's 100% better"


def test_a_migration_sets_a_gate_and_its_downgrade_takes_it_away(documents_dsn: str) -> None:
    pgsim.alembic.register()
    engine = create_engine(documents_dsn.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        op = Operations(MigrationContext.configure(connection))
        op.set_version_gate("documents", "it's 100%", 0.5, max_age="1 day")  # type: ignore[attr-defined]
        with pytest.raises(errors.NotReady) as refused, connection.begin_nested():
            op.activate_version("documents", "new")  # type: ignore[attr-defined]
        assert "it was not measured" in str(refused.value.detail)
        op.record_version_quality("documents", "new", "it's 100%", 1, details={"by": "us"})  # type: ignore[attr-defined]
        op.activate_version("documents", "new")  # type: ignore[attr-defined]
        op.drop_version_gate("documents", "it's 100%")  # type: ignore[attr-defined]
    with psycopg.connect(documents_dsn) as connection:
        assert connection.execute("SELECT FROM pgsim.gates").rowcount == 0
        assert connection.execute("SELECT value, details FROM pgsim._quality").fetchall() == [(1, {"by": "us"})]


class Base(DeclarativeBase):
    pass


class Document(Base):
    __tablename__ = "documents"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    size: Mapped[int | None]


def test_the_orm_searches_both_versions_while_rows_move(documents_dsn: str) -> None:
    with psycopg.connect(documents_dsn, autocommit=True) as connection:
        ((table,),) = connection.execute("SELECT relation::text FROM pgsim.versions WHERE model = 'new'").fetchall()
        connection.execute(f"DELETE FROM {table} WHERE key > 3".encode())
        expected = connection.execute(
            "SELECT key::int, score "
            "FROM pgsim.search_versions('documents', '{\"old\": [1, 1], \"new\": [1, 2, 1]}', 4, "
            'filter => \'{"size": {"$gt": 1}}\')'
        ).fetchall()
    engine = create_engine(documents_dsn.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    queries = {"old": [1, 1], "new": [1, 2, 1]}
    with Session(engine) as session:
        statement = search_versions(Document, queries, where=Document.size > 1, k=4)
        found = session.execute(statement).all()
        assert [(document.id, score) for document, score in found] == expected
        assert {document.id for document, _ in found} <= {2, 3, 4, 5, 6}
        hits = version_hits(Document, queries, filter={"size": {"$gt": 1}}, target="new", k=9)
        ranked = session.execute(
            select(Document.id, hits.c.details["model"].astext).join(hits, on_key(Document, hits)).order_by(hits.c.rank)
        ).all()
    assert dict(map(tuple, ranked)) == {2: "new", 3: "new", 4: "old", 5: "old", 6: "old"}
