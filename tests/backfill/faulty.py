"""A worker process that faults happen to, and what must hold after each of them.

``python faulty.py DSN`` is the worker: it embeds slowly enough to be hit, and its model is at fault now and then.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import psycopg

from pgsim.database import Database
from pgsim.versions.backfill import backfill
from pgsim.versions.worker import WorkerOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pgsim.embedded import EmbeddedServer

ROWS = 600
DIM = 16
SETUP = f"""
CREATE TABLE things (id int PRIMARY KEY, body text);
INSERT INTO things SELECT i, 'thing ' || i FROM generate_series(1, {ROWS}) AS i;
SELECT pgsim.create_collection('things', text_columns => '{{body}}');
SELECT pgsim.create_model('model', {DIM}), pgsim.create_version('things', 'model');
CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN IF EXISTS (SELECT FROM public.disk WHERE is_full) THEN
                    RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'no space left on device'; END IF;
                RETURN NULL; END $$;
CREATE TABLE disk (is_full boolean); INSERT INTO disk VALUES (false);
DO $$ BEGIN EXECUTE format('CREATE TRIGGER disk AFTER INSERT ON %s EXECUTE FUNCTION disk_full()',
                           (SELECT relation FROM pgsim.versions)); END $$;
"""


def version_table(connection: psycopg.Connection) -> str:
    """The table with the vectors."""
    ((name,),) = connection.execute("SELECT relation::text FROM pgsim.versions").fetchall()
    return str(name)


def vector_of(text: str, model: str = "model") -> NDArray[np.float32]:
    """The vector of a text under a model: another one for each, of one width."""
    return np.random.default_rng([ord(letter) for letter in f"{model}: {text}"]).normal(size=DIM).astype(np.float32)


@dataclass
class Model:
    """Makes those vectors, and is at fault in every ``1 / fault``-th call."""

    random: random.Random
    fault: float = 0.0
    slow: float = 0.04
    name: str = "model"

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        time.sleep(self.random.random() * self.slow)
        vectors = np.stack([vector_of(text, self.name) for text in texts])
        if self.random.random() < self.fault:
            match self.random.randrange(5):
                case 0:
                    raise RuntimeError("the model fell over")
                case 1:
                    return vectors[:-1]
                case 2:
                    return np.full_like(vectors, np.nan)
                case 3:
                    return vectors[:, :-1]
                case _:
                    time.sleep(0.3)
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return vector_of(text, self.name)


def work(dsn: str, seed: int) -> None:
    """Fill the version and build its index, whatever the model does."""
    model = Model(random.Random(seed), fault=0.1)
    options = WorkerOptions(batch_rows=16, retries=2, first_wait=0.001, longest_wait=0.01, poll=0.05)
    while True:
        try:
            with Database(dsn) as database:
                database.retry_poison("things", "model")
            done = backfill(dsn, "things", model, model="model", workers=2, options=options, timeout=0.2)
        except Exception as error:  # noqa: BLE001 -- a supervisor would start it again
            sys.stderr.write(f"worker: {str(error).splitlines()[0]}\n")
            time.sleep(0.05)
            continue
        if not done.set_aside:
            return


class Round:
    """One filling of the version, with faults at random moments drawn from a seed."""

    def __init__(self, dsn: str, seed: int) -> None:
        self.dsn = dsn
        self.seed = seed
        self.random = random.Random(seed)
        self.faults: list[str] = []

    def run(self, kinds: dict[str, Callable[[Round], None]], *, faults: int) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for (name,) in connection.execute("SELECT quote_ident(name) FROM pgsim.indexes").fetchall():
                connection.execute("SELECT pgsim.drop_index(%s::regclass)", [f"pgsim_data.{name}"])
            table = version_table(connection)
            connection.execute(f"DELETE FROM {table}; DELETE FROM pgsim._queue".encode())
            connection.execute("UPDATE things SET body = 'thing ' || id || ' of ' || %s", [self.seed])
        worker = self._start()
        try:
            for number in range(faults):
                # Whatever is drawn later, something goes wrong in every round.
                kind = self.random.choice([name for name in kinds if number or name != "no fault"])
                self.faults.append(kind)
                self._wait_for_workers(worker)
                time.sleep(self.random.random() * 0.4)
                if kind == "kill -9 of the worker":
                    os.killpg(worker.pid, signal.SIGKILL)
                    worker.wait()
                    worker = self._start()
                else:
                    kinds[kind](self)
                self._write()
            assert worker.wait(timeout=60) == 0
        finally:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(Path(__file__)), self.dsn, str(self.random.randrange(2**31))],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_for_workers(self, worker: subprocess.Popen[bytes]) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            while worker.poll() is None:
                if connection.execute("SELECT FROM pgsim.backfill_progress WHERE workers > 0").rowcount:
                    return
                time.sleep(0.02)

    def _write(self) -> None:
        """Change a few rows, as an application does meanwhile; it may find the server away."""
        try:
            with psycopg.connect(self.dsn, autocommit=True) as connection:
                keys = [self.random.randrange(ROWS) + 1 for _ in range(5)]
                connection.execute("UPDATE things SET body = body || '!' WHERE id = ANY (%s)", [keys])
                connection.execute("DELETE FROM things WHERE id = %s", [self.random.randrange(ROWS) + 1])
                connection.execute("INSERT INTO things VALUES (%s, 'again') ON CONFLICT DO NOTHING", [keys[0]])
        except psycopg.OperationalError:
            pass


def no_fault(round_: Round) -> None:
    """The model's own faults alone."""


