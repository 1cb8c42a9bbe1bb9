"""A hundred faults at random moments of a change of the model; ``PGSIM_FAULT_SEED`` repeats them."""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from changing import OPTIONS, SETUP, Change
from faulty import Model

from pgsim.database import Database
from pgsim.errors import PgsimError
from pgsim.versions.backfill import backfill

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pgsim.embedded import EmbeddedServer

pytestmark = pytest.mark.slow
KILLED = ["worker", "backend", "server"]
SEED = int(os.environ.get("PGSIM_FAULT_SEED", str(random.randrange(2**31))))


@pytest.fixture(scope="module")
def changed_server(mortal_server: EmbeddedServer) -> EmbeddedServer:
    """A server whose collection has a model, and an index, and another model to go to."""
    with psycopg.connect(mortal_server.dsn(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS things CASCADE")
        connection.execute(SETUP.encode())
    with Database(mortal_server.dsn()) as database:
        database.embed("pages", Model(random.Random(0), slow=0, name="old"), model="old")
        database.create_index("pages", "old")
    return mortal_server


@pytest.mark.parametrize("killed", KILLED)
def test_a_kill_in_the_middle_of_a_batch(changed_server: EmbeddedServer, killed: str) -> None:
    for number in range(4):
        change = Change(changed_server, SEED + 10 * KILLED.index(killed) + number)
        with change.process("fill", "SELECT FROM pgsim.backfill_progress WHERE model = 'new' AND taken > 0") as worker:
            change.kill(killed, worker)
        change.verify()


@pytest.mark.parametrize("killed", KILLED)
def test_a_kill_in_the_middle_of_the_build_of_the_index(changed_server: EmbeddedServer, killed: str) -> None:
    for number in range(4):
        change = Change(changed_server, SEED + 10 * KILLED.index(killed) + number)
        change.embed("new")
        with change.connect() as writer:
            # A build waits for whoever writes the table.
            writer.autocommit = False
            ((table,),) = writer.execute("SELECT relation::text FROM pgsim.versions WHERE model = 'new'").fetchall()
            writer.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE".encode())
            building = (
                "SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'active' "
                "AND query ILIKE '%create index concurrently%' AND wait_event_type = 'Lock'"
            )
            with change.process("fill", building) as worker:
                change.kill(killed, worker)
            with suppress(psycopg.Error):
                writer.rollback()
        change.verify()


@pytest.mark.parametrize("killed", KILLED)
def test_a_kill_in_the_middle_of_an_activation(changed_server: EmbeddedServer, killed: str) -> None:
    for number in range(4):
        change = Change(changed_server, SEED + 10 * KILLED.index(killed) + number)
        change.ready()
        began = f"SELECT FROM pgsim.history WHERE reason = 'up {change.seed}'"
        with change.process("switch", began) as operator:
            change.kill(killed, operator)
        change.verify()


class AtFault(Model):
    """Is at fault in one way, in every third call or so."""

    def __init__(self, seed: int, way: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        super().__init__(random.Random(seed), slow=0, name="new")
        self.way = way

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        vectors = super().embed_documents(texts)
        return self.way(vectors) if self.random.random() < 0.3 else vectors


def raises(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    raise RuntimeError("the model fell over")


def hangs(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    time.sleep(0.2)
    return vectors


@pytest.mark.parametrize(
    "way",
    [raises, hangs, lambda vectors: vectors[1:], lambda vectors: vectors[:, 1:], lambda vectors: vectors * np.nan],
    ids=["raises", "hangs", "too few vectors", "another width", "NaN"],
)
def test_an_embedder_at_fault(
    changed_server: EmbeddedServer, way: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> None:
    for number in range(5):
        change = Change(changed_server, SEED + number)
        for again in range(20):
            with suppress(PgsimError):
                at_fault = AtFault(SEED + number + again, way)
                backfill(change.dsn, "pages", at_fault, model="new", options=OPTIONS, timeout=0.1, index="none")
                break
        change.verify()


def test_a_full_disk(changed_server: EmbeddedServer) -> None:
    with psycopg.connect(changed_server.dsn(), autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF random() < 0.15 THEN "
            "RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'no space left'; END IF; RETURN NULL; END $$"
        )
    for number in range(10):
        change = Change(changed_server, SEED + number)
        with change.connect() as connection:
            ((table,),) = connection.execute("SELECT relation::text FROM pgsim.versions WHERE model = 'new'").fetchall()
            for name in (str(table), "pgsim._queue", "pgsim._transition"):
                connection.execute(
                    f"CREATE TRIGGER full_disk AFTER INSERT ON {name} EXECUTE FUNCTION full_disk()".encode()
                )
        for step in range(4):
            with suppress(PgsimError, psycopg.Error), Database(change.dsn) as database:
                if step % 2:
                    backfill(
                        change.dsn, "pages", Model(random.Random(0), slow=0, name="new"), model="new", options=OPTIONS
                    )
                else:
                    database.activate("pages", "new", force=True)
                    database.rollback("pages")
        with change.connect() as connection:
            for name in (str(table), "pgsim._queue", "pgsim._transition"):
                connection.execute(f"DROP TRIGGER full_disk ON {name}".encode())
        change.verify()


def test_two_operators_at_once(changed_server: EmbeddedServer) -> None:
    for number in range(20):
        change = Change(changed_server, SEED + number)
        change.ready()
        together = threading.Barrier(2)

        def operate(seed: int, change: Change = change, together: threading.Barrier = together) -> None:
            draw = random.Random(seed)
            with Database(change.dsn) as database:
                together.wait()
                for _ in range(4):
                    if draw.random() < 0.5:
                        database.activate("pages", draw.choice(["old", "new"]))
                    else:
                        with suppress(PgsimError):  # nothing to go back to
                            database.rollback("pages")

        operators = [threading.Thread(target=operate, args=(SEED + 2 * number + place,)) for place in range(2)]
        for operator in operators:
            operator.start()
        for operator in operators:
            operator.join()
        change.verify()


def test_a_rollback_in_the_middle_of_a_backfill(changed_server: EmbeddedServer) -> None:
    for number in range(10):
        change = Change(changed_server, SEED + number)
        filling = "SELECT FROM pgsim.backfill_progress WHERE model = 'new' AND taken > 0"
        with change.process("fill", filling), Database(change.dsn) as database:
            with pytest.raises(PgsimError, match="not ready"):
                database.activate("pages", "new")
            database.activate("pages", "new", force=True)
            time.sleep(change.random.random() * 0.1)
            assert database.rollback("pages") == "old"
        change.verify()
