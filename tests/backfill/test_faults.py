"""Faults at random moments of a backfill: nothing is lost, nothing is there twice, and searches answer.

``PGSIM_FAULT_ROUNDS=100 pytest tests/backfill/test_faults.py`` runs as many rounds; ``PGSIM_FAULT_SEED`` repeats one.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from faulty import SETUP, Round, full_disk, no_fault, terminate_backends, verify
from fixtures.server import FAST

from pgsim import embedded, install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.server import Server

ROUNDS = int(os.environ.get("PGSIM_FAULT_ROUNDS", "0"))
SEED = int(os.environ.get("PGSIM_FAULT_SEED", str(random.randrange(2**31))))
KINDS = {
    "no fault": no_fault,
    "kill -9 of the worker": no_fault,
    "backends terminated": terminate_backends,
    "full disk": full_disk,
}


@pytest.fixture
def things_dsn(database_dsn: str) -> str:
    with psycopg.connect(database_dsn) as connection:
        connection.execute(SETUP.encode())
    return database_dsn


@pytest.mark.slow
def test_a_fill_survives_its_workers_its_sessions_and_its_disk(things_dsn: str) -> None:
    for number in range(ROUNDS or 1):
        told = Round(things_dsn, SEED + number)
        sys.stdout.write(f"seed {told.seed}\n")
        told.run(KINDS, faults=4 if ROUNDS else 2)
        sys.stdout.write(f"{', '.join(told.faults)}\n")
        verify(things_dsn)


@pytest.fixture
def mortal_server(server: Server, built_sql: Path) -> Iterator[embedded.EmbeddedServer]:
    """A server that may be killed, with the test's things in it. It syncs to disk, as it must to survive."""
    if server.embedded is None:
        pytest.skip("a server that is not this session's own is not to be killed")
    home = Path(tempfile.mkdtemp(prefix="pgsim-mortal-", dir=Path(server.embedded.data_dir).parent.parent))
    settings = {name: value for name, value in FAST.items() if name in {"autovacuum", "shared_buffers"}}
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


@pytest.mark.slow
def test_a_fill_survives_a_kill_of_the_whole_server(mortal_server: embedded.EmbeddedServer) -> None:
    dsn = mortal_server.dsn()

    def kill_server(_: Round) -> None:
        postmaster = int((mortal_server.data_dir / "postmaster.pid").read_text().splitlines()[0])
        for process in [psutil.Process(postmaster), *psutil.Process(postmaster).children()]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        start_again(mortal_server)

    for number in range(ROUNDS // 4 or 1):
        told = Round(dsn, SEED + number)
        sys.stdout.write(f"seed {told.seed}\n")
        told.run({"kill -9 of the server": kill_server}, faults=2 if ROUNDS else 1)
        verify(dsn)


def start_again(server: embedded.EmbeddedServer) -> None:
    data = server.data_dir
    (data / "postmaster.pid").unlink(missing_ok=True)
    options = f"-k {data} -h '' -p 5432"
    user = data.owner()
    for _ in range(50):
        started = subprocess.run(
            [server.bin_dir / "pg_ctl", "-D", data, "-w", "-o", options, "-l", data / "log", "start"],
            capture_output=True, text=True, check=False, user=user if os.geteuid() == 0 else None, cwd=data,
        )  # fmt: skip
        if started.returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(started.stdout + started.stderr)
