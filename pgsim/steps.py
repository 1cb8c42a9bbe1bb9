"""One body for sync and async: a generator that yields what is to be done and is sent what came of it.

A body never touches a connection. `run` and `run_async` do, and are all that differs between the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, cast

from psycopg import sql

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
Row: TypeAlias = tuple[object, ...]


@dataclass(frozen=True)
class Statement:
    """SQL to be executed. Without parameters it may be several statements, and ``%`` is only ``%``."""

    text: str
    parameters: dict[str, object] | None = None

    def arguments(self) -> tuple[bytes | sql.SQL, dict[str, object] | None]:
        """What a cursor's ``execute`` takes."""
        if self.parameters is None:
            return self.text.encode(), None
        return sql.SQL(self.text), self.parameters


@dataclass(frozen=True)
class Copy:
    """Rows on their way in: ``COPY ... FROM STDIN``, and the data in the format that it names."""

    text: str
    data: bytes


@dataclass(frozen=True)
class Work(Generic[T]):
    """A call that may take its time, such as an embedder's; async runs it in a thread."""

    call: Callable[[], T]


Steps: TypeAlias = Generator[Statement | Copy | Work[object], object, T]


def query(text: str, parameters: dict[str, object] | None = None) -> Steps[list[Row]]:
    """Execute a statement; its rows."""
    return cast("list[Row]", (yield Statement(text, parameters)))


def copy(text: str, data: bytes) -> Steps[None]:
    """Copy rows in."""
    yield Copy(text, data)


def work(call: Callable[[], T]) -> Steps[T]:
    """Make a call; its result."""
    return cast("T", (yield Work(call)))


def run(cursor: psycopg.Cursor[Row], steps: Steps[T], *, prepare: bool | None = None) -> T:
    """Carry out a body over a cursor of plain tuples. An error is raised where the body waits for the step."""
    try:
        step = next(steps)
        while True:
            try:
                if isinstance(step, Work):
                    result = step.call()
                elif isinstance(step, Copy):
                    with cursor.copy(step.text.encode()) as copying:
                        copying.write(step.data)
                    result = None
                else:
                    cursor.execute(*step.arguments(), prepare=prepare)
                    result = cursor.fetchall() if cursor.description else []
            except Exception as error:  # noqa: BLE001 -- raised again where the body waits, which may know more
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as done:
        return cast("T", done.value)


async def run_async(cursor: psycopg.AsyncCursor[Row], steps: Steps[T], *, prepare: bool | None = None) -> T:
    """`run` over an async cursor."""
    try:
        step = next(steps)
        while True:
            try:
                if isinstance(step, Work):
                    result = await asyncio.to_thread(step.call)
                elif isinstance(step, Copy):
                    async with cursor.copy(step.text.encode()) as copying:
                        await copying.write(step.data)
                    result = None
                else:
                    await cursor.execute(*step.arguments(), prepare=prepare)
                    result = await cursor.fetchall() if cursor.description else []
            except Exception as error:  # noqa: BLE001 -- raised again where the body waits, which may know more
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as done:
        return cast("T", done.value)
