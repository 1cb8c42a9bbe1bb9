"""The README and every page of docs/ do what they show: their blocks run as they stand, one after another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from pgsim.reference import sql_reference

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# These pages begin with a database without pgsim.
BARE = {"install.md", "alembic.md"}
_BLOCK = re.compile(r"^```(sql|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_MIGRATION = re.compile(r"^```python migration\n(.*?)^```", re.DOTALL | re.MULTILINE)
_ENV = """
from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import pgsim.alembic

pgsim.alembic.register()
with create_engine(context.config.attributes["url"], poolclass=NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


@pytest.fixture
def page_dsn(request: pytest.FixtureRequest, page: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    dsn: str = request.getfixturevalue("bare_dsn" if page.name in BARE else "database_dsn")
    monkeypatch.setenv("DATABASE_URL", dsn)
    monkeypatch.setenv("PGSIM_DSN", dsn)
    return dsn


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_runs_as_it_stands(page: Path, page_dsn: str) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    try:
        for language, block in _BLOCK.findall(page.read_text()):
            if language == "python":
                exec(compile(block, page.name, "exec", dont_inherit=True), names)
            else:
                with psycopg.connect(page_dsn, autocommit=True) as connection:
                    connection.execute(block.encode())
    finally:
        for value in names.values():
            if isinstance(value, Engine):
                value.dispose()
            elif isinstance(value, AsyncEngine):
                value.sync_engine.dispose(close=False)


def test_the_readme_migration_goes_up_and_down(bare_dsn: str, tmp_path: Path) -> None:
    readme = PAGES[0].read_text()
    table = re.search(r"^CREATE TABLE documents .*?;", readme, re.DOTALL | re.MULTILINE)
    migration = _MIGRATION.search(readme)
    assert table
    assert migration
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(_ENV)
    (tmp_path / "versions" / "1_search.py").write_text(f"revision, down_revision = '1', None\n{migration[1]}")
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.attributes["url"] = bare_dsn
    with psycopg.connect(bare_dsn, autocommit=True) as connection:
        connection.execute(table[0].encode())
        command.upgrade(config, "head")
        indexes = connection.execute("SELECT collection, method, valid FROM pgsim.indexes ORDER BY method").fetchall()
        assert indexes == [("documents", "codes", True), ("documents", "hnsw", True)]
        command.downgrade(config, "base")
        assert connection.execute("SELECT name FROM pgsim.collections").fetchall() == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_the_sql_reference_is_what_the_comments_say() -> None:
    assert (ROOT / "docs" / "sql.md").read_text() == sql_reference(), "run `make docs`"
