"""What pgsim asks of an embedding model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from pgvector import SparseVector


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors. Any object with these two methods is one."""

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        """The vectors of stored texts: ``(n, d) float32``, row i for ``texts[i]``."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a search text: ``(d,) float32``."""
        ...


@runtime_checkable
class AsyncEmbedder(Protocol):
    """An embedder whose methods are to be awaited. Workers take it; what embeds a single query wants an `Embedder`."""

    async def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        """The vectors of stored texts: ``(n, d) float32``, row i for ``texts[i]``."""
        ...

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a search text: ``(d,) float32``."""
        ...


@runtime_checkable
class SparseEncoder(Protocol):
    """Turns search texts into sparse vectors: a learned sparse model's side of a query."""

    def embed_query(self, text: str) -> SparseVector | Mapping[int, float]:
        """The sparse vector of a search text, or a mapping of index (from 0) to weight."""
        ...


@runtime_checkable
class TokenCounter(Protocol):
    """An embedder that knows how many tokens a text has; of others four characters count as one."""

    def count_tokens(self, texts: list[str]) -> Sequence[int]:
        """The number of tokens of each text."""
        ...
