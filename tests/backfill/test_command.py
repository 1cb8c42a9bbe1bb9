"""``pgsim backfill`` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from letters import wrong

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg
    from fixtures.command_line import CommandLine

MODELS = """
import numpy as np

class Letters:
    def embed_documents(self, texts):
        if any("poison" in text for text in texts):
            raise ValueError("too long")
        return np.stack([self.embed_query(text) for text in texts])
    def embed_query(self, text):
        return np.array([text.lower().count(chr(97 + i)) for i in range(26)], np.float32)
"""


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    (tmp_path / "backfill_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PGSIM_DSN", dsn)
    monkeypatch.setenv("PGSIM_EMBEDDER", "backfill_models:Letters")
    monkeypatch.setenv("COLUMNS", "200")


def test_a_version_is_filled_from_the_shell(command_line: CommandLine, connection: psycopg.Connection) -> None:
    run = command_line("backfill", "articles", "--model", "letters", "--workers", "2", "--order", "published DESC")
    assert (run.status, run.err) == (0, "")
    assert "40 rows embedded with letters" in run.out
    assert wrong(connection) == []
    assert "40 rows done, 0 waiting" in command_line("backfill", "articles", "--model", "letters", "--status").out


def test_pause_limits_and_rows_set_aside(command_line: CommandLine, connection: psycopg.Connection) -> None:
    letters = "backfill", "articles", "--model", "letters", "--retries", "0", "--batch-rows", "10"
    assert "paused by" in command_line(*letters, "--pause", "the [bill]").out
    run = command_line(*letters)
    assert (run.status, "is paused" in run.out) == (1, True)
    command_line(*letters, "--resume")

    run = command_line(*letters, "--budget", "calls=2", "--rate", "rows=100000")
    assert (run.status, "20 rows embedded" in run.out, "used up" in run.out) == (1, True, True)
    assert "2 of 2 calls today" in command_line(*letters, "--status").out

    connection.execute("UPDATE articles SET body = 'poison' WHERE id = 33")
    run = command_line(*letters, "--budget", "none")
    assert (run.status, "1 rows were set aside" in run.out, "too long" in run.out) == (1, True, True)
    connection.execute("SELECT pgsim.pause_backfill('articles', 'old')")
    assert command_line(*letters, "--retry-poison").status == 1
    assert wrong(connection) == [33]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--budget", "pears=3"), "calls, tokens, money"),
        (("--rate", "-3"), "is no part of a rate"),
        (("--budget", "money=3"), "no price"),
        (("--order", "hot"), "no search of collection"),
        (("--status", "--resume"), "something else each"),
        (("--batch-rows", "0"), "batch_rows is 0"),
    ],
)
def test_wrong_options_are_told(command_line: CommandLine, options: tuple[str, ...], says: str) -> None:
    run = command_line("backfill", "articles", "--model", "letters", *options)
    assert run.status == 1
    assert says in " ".join(run.err.split())
