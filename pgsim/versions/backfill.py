"""Filling a version with as many workers as one likes, on this machine and others, and building its index."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, cast

import psycopg

from pgsim import calls
from pgsim.database import Database, translated
from pgsim.embedders.bounded import BoundedEmbedder
from pgsim.embedders.protocol import AsyncEmbedder, Embedder
from pgsim.errors import ConnectionFailed, InvalidArgument, MissingExtra
from pgsim.indexes import create_index_concurrently
from pgsim.versions.shell import Stopped, carry_out
from pgsim.versions.worker import Tally, Worker, WorkerOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pgsim.steps import Row

_RECONNECTIONS = 10
_INDEXED = """
SELECT t.version_id, EXISTS (
    SELECT FROM pgsim._index AS i
    WHERE i.version_id = t.version_id AND i.method IN ('hnsw', 'ivfflat') AND i.where_filter IS NULL
), a.options, CASE WHEN t.dim > 2000 THEN 'halfvec' ELSE a.element END
FROM pgsim._target(%(collection)s, %(model)s, %(embedding)s) AS t
LEFT JOIN LATERAL (
    SELECT i.options, i.element
    FROM pgsim._version AS v JOIN pgsim._version AS n ON n.id = t.version_id AND n.embedding_id = v.embedding_id
    JOIN pgsim._index AS i ON i.version_id = v.id AND i.method = 'hnsw' AND i.where_filter IS NULL
    JOIN pgsim._model AS m ON m.id = v.model_id AND m.dim = i.dims
    WHERE v.state = 'active' ORDER BY i.id LIMIT 1
) AS a ON true
"""


class Index(StrEnum):
    """When a version's index is built: once its rows are in, which is fastest, or before, and kept from then on."""

    END = "end"
    LIVE = "live"
    NONE = "none"


def backfill(
    dsn: str,
    collection: str,
    embedder: Embedder | AsyncEmbedder | Callable[[], Embedder | AsyncEmbedder],
    *,
    model: str | None = None,
    embedding: str = "default",
    workers: int = 1,
    order_by: str | None = None,
    index: Index | str = Index.END,
    timeout: float | None = None,
    options: WorkerOptions | None = None,
    progress: Callable[[Tally], None] | None = None,
) -> Tally:
    """Embed every row of a version that waits or has no vector, and build its index; what was done.

    Run it on as many machines as you like: no two workers take the same row. Where the server goes away, each worker
    connects again, ten times in a row at most.

    Args:
        dsn: the database. Each worker has a connection of its own.
        collection: the collection's name.
        embedder: an embedder, which all workers share, or a function that makes each its own.
        model: the model whose version is filled; by default the active one's.
        embedding: the embedding of the collection.
        workers: threads on this machine.
        order_by: as `Database.enqueue_missing` has it.
        index: ``end``, ``live`` or ``none``; a version that has an index of the full width keeps that.
        timeout: seconds for one call of the embedder.
        options: how each worker works.
        progress: called by the workers' threads after each batch, with what that worker has done.

    Raises:
        EmbedderError: the embedder fails for every text. All that was not stored is in the queue.
        PgsimError: as the calls that it makes.
    """
    index, options = _index(index), options or WorkerOptions()
    if workers < 1:
        raise InvalidArgument(f"workers is {workers}; there is one at least", hint="Leave it to its default, 1.")
    make = _maker(embedder)
    with Database(dsn) as database, BoundedEmbedder(make(), timeout=timeout) as first:
        of = database._run(calls.embedded_model(collection, model=model, embedding=embedding))
        database._run(calls.check_width(first, of))
        database._run(calls.recognise(first, of))
        database.enqueue_missing(collection, of.name, embedding=embedding, order_by=order_by)
        if index is Index.LIVE:
            _build_index(database, collection, of.name, embedding)
        crew = _Crew(dsn, (collection, of, embedding), options, timeout, make, progress)
        crew.start(workers, first)
        indexed = index is not Index.END
        try:
            while crew.working():
                if options.follow and not indexed and _is_filled(database, collection, of.name, embedding):
                    _build_index(database, collection, of.name, embedding)
                    indexed = True
        finally:
            crew.stop()
        tally = crew.result()
        if not indexed and tally.stopped == "empty":
            _build_index(database, collection, of.name, embedding)
        if tally.stopped == "empty" and not tally.set_aside:
            database._run(calls.settle(collection, of, embedding=embedding))
    return tally


