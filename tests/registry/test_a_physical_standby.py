"""Searches on a physical standby, made by pg_basebackup and streaming from the server of a test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from fixtures.server import FAST

from pgsim import Database, embedded, install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.server import Server

pytestmark = pytest.mark.slow

SETUP = """
CREATE TABLE documents (id int PRIMARY KEY, section text, body text);
INSERT INTO documents SELECT i, 'part ' || i % 3, 'text number ' || i FROM generate_series(1, 300) AS i;
SELECT pgsim.create_collection('documents', text_columns => '{body}', filter_columns => '{section}');
SELECT pgsim.create_model('old', 2), pgsim.create_model('new', 3);
SELECT pgsim.create_version('documents', 'old'), pgsim.create_version('documents', 'new');
SELECT pgsim.upsert('documents', 'old', array_agg(id::text), array_agg(format('[%s,1]', id)::vector)) FROM documents;
SELECT pgsim.upsert('documents', 'new', array_agg(id::text), array_agg(format('[%s,1,1]', id)::vector)) FROM documents;
SELECT pgsim.create_index('documents', 'old'), pgsim.create_index('documents', 'new');
SELECT pgsim.enable_text('documents');
"""


@contextmanager
def standby_of(primary: embedded.EmbeddedServer, home: Path) -> Iterator[str]:
    """A standby of that server; the URI of the database `postgres` there."""
    user = primary.data_dir.owner() if os.geteuid() == 0 else None
    data = home / "standby"

    def run(program: str, *arguments: str) -> None:
        ran = subprocess.run(
            [primary.bin_dir / program, *arguments],
            check=False, capture_output=True, text=True, user=user, cwd=home,
        )  # fmt: skip
        log = (home / "log").read_text() if (home / "log").exists() else ""
        assert ran.returncode == 0, ran.stderr + ran.stdout + log

    source = primary.dsn().replace("/postgres?", "/?")
    run("pg_basebackup", "-d", source, "-D", str(data), "-R", "-X", "stream", "-c", "fast")
    # The primary's socket lies in its data directory, and the lock on it is copied like any file.
    for lock in data.glob(".s.PGSQL*"):
        lock.unlink()
    run("pg_ctl", "-D", str(data), "-w", "-o", f"-k {data} -h '' -p 5432", "-l", str(home / "log"), "start")
    try:
        yield f"postgresql://postgres:@/postgres?host={data}"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")


@pytest.fixture
def primary(server: Server, built_sql: Path) -> Iterator[embedded.EmbeddedServer]:
    if server.embedded is None:
        pytest.skip("a standby is made of a server of this session's own")
    home = Path(tempfile.mkdtemp(prefix="pgsim-primary-", dir=Path(server.embedded.data_dir).parent.parent))
    home.chmod(0o777)
    settings = {
        **FAST,
        "synchronous_commit": "local",
        "wal_level": "replica",
        "max_wal_senders": "4",
        "shared_buffers": "32MB",
    }
    try:
        with embedded.start(
            home / "data", postgres=server.embedded.postgres, settings=settings, cleanup="delete"
        ) as running:
            with psycopg.connect(running.dsn(), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION vector")
                install.install(connection, root=built_sql)
                connection.execute(SETUP.encode())
            yield running
    finally:
        shutil.rmtree(home, ignore_errors=True)


def caught_up(primary: psycopg.Connection, standby: psycopg.Connection) -> None:
    """Wait until the standby has replayed what the primary has written."""
    ((written,),) = primary.execute("SELECT pg_current_wal_flush_lsn()::text").fetchall()
    for _ in range(500):
        if standby.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [written]).fetchone() == (True,):
            return
        time.sleep(0.02)
    raise AssertionError("the standby does not come after")


def test_a_standby_answers_as_its_primary_does_and_follows_the_pointer(primary: embedded.EmbeddedServer) -> None:
    searches = {
        "nearest": {"query": [7.0, 1.0]},
        "filtered": {"query": [7.0, 1.0], "filter": {"section": "part 1"}},
        "codes": {"query": [7.0, 1.0], "filter": {"section": "part 1"}, "mode": "codes"},
        "exact": {"query": [7.0, 1.0], "mode": "exact"},
        "words": {"text_query": "number 7"},
        "both": {"query": [7.0, 1.0], "text_query": "number 7"},
    }
    with (
        standby_of(primary, primary.data_dir.parent) as dsn,
        psycopg.connect(primary.dsn(), autocommit=True) as there,
        psycopg.connect(dsn, autocommit=True) as here,
        Database(primary.dsn()) as first,
        Database(dsn) as second,
    ):
        caught_up(there, here)
        assert here.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        for name, search in searches.items():
            found = [hit.key for hit in second.search("documents", **search, k=5)]  # type: ignore[arg-type]
            assert found == [hit.key for hit in first.search("documents", **search, k=5)], name  # type: ignore[arg-type]
            assert len(found) >= 1
        mixed = second.search_versions("documents", {"old": [7.0, 1.0], "new": [7.0, 1.0, 1.0]}, k=5)
        assert len(mixed) == 5

        assert first.activate("documents", "new") == "old"
        caught_up(there, here)
        assert second.search("documents", [7.0, 1.0, 1.0], k=1)[0].details["model"] == "new"
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            second.activate("documents", "old")
        first.rollback("documents")
        there.execute("DELETE FROM documents WHERE id > 5")
        caught_up(there, here)
        assert {hit.key for hit in second.search("documents", [7.0, 1.0], k=50)} == {"1", "2", "3", "4", "5"}
