"""A collection whose model is changed while faults happen, and what must hold after each of them.

``python changing.py fill DSN SEED`` is a worker that fills the new version and builds its index; ``python changing.py
switch DSN SEED`` an operator who activates it and goes back, over and over.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import psycopg
from faulty import DIM, Model, kill_server, start_again, vector_of

from pgsim.database import Database
from pgsim.versions.backfill import backfill
from pgsim.versions.worker import WorkerOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pgsim.embedded import EmbeddedServer

ROWS = 120
SETUP = f"""
CREATE TABLE pages (id int PRIMARY KEY, body text);
INSERT INTO pages SELECT i, 'page ' || i FROM generate_series(1, {ROWS}) AS i;
SELECT pgsim.create_collection('pages', text_columns => '{{body}}');
SELECT pgsim.create_model('old', {DIM}), pgsim.create_model('new', {DIM}), pgsim.create_version('pages', 'old');
"""
OPTIONS = WorkerOptions(batch_rows=16, retries=1, first_wait=0.001, longest_wait=0.01, poll=0.02)


def fill(dsn: str, seed: int) -> None:
    """What the worker process does."""
    backfill(dsn, "pages", Model(random.Random(seed), slow=0.1, name="new"), model="new", options=OPTIONS)


def switch(dsn: str, seed: int) -> None:
    """What the operator's process does, until it is stopped."""
    draw = random.Random(seed)
    with Database(dsn) as database:
        while True:
            database.activate("pages", "new", reason=f"up {seed}")
            time.sleep(draw.random() * 0.005)
            database.rollback("pages", reason="and down")


class Change:
    """One change of the model of a server's collection, from an empty version on."""

    def __init__(self, server: EmbeddedServer, seed: int) -> None:
        self.server = server
        self.dsn = server.dsn()
        self.seed = seed
        self.random = random.Random(seed)
        sys.stdout.write(f"seed {seed}\n")
        with Database(self.dsn) as database, self.connect() as connection:
            if self.active() != "old":
                database.activate("pages", "old", force=True)
            if connection.execute("SELECT FROM pgsim.versions WHERE model = 'new'").rowcount:
                database.drop_version("pages", "new")
            connection.execute("UPDATE pages SET body = 'page ' || id || ' of ' || %s WHERE id %% 10 = 0", [seed])
            self.embed("old")
            database.create_version("pages", "new")

    def connect(self) -> psycopg.Connection:
        """A connection, in autocommit, as soon as the server takes any."""
        for _ in range(200):
            try:
                return psycopg.connect(self.dsn, autocommit=True)
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise AssertionError("the server does not come back")

    def embed(self, model: str) -> None:
        with Database(self.dsn) as database:
            database.embed("pages", Model(random.Random(0), slow=0, name=model), model=model)

    def active(self) -> str:
        with self.connect() as connection:
            ((models,),) = connection.execute(
                "SELECT array_agg(model::text) FROM pgsim.versions WHERE state = 'active'"
            ).fetchall()
        assert len(models) == 1
        return str(models[0])

    def ready(self) -> None:
        """Fill the new version, and build its index."""
        backfill(self.dsn, "pages", Model(random.Random(0), slow=0, name="new"), model="new", options=OPTIONS)

    @contextmanager
    def process(self, role: str, until: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process of its own that is at work, as the statement tells by giving rows."""
        started = subprocess.Popen(
            [sys.executable, str(Path(__file__)), role, self.dsn, str(self.seed)],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            with self.connect() as connection:
                for _ in range(1000):
                    if connection.execute(until.encode()).rowcount:
                        break
                    assert started.poll() is None, "it ended before it was at work"
                    time.sleep(0.01)
            time.sleep(self.random.random() * 0.03)
            yield started
            # One that is still there connects again and goes on, or was not to survive.
            if role == "fill" and self.random.random() < 0.5:
                with suppress(subprocess.TimeoutExpired):
                    started.wait(timeout=5)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()

    def kill(self, what: str, process: subprocess.Popen[bytes]) -> None:
        """Kill -9 of the process, of a backend that serves it, or of the whole server."""
        if what == "worker":
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        elif what == "backend":
            # The server ends every session then, this one too; who connects before that would be ended in its place.
            with suppress(psutil.NoSuchProcess, psycopg.OperationalError), self.connect() as connection:
                pids = connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                ).fetchall()
                psutil.Process(self.random.choice(pids)[0]).kill()
                connection.execute("SELECT pg_sleep(30)")
        else:
            kill_server(self.server)
            start_again(self.server)

    def verify(self) -> None:
        """The pointer is one, searches answer, check tells what is left; then the change is brought to its end."""
        self._verify_pointer()
        active = self.active()
        with Database(self.dsn) as database, self.connect() as connection:
            key, body = connection.execute("SELECT id::text, body FROM pages ORDER BY random() LIMIT 1").fetchall()[0]
            assert database.search("pages", vector_of(body, active), k=1)[0].key == key or active == "new"
            invalid = connection.execute("SELECT name FROM pgsim.indexes WHERE NOT valid").fetchall()
            unfinished = connection.execute(
                "SELECT indexrelid::regclass::text FROM pg_index "
                "WHERE NOT indisvalid AND indrelid IN (SELECT relation FROM pgsim.versions)"
            ).fetchall()
            told = database.check("pages")
            for (name,) in [*invalid, *unfinished]:
                assert any(name.split(".")[-1] in problem.problem + problem.hint for problem in told)
            for problem in told:
                if problem.hint.startswith(("DROP INDEX", "REINDEX", "SELECT")):
                    connection.execute(problem.hint.encode())
            database.retry_poison("pages", "new")
        self.ready()
        self.embed("new")
        self.embed("old")
        with Database(self.dsn) as database, self.connect() as connection:
            for model in ("old", "new"):
                ((table,),) = connection.execute(
                    "SELECT relation::text FROM pgsim.versions WHERE model = %s", [model]
                ).fetchall()
                rows = connection.execute(
                    "SELECT b.id, b.body, array_agg(v.embedding::text), "
                    "bool_and(v.source_hash = pgsim._source_hash(b.body)) "
                    f"FROM pages AS b FULL JOIN {table} AS v ON v.key = b.id GROUP BY b.id, b.body".encode()
                ).fetchall()
                assert len(rows) == ROWS
                assert [row[0] for row in rows if not _is_right(model, *row[1:])] == []
            if self.active() == "old":
                assert database.activate("pages", "new") == "old"
            assert database.search("pages", vector_of(body, "new"), k=1)[0].key == key
            assert database.check("pages") == []
        self._verify_pointer()

    def _verify_pointer(self) -> None:
        """Exactly one version is active, and the history leads to it step by step."""
        with self.connect() as connection:
            steps = connection.execute(
                "SELECT model::text, previous_model::text FROM pgsim.history "
                "WHERE action IN ('activate', 'rollback') ORDER BY id"
            ).fetchall()
        model = "old"
        for step, previous in steps:
            assert previous == model
            model = step
        assert self.active() == model


def _is_right(model: str, body: str, vectors: list[str], same: bool) -> bool:
    if len(vectors) != 1 or vectors[0] is None or not same:
        return False
    return np.allclose(np.fromstring(vectors[0][1:-1], sep=","), vector_of(body, model), atol=1e-5)


if __name__ == "__main__":
    {"fill": fill, "switch": switch}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
