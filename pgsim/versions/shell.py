"""What carries out a worker's tasks, sync and async: all that differs between the two."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar, cast

from pgsim.steps import Work
from pgsim.versions.worker import Transaction

if TYPE_CHECKING:
    import threading
    from collections.abc import Awaitable, Callable

    from pgsim.steps import Steps
    from pgsim.versions.worker import Tasks

T = TypeVar("T")


class Stopped(BaseException):
    """Raised in a worker that is told to stop: as an interrupt, it must not be taken for a fault of the embedder."""


def carry_out(
    transact: Callable[[Steps[object]], object], tasks: Tasks[T], *, stop: threading.Event | None = None
) -> T:
    """Carry out tasks, each transaction by ``transact``; ``stop``: when set, `Stopped` is raised in the body, once."""
    told = False
    try:
        task = next(tasks)
        while True:
            try:
                if stop is not None and not told and stop.is_set():
                    told = True
                    raise Stopped  # noqa: TRY301 -- raised where the body waits, as what the task raises
                result: object = None
                if isinstance(task, Transaction):
                    result = transact(task.steps)
                elif isinstance(task, Work):
                    result = task.call()
                elif stop is not None:
                    stop.wait(task.seconds)
                else:
                    time.sleep(task.seconds)
            except BaseException as error:  # noqa: BLE001 -- an interrupt too: the body gives back what it holds
                task = tasks.throw(error)
            else:
                task = tasks.send(result)
    except StopIteration as done:
        return cast("T", done.value)


async def carry_out_async(transact: Callable[[Steps[object]], Awaitable[object]], tasks: Tasks[T]) -> T:
    """`carry_out` in an event loop."""
    try:
        task = next(tasks)
        while True:
            try:
                result: object = None
                if isinstance(task, Transaction):
                    result = await transact(task.steps)
                elif isinstance(task, Work):
                    result = await asyncio.to_thread(task.call)
                else:
                    await asyncio.sleep(task.seconds)
            except BaseException as error:  # noqa: BLE001 -- a cancellation too: the body gives back what it holds
                task = tasks.throw(error)
            else:
                task = tasks.send(result)
    except StopIteration as done:
        return cast("T", done.value)
