"""A database with pgsim in it, from Python: sync and async over psycopg.

    with pgsim.Database("postgresql://...") as db:
        for hit in db.search("documents", vector, k=5, filter={"section": "games"}):
            print(hit.key, hit.score)

Methods bear the names and arguments of the SQL functions, and hold no logic of their own.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from functools import update_wrapper
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg.rows import tuple_row

from pgsim import calls, errors
from pgsim.steps import run, run_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import TracebackType

    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from pgsim.embedders.protocol import Embedder
    from pgsim.steps import Row, Steps

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound="Callable[..., object]")


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
    search_parents = _sync(calls.search_parents)
    search_layers = _sync(calls.search_layers)
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
    sync_privileges = _sync(calls.sync_privileges)
    create_fusion = _sync(calls.create_fusion)
    drop_fusion = _sync(calls.drop_fusion)
    sample_queries = _sync(calls.sample_queries)
    tune_fusion = _sync(calls.tune_fusion)
    drop_index = _sync(calls.drop_index)
    drop_version = _sync(calls.drop_version)
    drop_embedding = _sync(calls.drop_embedding)
    drop_model = _sync(calls.drop_model)
    drop_collection = _sync(calls.drop_collection)
    recall = _sync(calls.recall)
    calibrate = _sync(calls.calibrate)
    health = _sync(calls.health)
    advise = _sync(calls.advise)
    record_searches = _sync(calls.record_searches)
    forget_searches = _sync(calls.forget_searches)
    check = _sync(calls.check)
    active_model = _sync(calls.active_model)
    pending = _sync(calls.pending)

    def embed(
        self,
        collection: str,
        embedder: Embedder,
        *,
        model: str | None = None,
        embedding: str = "default",
        batch_size: int = 64,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Embed every row that waits, and those that have no vector; how many were stored.

        Each batch is a transaction of its own: what stops it, at any moment, loses one batch of work and no row.

        Args:
            progress: called after each batch with the rows done and the rows there were to do.
        """
        of = self.active_model(collection, model=model, embedding=embedding)
        self._run(calls.check_width(embedder, of))
        self.enqueue_missing(collection, of.name, embedding=embedding)
        total, done = self.pending(collection, of.name, embedding=embedding), 0
        while stored := self._run(
            calls.embed_batch(collection, embedder, of, embedding=embedding, batch_size=batch_size)
        ):
            done += stored
            if progress:
                progress(done, max(total, done))
        return done

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


class AsyncDatabase:
    """`Database`, its methods to be awaited. An embedder's calls run in a thread."""

    def __init__(self, target: str | psycopg.AsyncConnection[Row] | AsyncConnectionPool) -> None:
        self._target = target
        self._own: psycopg.AsyncConnection[Row] | None = None

    search = _async(calls.search)
    search_batch = _async(calls.search_batch)
    search_text = _async(calls.search_text)
    explain_search = _async(calls.explain_search)
    search_parents = _async(calls.search_parents)
    search_layers = _async(calls.search_layers)
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
    sync_privileges = _async(calls.sync_privileges)
    create_fusion = _async(calls.create_fusion)
    drop_fusion = _async(calls.drop_fusion)
    sample_queries = _async(calls.sample_queries)
    tune_fusion = _async(calls.tune_fusion)
    drop_index = _async(calls.drop_index)
    drop_version = _async(calls.drop_version)
    drop_embedding = _async(calls.drop_embedding)
    drop_model = _async(calls.drop_model)
    drop_collection = _async(calls.drop_collection)
    recall = _async(calls.recall)
    calibrate = _async(calls.calibrate)
    health = _async(calls.health)
    advise = _async(calls.advise)
    record_searches = _async(calls.record_searches)
    forget_searches = _async(calls.forget_searches)
    check = _async(calls.check)
    active_model = _async(calls.active_model)
    pending = _async(calls.pending)

    async def embed(
        self,
        collection: str,
        embedder: Embedder,
        *,
        model: str | None = None,
        embedding: str = "default",
        batch_size: int = 64,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """`Database.embed`."""
        of = await self.active_model(collection, model=model, embedding=embedding)
        await self._run(calls.check_width(embedder, of))
        await self.enqueue_missing(collection, of.name, embedding=embedding)
        total, done = await self.pending(collection, of.name, embedding=embedding), 0
        while stored := await self._run(
            calls.embed_batch(collection, embedder, of, embedding=embedding, batch_size=batch_size)
        ):
            done += stored
            if progress:
                progress(done, max(total, done))
        return done

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