def terminate_backends(round_: Round) -> None:
    with psycopg.connect(round_.dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def full_disk(round_: Round) -> None:
    """For a moment every insert into the version fails as it does on a full disk."""
    with psycopg.connect(round_.dsn, autocommit=True) as connection:
        connection.execute("UPDATE disk SET is_full = true")
        time.sleep(0.1)
        connection.execute("UPDATE disk SET is_full = false")


def kill_server(server: EmbeddedServer) -> None:
    """Kill -9 of the postmaster and of all its backends."""
    postmaster = psutil.Process(int((server.data_dir / "postmaster.pid").read_text().splitlines()[0]))
    for process in [postmaster, *postmaster.children()]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def start_again(server: EmbeddedServer) -> None:
    """Start a server that was killed."""
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


def verify(dsn: str) -> None:
    """No row lost, none twice, each vector that of its text; searches answer; and check says what is left to do."""
    # The last writes may have come after the worker had looked.
    with Database(dsn) as database, psycopg.connect(dsn, autocommit=True) as connection:
        for problem in database.check("things"):
            if problem.hint.startswith("DROP INDEX"):
                connection.execute(problem.hint.encode())
        database.embed("things", Model(random.Random(0), slow=0), model="model")
        table = version_table(connection)
        rows = connection.execute(
            "SELECT b.id, b.body, v.embedding::text, pgsim._source_hash(b.body) = v.source_hash, "
            f"(SELECT count(*) FROM {table} AS o WHERE o.key = b.id) "
            f"FROM things AS b FULL JOIN {table} AS v ON v.key = b.id".encode()
        ).fetchall()
        bad = [row[0] for row in rows if not _is_right(*row[1:])]
        assert bad == []
        key, body = connection.execute("SELECT id, body FROM things ORDER BY id LIMIT 1").fetchall()[0]
        assert database.search("things", vector_of(body), k=1)[0].key == str(key)
        left = connection.execute(
            "SELECT pending + pending_deletes + taken + poison + workers FROM pgsim.backfill_progress"
        ).fetchall()
        assert left == [(0,)]
        assert database.check("things") == []


def _is_right(body: str, vector: str | None, same: bool, times: int) -> bool:
    if vector is None or not same or times != 1:
        return False
    return np.allclose(np.fromstring(vector[1:-1], sep=","), vector_of(body), atol=1e-5)


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]))
