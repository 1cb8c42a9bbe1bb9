"""An embedder that is waited for only so long, and one whose methods are to be awaited, as a plain one."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import TYPE_CHECKING, Self, TypeVar

from pgsim.errors import EmbedderError, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from pgsim.embedders.protocol import AsyncEmbedder, Embedder

T = TypeVar("T")


class BoundedEmbedder:
    """``of``, sync or async, as an embedder to be called from a thread; a context, which ends its event loop.

    Args:
        of: the embedder.
        timeout: seconds for one call. What is to be awaited is cancelled then. A plain call cannot be ended from
            outside: it is left behind in its thread, which does not keep the process from ending.
        loop: the running loop that awaits; by default one of its own, in the calling thread.
    """

    def __init__(
        self,
        of: Embedder | AsyncEmbedder,
        *,
        timeout: float | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if timeout is not None and not 0 < timeout < threading.TIMEOUT_MAX:
            raise InvalidArgument(f"timeout is {timeout}, expected seconds above 0", hint="None waits for ever.")
        self.of = of
        self._timeout = timeout
        self._loop = loop
        self._runner: asyncio.Runner | None = None

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        """As the embedder does, or EmbedderError when it takes too long."""
        return self._bounded(lambda: self.of.embed_documents(texts))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """As the embedder does, or EmbedderError when it takes too long."""
        return self._bounded(lambda: self.of.embed_query(text))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner is not None:
            self._runner.close()

    def _bounded(self, call: Callable[[], T | Awaitable[T]]) -> T:
        answer = call() if self._timeout is None else self._in_thread(call, self._timeout)
        return self._awaited(answer) if inspect.isawaitable(answer) else answer

    def _awaited(self, answer: Awaitable[T]) -> T:
        async def within() -> T:
            return await asyncio.wait_for(answer, self._timeout)

        try:
            if self._loop is not None:
                return asyncio.run_coroutine_threadsafe(within(), self._loop).result()
            self._runner = self._runner or asyncio.Runner()
            return self._runner.run(within())
        except TimeoutError as error:
            raise self._too_slow() from error

    def _in_thread(self, call: Callable[[], T], timeout: float) -> T:
        answers: list[T] = []
        errors: list[BaseException] = []

        def answer() -> None:
            try:
                answers.append(call())
            except BaseException as error:  # noqa: BLE001 -- raised again by who waits
                errors.append(error)

        thread = threading.Thread(target=answer, name="pgsim-embedder", daemon=True)
        thread.start()
        thread.join(timeout)
        if errors:
            raise errors[0]
        if not answers:
            raise self._too_slow()
        return answers[0]

    def _too_slow(self) -> EmbedderError:
        return EmbedderError(
            f"{type(self.of).__name__} gave no answer within {self._timeout:g} seconds",
            hint="Look whether the model's server hangs; allow more time, or give fewer rows in one call.",
        )
