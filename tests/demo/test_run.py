"""The demo runs on any database, again and again, and leaves something to search."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from pgsim.cli.app import run
from pgsim.cli.screen import output

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_the_demo_can_be_seen_twice_and_searched_afterwards(
    bare_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PGSIM_DSN", bare_dsn)
    monkeypatch.setenv("PGSIM_HOME", str(tmp_path))
    monkeypatch.setattr(output, "width", 160)
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["pgsim", "demo"])
        with pytest.raises(SystemExit) as left:
            run()
        assert not left.value.code
        shown = capsys.readouterr().out
        for said in (
            "subprocess.run",
            "tomllib.loads",
            "dims => '{64,256}'",
            "exact, since",
            "ann, since",
            "pgvector as it comes",
        ):
            assert said in shown
    monkeypatch.setattr(sys, "argv", ["pgsim", "search", "read a file line by line", "--filter", "kind=function"])
    with pytest.raises(SystemExit):
        run()
    assert "fileinput" in capsys.readouterr().out
    with psycopg.connect(bare_dsn) as connection:
        kinds = connection.execute("SELECT DISTINCT kind FROM python_library ORDER BY 1").fetchall()
        assert [kind for (kind,) in kinds] == ["class", "function", "method", "module"]


def test_the_demo_replaces_nothing_that_is_not_its_own(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE python_library (mine int)")
    monkeypatch.setenv("PGSIM_DSN", database_dsn)
    monkeypatch.setenv("PGSIM_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["pgsim", "demo"])
    with pytest.raises(SystemExit) as left:
        run()
    assert left.value.code == 1
    assert "python_library is there already" in capsys.readouterr().err.replace("\n", " ")
