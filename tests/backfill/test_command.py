"""``pgsim backfill`` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from letters import wrong

if TYPE_CHECKING:
    from pathlib import Path

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


def test_the_terminal_tells_how_fast_workers_are_and_what_time_is_left(
    command_line: CommandLine, connection: psycopg.Connection, dsn: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as worker:
        worker.execute("SELECT pgsim.enqueue_missing('articles', 'letters')")
        ((number,),) = worker.execute(
            "SELECT worker FROM pgsim._begin_work('articles', 'letters', 'default', 'w')"
        ).fetchall()
        connection.execute("UPDATE pgsim._worker SET done = 10, rate = 4, stored_at = now() WHERE id = %s", [number])
        told = command_line("backfill", "articles", "--model", "letters", "--status").out
    assert "10 rows done, 40 waiting, 0 with 1 workers, 4 rows/s, 0:00:10 left" in told
    # Nobody knows when it ends while nobody works.
    assert "left" not in command_line("backfill", "articles", "--model", "letters", "--status").out


def test_a_derived_model_is_steered_as_the_one_that_it_follows(
    command_line: CommandLine, connection: psycopg.Connection
) -> None:
    connection.execute(
        "SELECT pgsim.create_map('turn', 'letters', kind => 'rotation', matrix => (SELECT array_agg(("
        "SELECT array_agg(CASE WHEN i = j THEN 1 ELSE 0 END) FROM generate_series(1, 26) AS j)::vector)"
        " FROM generate_series(1, 26) AS i));"
        "SELECT pgsim.derive_model('turned', 'turn'); SELECT pgsim.create_version('articles', 'turned')"
    )
    turned = "backfill", "articles", "--model", "turned"
    assert "paused by" in command_line(*turned, "--pause", "too dear").out
    paused = connection.execute("SELECT model FROM pgsim.backfill_progress WHERE paused_at IS NOT NULL").fetchall()
    assert paused == [("letters",)]
    run = command_line(*turned)
    assert (run.status, "is paused" in run.out) == (1, True)
    command_line(*turned, "--resume")
    assert "0 of 2 calls today" in command_line(*turned, "--budget", "calls=2", "--status").out
    run = command_line(*turned, "--batch-rows", "10")
    assert (run.status, "20 rows embedded with letters" in run.out) == (1, True)
    assert len(connection.execute("SELECT FROM pgsim.search('articles', %s::text::vector, 99, model => 'turned')",
                                  [str([1] * 26)]).fetchall()) == 20  # fmt: skip

    connection.execute("INSERT INTO pgsim._poison (version_id, key, source_hash, error) "
                       "SELECT id, '33', '', 'x' FROM pgsim.versions WHERE model = 'letters'")  # fmt: skip
    assert connection.execute("SELECT pgsim.retry_poison('articles', 'turned')").fetchone() == (1,)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--budget", "pears=3"), "calls, tokens, money"),
        (("--rate", "-3"), "is no part of a rate"),
        (("--budget", "money=3"), "no price"),
        (("--order", "hot"), "no search of collection"),
        (("--status", "--resume"), "something else each"),
        (("--status", "--retry-poison"), "with --pause, --resume or --status none works"),
        (("--pause", "x", "--retry-poison"), "with --pause, --resume or --status none works"),
        (("--budget", "calls=0.5"), "calls are whole numbers"),
        (("--budget", "tokens=1e300"), "tokens"),
        (("--batch-rows", "0"), "batch_rows is 0"),
    ],
)
def test_wrong_options_are_told(command_line: CommandLine, options: tuple[str, ...], says: str) -> None:
    run = command_line("backfill", "articles", "--model", "letters", *options)
    assert run.status == 1
    assert says in " ".join(run.err.split())
