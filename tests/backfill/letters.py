"""Embedders that count letters, and what they leave in a table of articles."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray


class Letters:
    """Counts letters: every difference between two texts shows. It remembers what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        self.batches.append(texts)
        return np.stack([counts(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return counts(text)

    @property
    def texts(self) -> list[str]:
        """Every text it was given to embed, in their order."""
        return [text for batch in self.batches for text in batch]


class Gate(Letters):
    """Stops at its first batch until it is told to go on, as a slow model does."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        self.reached.set()
        assert self.go_on.wait(30)
        return super().embed_documents(texts)


def counts(text: str) -> NDArray[np.float32]:
    """What `Letters` makes of a text."""
    return np.array([text.lower().count(chr(97 + i)) for i in range(26)], np.float32)


def wrong(connection: psycopg.Connection, model: str = "letters") -> list[object]:
    """Keys of the articles whose vector is missing, or not that of their text; and of vectors without an article."""
    ((relation,),) = connection.execute(
        "SELECT relation::text FROM pgsim.versions WHERE model = %s", [model]
    ).fetchall()
    rows = connection.execute(
        f"SELECT coalesce(b.id, v.key), btrim(b.body), v.embedding::text FROM articles AS b "
        f"FULL JOIN {relation} AS v ON v.key = b.id".encode()
    )
    return [key for key, body, vector in rows if not _is_right(body, vector)]


def _is_right(body: str | None, vector: str | None) -> bool:
    if not body or vector is None:
        return not body and vector is None
    return np.allclose(counts(body), np.fromstring(vector[1:-1], sep=","))