@dataclass
class _Crew:
    """Workers in threads of this process."""

    _dsn: str
    _names: tuple[str, calls.Model, str]
    _options: WorkerOptions
    _timeout: float | None
    _make: Callable[[], Embedder | AsyncEmbedder]
    _progress: Callable[[Tally], None] | None
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _tallies: list[Tally] = field(default_factory=list)
    _errors: list[BaseException] = field(default_factory=list)

    def start(self, workers: int, first: BoundedEmbedder) -> None:
        for number in range(workers):
            tally = Tally()
            self._tallies.append(tally)
            name = f"{socket.gethostname()}:{os.getpid()}:{number}"
            target = self._live if number else lambda tally, options: self._with(first, tally, options)
            arguments = tally, replace(self._options, name=name)
            thread = threading.Thread(target=self._guarded, args=(target, *arguments), name=f"pgsim-{number}")
            self._threads.append(thread)
            thread.start()

    def working(self) -> bool:
        """Whether one still works, a second later at the latest; not once one has failed."""
        for thread in self._threads:
            thread.join(1 / len(self._threads))
        return not self._errors and any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def result(self) -> Tally:
        if self._errors:
            raise self._errors[0]
        whole = Tally()
        for tally in self._tallies:
            whole.stored += tally.stored
            whole.set_aside += tally.set_aside
            whole.calls += tally.calls
            whole.last_error = tally.last_error or whole.last_error
            if tally.stopped != "empty":
                whole.stopped = tally.stopped
        return whole

    def _guarded(self, live: Callable[[Tally, WorkerOptions], None], tally: Tally, options: WorkerOptions) -> None:
        try:
            live(tally, options)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 -- raised again by who started the thread
            self._errors.append(error)

    def _live(self, tally: Tally, options: WorkerOptions) -> None:
        with BoundedEmbedder(self._make(), timeout=self._timeout) as embedder:
            self._with(embedder, tally, options)

    def _with(self, embedder: BoundedEmbedder, tally: Tally, options: WorkerOptions) -> None:
        try:
            import tenacity  # noqa: PLC0415 -- an extra
        except ImportError as error:
            raise MissingExtra(
                f"a worker that connects again needs the package tenacity ({error})", hint="pip install 'pgsim[cli]'."
            ) from error
        collection, model, embedding = self._names
        before, failures = -1, 0

        def stop(state: tenacity.RetryCallState) -> bool:  # noqa: ARG001
            nonlocal before, failures
            failures = 1 if tally.stored > before else failures + 1
            before = tally.stored
            return failures > _RECONNECTIONS or self._stop.is_set()

        def once() -> None:
            worker = Worker(collection, model, embedding, embedder, options, tally, self._progress)
            with translated(), psycopg.connect(self._dsn, autocommit=True) as connection:
                # A second look at what was stored must see what others have committed meanwhile.
                connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
                carry_out(Database(connection)._run, worker.run(), stop=self._stop)

        tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((psycopg.OperationalError, ConnectionFailed)),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=30),
            stop=stop,
            sleep=tenacity.sleep_using_event(self._stop),
            reraise=True,
        )(once)


def _maker(
    embedder: Embedder | AsyncEmbedder | Callable[[], Embedder | AsyncEmbedder],
) -> Callable[[], Embedder | AsyncEmbedder]:
    # A class is no embedder yet, although it has the methods.
    if isinstance(embedder, type) or not isinstance(embedder, Embedder | AsyncEmbedder):
        return cast("Callable[[], Embedder | AsyncEmbedder]", embedder)
    made = embedder
    return lambda: made


def _index(index: Index | str) -> Index:
    try:
        return Index(index)
    except ValueError:
        raise InvalidArgument(
            f"index is {index!r}; it is one of {', '.join(Index)}",
            hint="end builds it once the rows are in, live before them.",
        ) from None


def _is_filled(database: Database, collection: str, model: str, embedding: str) -> bool:
    told = database.backfill_progress(collection, model, embedding=embedding)
    return not told.pending and not told.taken


def _build_index(database: Database, collection: str, model: str, embedding: str) -> None:
    """Build the version's index as the active version has it, unless it has one, or another session builds it."""
    names = {"collection": collection, "model": model, "embedding": embedding}
    with database.connection() as connection, translated():
        version, indexed, options, element = _rows(connection, _INDEXED, names)[0]
        lock = "SELECT {}('pgsim._index'::regclass::oid::int, %s)"
        if indexed or not _rows(connection, lock.format("pg_try_advisory_lock"), [version])[0][0]:
            return
        try:
            for (name,) in _rows(connection, "SELECT name FROM pgsim._unfinished_indexes(%s)", [version]):
                connection.execute(f"DROP INDEX CONCURRENTLY {name}".encode())
            create_index_concurrently(
                connection,
                collection,
                model,
                embedding=embedding,
                element=cast("str | None", element),
                options=cast("Mapping[str, object] | None", options),
            )
        finally:
            if not connection.closed:
                connection.execute(lock.format("pg_advisory_unlock").encode(), [version])


def _rows(
    connection: psycopg.Connection[Row], statement: str, values: Sequence[object] | Mapping[str, object]
) -> list[Row]:
    return connection.execute(statement.encode(), values).fetchall()
