"""A database with pgsim in it, from Python: sync and async over psycopg.

    with pgsim.Database("postgresql://...") as db:
        for hit in db.search("documents", vector, k=5, filter={"section": "games"}):
            print(hit.key, hit.score)

Methods bear the names and arguments of the SQL functions, and hold no logic of their own.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from functools import update_wrapper
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg.rows import tuple_row

from pgsim import calls, errors, fusions, ladders, trials
from pgsim.embedders.bounded import BoundedEmbedder
from pgsim.steps import run, run_async
from pgsim.versions.shell import carry_out, carry_out_async
from pgsim.versions.worker import Worker, WorkerOptions, done

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from types import TracebackType

    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from pgsim.embedders.protocol import AsyncEmbedder, Embedder
    from pgsim.ladders import LadderReport
    from pgsim.steps import Row, Steps
    from pgsim.vectors import Vectors

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound="Callable[..., object]")
IDLE = psycopg.pq.TransactionStatus.IDLE


def translate(error: psycopg.Error) -> errors.PgsimError | None:
    """pgsim's own error for a psycopg error, or None when its SQLSTATE is not one of pgsim's."""
    known = errors.class_for(error.sqlstate)
    if known is None:
        return None
    diagnostic = error.diag
    return known(
        diagnostic.message_primary or str(error),
        detail=diagnostic.message_detail,
        hint=diagnostic.message_hint,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Raise pgsim's errors in place of psycopg's, where the SQLSTATE is one of pgsim's."""
    try:
        yield
    except psycopg.Error as error:
        own = translate(error) or _installation_error(error)
        if own is None:
            raise
        raise own from error


def _installation_error(error: psycopg.Error) -> errors.PgsimError | None:
    missing = psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedTable
    if isinstance(error, missing) and "pgsim" in str(error):
        return errors.NotInstalled(
            f"the database holds no pgsim, or none that takes these arguments: {error.diag.message_primary}",
            hint="Run `pgsim install` or `pgsim upgrade`; if it is there, check the arguments' types.",
        )
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return errors.ConnectionFailed(str(error).strip(), hint="Check the DSN, and that the server runs.")
    return None


def _described(method: M, body: Callable[..., object]) -> M:
    update_wrapper(method, body)
    given = signature(body)
    self = Parameter("self", Parameter.POSITIONAL_ONLY)
    method.__signature__ = given.replace(parameters=[self, *given.parameters.values()])  # type: ignore[attr-defined]
    return method


