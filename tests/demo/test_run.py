"""The demo runs on any database, again and again, and leaves something to search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from pgsim.cli.screen import output
from pgsim.demo import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fixtures.command_line import CommandLine
    from fixtures.standard_library import Reading

    from pgsim.demo.corpus import Entry


@pytest.fixture(autouse=True)
def read_before(reading: Reading, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The demo is given what the session has read, and told of it as if it were read now."""

    def given(progress: Callable[[int, int, str], None]) -> list[Entry]:
        for step in reading.progress:
            progress(*step)
        return reading.entries

    monkeypatch.setattr(run, "read_standard_library", given)
    monkeypatch.setenv("PGSIM_HOME", str(tmp_path))


@pytest.mark.slow
def test_the_demo_can_be_seen_twice_and_searched_afterwards(
    bare_dsn: str, monkeypatch: pytest.MonkeyPatch, command_line: CommandLine
) -> None:
    monkeypatch.setenv("PGSIM_DSN", bare_dsn)
    monkeypatch.setattr(output, "width", 160)
    for _ in range(2):
        shown = command_line("demo")
        assert shown.status == 0
        for said in (
            "subprocess.run",
            "tomllib.loads",
            "dims => '{64,256}'",
            "exact, since",
            "ann, since",
            "pgvector as it comes",
            "of the true ten, among 50 by",
            "python-lsa-turned-pca",
            "activate, too early",
            "activate python-lsa-narrow, rollback python-lsa",
            "csv.Dialect",
        ):
            assert said in shown.out
    assert "fileinput" in command_line("search", "read a file line by line", "--filter", "kind=function").out
    with psycopg.connect(bare_dsn) as connection:
        kinds = connection.execute("SELECT DISTINCT kind FROM python_library ORDER BY 1").fetchall()
        assert [kind for (kind,) in kinds] == ["class", "function", "method", "module"]


def test_the_demo_replaces_nothing_that_is_not_its_own(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch, command_line: CommandLine
) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE python_library (mine int)")
    monkeypatch.setenv("PGSIM_DSN", database_dsn)
    refused = command_line("demo")
    assert refused.status == 1
    assert "python_library is there already" in refused.err.replace("\n", " ")
