"""Papers with two embeddings and columns that rank by themselves, and the legs of a search over them in numpy."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pgsim.vectors import vector_text

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]

ROWS = 300
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
# A function with many NULLs: every seventh paper has no citations known.
CITED = {str(i): i * 37 % 101 for i in range(1, ROWS + 1) if i % 7}
AGE = {str(i): i * 53 % 211 for i in range(1, ROWS + 1)}
WORDS = ["red", "green", "blue", "boat", "house", "garden", "river", "stone", "cloud", "bridge"]


def body(i: int) -> str:
    """What paper i says: some of the words, some of them more than once."""
    return " ".join(WORDS[(i * step + step * step) % 10] for step in range(1, 3 + i % 9))


@dataclass
class Papers:
    """The collection ``paper``: keys 1 to ROWS, vectors ``default`` (ROWS, 8), cosine, and ``title`` (ROWS, 4), l2."""

    connection: Connection
    default: NDArray[np.float32]
    title: NDArray[np.float32]

    def search(self, query: NDArray[Any] | None = None, **arguments: object) -> list[tuple[Any, ...]]:
        """Rows of (key, score, distance, rank, details)."""
        return self.call("SELECT * FROM pgsim.search", query, arguments)

    def keys(self, query: NDArray[Any] | None = None, **arguments: object) -> list[str]:
        return [row[0] for row in self.search(query, **arguments)]

    def explain(self, query: NDArray[Any] | None = None, **arguments: object) -> dict[str, Any]:
        told: dict[str, Any] = self.call("SELECT pgsim.explain_search", query, arguments)[0][0]
        return told

    def call(self, start: str, query: NDArray[Any] | None, arguments: dict[str, object]) -> list[tuple[Any, ...]]:
        values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in arguments.items()}
        values["query"] = None if query is None else vector_text(np.asarray(query, np.float32))
        named = ", ".join(f"{name} => %({name})s" for name in values)
        return self.connection.execute(f"{start}(collection => 'paper', {named})".encode(), values).fetchall()

    def dense(self, query: NDArray[np.float32], depth: int = 200) -> dict[str, float]:
        """The leg of the default embedding: key and score, best first."""
        rows, q = self.default.astype(np.float64), query.astype(np.float64)
        scores = rows @ q / np.linalg.norm(rows, axis=1) / np.linalg.norm(q)
        return {str(i + 1): float(scores[i]) for i in np.argsort(-scores, kind="stable")[:depth]}

    def titles(self, query: NDArray[np.float32], depth: int = 200) -> dict[str, float]:
        """The leg of the title embedding: key and score, best first."""
        distances = np.linalg.norm(self.title.astype(np.float64) - query, axis=1)
        return {str(i + 1): float(1 / (1 + distances[i])) for i in np.argsort(distances, kind="stable")[:depth]}