def _sync(body: Callable[P, Steps[T]]) -> Callable[Concatenate[Database, P], T]:
    def method(self: Database, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(body(*args, **kwargs))

    return _described(method, body)


def _async(body: Callable[P, Steps[T]]) -> Callable[Concatenate[AsyncDatabase, P], Awaitable[T]]:
    async def method(self: AsyncDatabase, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(body(*args, **kwargs))

    return _described(method, body)


def _sync_apart(body: Callable[P, Steps[T]]) -> Callable[Concatenate[Database, P], T]:
    def method(self: Database, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run_apart(body(*args, **kwargs))

    return _described(method, body)


def _async_apart(body: Callable[P, Steps[T]]) -> Callable[Concatenate[AsyncDatabase, P], Awaitable[T]]:
    async def method(self: AsyncDatabase, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run_apart(body(*args, **kwargs))

    return _described(method, body)


class Database:
    """A database with pgsim in it.

    Args:
        target: a DSN, for a connection of its own; or a connection or pool of yours, which stays yours to close.
            On a connection that is inside a transaction a call is part of it; otherwise each call commits by itself.
    """

    def __init__(self, target: str | psycopg.Connection[Row] | ConnectionPool) -> None:
        self._target = target
        self._own: psycopg.Connection[Row] | None = None

    search = _sync(calls.search)
    search_batch = _sync(calls.search_batch)
    search_text = _sync(calls.search_text)
    explain_search = _sync(calls.explain_search)
    search_versions = _sync(calls.search_versions)
    search_parents = _sync(calls.search_parents)
    search_layers = _sync(calls.search_layers)
    explain_layers = _sync(calls.explain_layers)
    measure_layers = _sync(calls.measure_layers)
    fuse = _sync(calls.fuse)
    mmr = _sync(calls.mmr)
    rerank = _sync(calls.rerank)
    fetch = _sync(calls.fetch)
    create_collection = _sync(calls.create_collection)
    create_model = _sync(calls.create_model)
    enable_text = _sync(calls.enable_text)
    disable_text = _sync(calls.disable_text)
    text_statistics = _sync(calls.text_statistics)
    snippet = _sync(calls.snippet)
    create_embedding = _sync(calls.create_embedding)
    create_version = _sync(calls.create_version)
    create_index = _sync(calls.create_index)
    upsert = _sync(calls.upsert)
    enqueue_missing = _sync(calls.enqueue_missing)
    pause_backfill = _sync(calls.pause_backfill)
    resume_backfill = _sync(calls.resume_backfill)
    limit_backfill = _sync(calls.limit_backfill)
    retry_poison = _sync(calls.retry_poison)
    backfill_progress = _sync(calls.backfill_progress)
    finish_batch = _sync(calls.finish_batch)
    sync_privileges = _sync(calls.sync_privileges)
    create_fusion = _sync(calls.create_fusion)
    drop_fusion = _sync(calls.drop_fusion)
    sample_queries = _sync(calls.sample_queries)
    tune_fusion = _sync(fusions.tune_fusion)
    named_legs = _sync(fusions.named_legs)
    create_map = _sync(calls.create_map)
    fetch_map = _sync(calls.fetch_map)
    apply_map = _sync(calls.apply_map)
    drop_map = _sync(calls.drop_map)
    derive_model = _sync(calls.derive_model)
    drop_index = _sync(calls.drop_index)
    drop_version = _sync(calls.drop_version)
    activate = _sync(calls.activate)
    rollback = _sync(calls.rollback)
    retire = _sync(calls.retire)
    revive = _sync(calls.revive)
    mark_ready = _sync(calls.mark_ready)
    history = _sync(calls.history)
    eject = _sync(calls.eject)
    copy_vectors = _sync(calls.copy_vectors)
    chores = _sync(calls.chores)
    schedule_chores = _sync(calls.schedule_chores)
    set_gate = _sync(calls.set_gate)
    record_quality = _sync(calls.record_quality)
    measure_quality = _sync(calls.measure_quality)
    set_probes = _sync(calls.set_probes)
    check_embedder = _sync(calls.check_embedder)
    drop_embedding = _sync(calls.drop_embedding)
    drop_model = _sync(calls.drop_model)
    drop_collection = _sync(calls.drop_collection)
    recall = _sync(calls.recall)
    calibrate = _sync(calls.calibrate)
    health = _sync(calls.health)
    advise = _sync(calls.advise)
    recall_by_dims = _sync(calls.recall_by_dims)
    compress_advice = _sync(calls.compress_advice)
    tune_index = _sync_apart(trials.tune_index)
    tune_prefixes = _sync_apart(trials.tune_prefixes)
    tune_codes = _sync(trials.tune_codes)
    fit_codes_map = _sync(trials.fit_codes_map)
    record_searches = _sync(calls.record_searches)
    forget_searches = _sync(calls.forget_searches)
    check = _sync(calls.check)
    active_model = _sync(calls.active_model)
    pending = _sync(calls.pending)

    def embed(
        self,
        collection: str,
        embedder: Embedder | AsyncEmbedder,
        *,
        model: str | None = None,
        embedding: str = "default",
        batch_size: int = 64,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Embed every row that waits, those that have no vector, and those set aside before; how many were stored.

        It is a worker that ends when nothing is left: no transaction is open while the embedder works, and what stops
        it, at any moment, loses one batch of work and no row.

        Args:
            progress: called after each batch with the rows done and the rows there were to do.

        Raises:
            EmbedderError: the embedder failed. Rows that alone are to blame are set aside, and the others embedded.
            WrongState: the backfill is paused, or its budget used up.
        """
        of = self._run(calls.embedded_model(collection, model=model, embedding=embedding))
        with self.connection() as connection, BoundedEmbedder(embedder) as bounded:
            own = Database(connection)
            own._run(calls.check_width(bounded, of))
            own._run(calls.recognise(bounded, of))
            total = own._run(calls.begin_embedding(collection, of.name, embedding=embedding))
            worker = Worker(
                collection,
                of,
                embedding,
                bounded,
                WorkerOptions(batch_rows=batch_size, name="embed"),
                progress=progress and (lambda tally: progress(tally.stored, max(total, tally.stored))),
            )
            stored = done(carry_out(own._run, worker.run()), collection)
            own._run(calls.settle(collection, of, embedding=embedding))
            return stored

    def fill_version(
        self,
        collection: str,
        model: str,
        *,
        embedding: str = "default",
        size: int = 1000,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Map every row that a derived version lacks; how many were stored.

        Each batch is a transaction of its own: what stops it, at any moment, loses one batch of work and no row.

        Args:
            size: rows a batch; who writes one of them waits for the batch.
            progress: called after each batch with the rows done and the rows there were to do.
        """
        total = self._run(calls.missing_images(collection, model, embedding=embedding))
        filled, stored, after = 0, -1, None
        while stored:
            stored = 0
            while True:
                batch, after = self._run(
                    calls.fill_batch(collection, model, embedding=embedding, size=size, after=after)
                )
                stored += batch
                if progress:
                    progress(filled + stored, max(total, filled + stored))
                if after is None:
                    break
            filled += stored
        return filled

    def fit_ladder(
        self,
        collection: str,
        *,
        method: str = "pca",
        model: str | None = None,
        embedding: str = "default",
        dims: Sequence[int] | None = None,
        sample: int = 20000,
        queries: Vectors | None = None,
        name: str | None = None,
        seed: int = 0,
        dry_run: bool = False,
        measured: Callable[[LadderReport], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> LadderReport:
        """Make a ladder of prefixes for a model that has none: fit a map, derive a model, give it a version, fill that.

        What is there of that name already is taken up where it was left, and fitted no second time.

        Args:
            method: pca (scores stay as they are), leanvec (likewise, fitted to queries as well) or whitening.
            model: the one to be mapped; by default the active version's.
            dims: the prefix lengths; by default 64, 128, ... and the full width, which pca and leanvec always have.
            sample: how many rows to fit on.
            queries: ``(m, d)``, of the model: one half to fit leanvec, the other to measure with. Otherwise rows are.
            name: of the map and of the model, by default the model's with the method.
            dry_run: measure, and keep nothing.
            measured: called with the report before any row is mapped.
            progress: called with the rows mapped and the rows there are to map.
        """
        report = self._run(
            ladders.prepare(
                collection,
                method=method,
                model=model,
                embedding=embedding,
                dims=dims,
                sample=sample,
                queries=queries,
                name=name,
                seed=seed,
                dry_run=dry_run,
            )
        )
        if measured:
            measured(report)
        if not dry_run:
            self.fill_version(collection, report.name, embedding=embedding, progress=progress)
        return report

    def close(self) -> None:
        """Close the connection that was made for a DSN."""
        if self._own is not None:
            self._own.close()
            self._own = None

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Row]]:
        """The connection that calls run on: the own one, yours, or one of the pool for the time of the block."""
        if isinstance(self._target, psycopg.Connection):
            yield self._target
        elif isinstance(self._target, str):
            if self._own is None or self._own.closed:
                with translated():
                    self._own = psycopg.connect(self._target, autocommit=True)
            yield self._own
        else:
            with self._target.connection() as connection:
                yield connection

    def _run(self, steps: Steps[T]) -> T:
        with (
            translated(),
            self.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row) as cursor,
        ):
            return run(cursor, steps)

    def _run_apart(self, steps: Steps[T]) -> T:
        """Each statement in a transaction of its own where the connection is in autocommit, so that no lock is held."""
        with translated(), self.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            if not connection.autocommit or connection.info.transaction_status != IDLE:
                with connection.transaction():
                    return run(cursor, steps)
            try:
                return run(cursor, steps)
            except BaseException:
                if connection.info.transaction_status == IDLE:
                    with connection.transaction():
                        # It may have been a timeout that ended the trial.
                        cursor.execute("SET LOCAL statement_timeout = 0")
                        cursor.execute(trials.END)
                raise


class AsyncDatabase:
    """`Database`, its methods to be awaited. An embedder's calls run in a thread."""

    def __init__(self, target: str | psycopg.AsyncConnection[Row] | AsyncConnectionPool) -> None:
        self._target = target
        self._own: psycopg.AsyncConnection[Row] | None = None

    search = _async(calls.search)
    search_batch = _async(calls.search_batch)
    search_text = _async(calls.search_text)
    explain_search = _async(calls.explain_search)
    search_versions = _async(calls.search_versions)
    search_parents = _async(calls.search_parents)
    search_layers = _async(calls.search_layers)
    explain_layers = _async(calls.explain_layers)
    measure_layers = _async(calls.measure_layers)
    fuse = _async(calls.fuse)
    mmr = _async(calls.mmr)
    rerank = _async(calls.rerank)
    fetch = _async(calls.fetch)
    create_collection = _async(calls.create_collection)
    create_model = _async(calls.create_model)
    enable_text = _async(calls.enable_text)
    disable_text = _async(calls.disable_text)
    text_statistics = _async(calls.text_statistics)
    snippet = _async(calls.snippet)
    create_embedding = _async(calls.create_embedding)
    create_version = _async(calls.create_version)
    create_index = _async(calls.create_index)
    upsert = _async(calls.upsert)
    enqueue_missing = _async(calls.enqueue_missing)
    pause_backfill = _async(calls.pause_backfill)
    resume_backfill = _async(calls.resume_backfill)
    limit_backfill = _async(calls.limit_backfill)
    retry_poison = _async(calls.retry_poison)
    backfill_progress = _async(calls.backfill_progress)
    finish_batch = _async(calls.finish_batch)
    sync_privileges = _async(calls.sync_privileges)
    create_fusion = _async(calls.create_fusion)
    drop_fusion = _async(calls.drop_fusion)
    sample_queries = _async(calls.sample_queries)
    tune_fusion = _async(fusions.tune_fusion)
    named_legs = _async(fusions.named_legs)
    create_map = _async(calls.create_map)
    fetch_map = _async(calls.fetch_map)
    apply_map = _async(calls.apply_map)
    drop_map = _async(calls.drop_map)
    derive_model = _async(calls.derive_model)
    drop_index = _async(calls.drop_index)
    drop_version = _async(calls.drop_version)
    activate = _async(calls.activate)
    rollback = _async(calls.rollback)
    retire = _async(calls.retire)
    revive = _async(calls.revive)
    mark_ready = _async(calls.mark_ready)
    history = _async(calls.history)
    eject = _async(calls.eject)
    copy_vectors = _async(calls.copy_vectors)
    chores = _async(calls.chores)
    schedule_chores = _async(calls.schedule_chores)
    set_gate = _async(calls.set_gate)
    record_quality = _async(calls.record_quality)
    measure_quality = _async(calls.measure_quality)
    set_probes = _async(calls.set_probes)
    check_embedder = _async(calls.check_embedder)
    drop_embedding = _async(calls.drop_embedding)
    drop_model = _async(calls.drop_model)
    drop_collection = _async(calls.drop_collection)
    recall = _async(calls.recall)
    calibrate = _async(calls.calibrate)
    health = _async(calls.health)
    advise = _async(calls.advise)
    recall_by_dims = _async(calls.recall_by_dims)
    compress_advice = _async(calls.compress_advice)
    tune_index = _async_apart(trials.tune_index)
    tune_prefixes = _async_apart(trials.tune_prefixes)
    tune_codes = _async(trials.tune_codes)
    fit_codes_map = _async(trials.fit_codes_map)
    record_searches = _async(calls.record_searches)
    forget_searches = _async(calls.forget_searches)
    check = _async(calls.check)
    active_model = _async(calls.active_model)
    pending = _async(calls.pending)

    async def embed(
        self,
        collection: str,
        embedder: Embedder | AsyncEmbedder,
        *,
        model: str | None = None,
        embedding: str = "default",
        batch_size: int = 64,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """`Database.embed`."""
        of = await self._run(calls.embedded_model(collection, model=model, embedding=embedding))
        async with self.connection() as connection:
            own = AsyncDatabase(connection)
            bounded = BoundedEmbedder(embedder, loop=asyncio.get_running_loop())
            await own._run(calls.check_width(bounded, of))
            await own._run(calls.recognise(bounded, of))
            total = await own._run(calls.begin_embedding(collection, of.name, embedding=embedding))
            worker = Worker(
                collection,
                of,
                embedding,
                bounded,
                WorkerOptions(batch_rows=batch_size, name="embed"),
                progress=progress and (lambda tally: progress(tally.stored, max(total, tally.stored))),
            )
            stored = done(await carry_out_async(own._run, worker.run()), collection)
            await own._run(calls.settle(collection, of, embedding=embedding))
            return stored

    async def fill_version(
        self,
        collection: str,
        model: str,
        *,
        embedding: str = "default",
        size: int = 1000,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """`Database.fill_version`."""
        total = await self._run(calls.missing_images(collection, model, embedding=embedding))
        filled, stored, after = 0, -1, None
        while stored:
            stored = 0
            while True:
                batch, after = await self._run(
                    calls.fill_batch(collection, model, embedding=embedding, size=size, after=after)
                )
                stored += batch
                if progress:
                    progress(filled + stored, max(total, filled + stored))
                if after is None:
                    break
            filled += stored
        return filled

    async def fit_ladder(
        self,
        collection: str,
        *,
        method: str = "pca",
        model: str | None = None,
        embedding: str = "default",
        dims: Sequence[int] | None = None,
        sample: int = 20000,
        queries: Vectors | None = None,
        name: str | None = None,
        seed: int = 0,
        dry_run: bool = False,
        measured: Callable[[LadderReport], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> LadderReport:
        """`Database.fit_ladder`."""
        report = await self._run(
            ladders.prepare(
                collection,
                method=method,
                model=model,
                embedding=embedding,
                dims=dims,
                sample=sample,
                queries=queries,
                name=name,
                seed=seed,
                dry_run=dry_run,
            )
        )
        if measured:
            measured(report)
        if not dry_run:
            await self.fill_version(collection, report.name, embedding=embedding, progress=progress)
        return report

    async def close(self) -> None:
        """Close the connection that was made for a DSN."""
        if self._own is not None:
            await self._own.close()
            self._own = None

    async def __aenter__(self) -> AsyncDatabase:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        """The connection that calls run on: the own one, yours, or one of the pool for the time of the block."""
        if isinstance(self._target, psycopg.AsyncConnection):
            yield self._target
        elif isinstance(self._target, str):
            if self._own is None or self._own.closed:
                with translated():
                    self._own = await psycopg.AsyncConnection.connect(self._target, autocommit=True)
            yield self._own
        else:
            async with self._target.connection() as connection:
                yield connection

    async def _run(self, steps: Steps[T]) -> T:
        with translated():
            async with (
                self.connection() as connection,
                connection.transaction(),
                connection.cursor(row_factory=tuple_row) as cursor,
            ):
                return await run_async(cursor, steps)

    async def _run_apart(self, steps: Steps[T]) -> T:
        """`Database._run_apart`."""
        with translated():
            async with self.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
                if not connection.autocommit or connection.info.transaction_status != IDLE:
                    async with connection.transaction():
                        return await run_async(cursor, steps)
                try:
                    return await run_async(cursor, steps)
                except BaseException:
                    if connection.info.transaction_status == IDLE:
                        async with connection.transaction():
                            await cursor.execute("SET LOCAL statement_timeout = 0")
                            await cursor.execute(trials.END)
                    raise
