"""Faults at random moments of a backfill: nothing is lost, nothing is there twice, and searches answer.

``PGSIM_FAULT_ROUNDS=100 pytest tests/backfill/test_faults.py`` runs as many rounds; ``PGSIM_FAULT_SEED`` repeats one.
"""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest
from faulty import SETUP, Round, full_disk, kill_server, no_fault, start_again, terminate_backends, verify

if TYPE_CHECKING:
    from pgsim import embedded

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


@pytest.mark.slow
def test_a_fill_survives_a_kill_of_the_whole_server(mortal_server: embedded.EmbeddedServer) -> None:
    dsn = mortal_server.dsn()
    with psycopg.connect(dsn) as connection:
        connection.execute(SETUP.encode())

    def kill_whole_server(_: Round) -> None:
        kill_server(mortal_server)
        start_again(mortal_server)

    for number in range(ROUNDS // 4 or 1):
        told = Round(dsn, SEED + number)
        sys.stdout.write(f"seed {told.seed}\n")
        told.run({"kill -9 of the server": kill_whole_server}, faults=2 if ROUNDS else 1)
        verify(dsn)
