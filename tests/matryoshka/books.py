"""A table of books whose vectors' first dimensions tell most, and searches of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pgsim.vectors import vector_text

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]

ROWS, DIM = 2500, 64


def drawn(number: int, seed: int) -> NDArray[np.float32]:
    """Vectors ``(number, DIM)``, each dimension telling less than the one before."""
    random = np.random.default_rng(seed)
    spread = 1 / np.sqrt(1 + np.arange(DIM))
    return (random.normal(size=(number, DIM)) * spread).astype(np.float32)


@dataclass(frozen=True)
class Shelf:
    """The table ``book``: ``vectors`` has its rows' vectors, row i that of the key i + 1."""

    connection: Connection
    vectors: NDArray[np.float32]

    def _ask(self, function: str, query: NDArray[Any], arguments: dict[str, object]) -> list[tuple[Any, ...]]:
        values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in arguments.items()}
        named = "".join(
            f", {name} => %({name})s{'::int[]' if isinstance(value, list) else ''}" for name, value in values.items()
        )
        return self.connection.execute(
            f"SELECT * FROM pgsim.{function}('book', query => %(query)s{named})".encode(),
            values | {"query": vector_text(np.asarray(query, np.float32))},
        ).fetchall()

    def search(self, query: NDArray[Any], **arguments: object) -> list[tuple[Any, ...]]:
        return self._ask("search", query, arguments)

    def explain(self, query: NDArray[Any], **arguments: object) -> dict[str, Any]:
        told: dict[str, Any] = self._ask("explain_search", query, arguments)[0][0]
        return told

    def index(self, **arguments: object) -> str:
        values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in arguments.items()}
        named = "".join(f", {name} => %({name})s" for name in values)
        made = self.connection.execute(f"SELECT pgsim.create_index('book', 'm'{named})::text".encode(), values)
        return str(made.fetchall()[0][0])

    def cost(self, **seconds: float) -> None:
        """Have the planner believe that rows cost so much."""
        self.connection.execute(
            "INSERT INTO pgsim._calibration (version_id, rows, queries) "
            "SELECT id, %s, 0 FROM pgsim.versions ON CONFLICT DO NOTHING",
            [ROWS],
        )
        for name, value in seconds.items():
            self.connection.execute(f"UPDATE pgsim._calibration SET {name} = %s".encode(), [value])

    def recall(self, queries: NDArray[np.float32], mask: NDArray[np.bool_] | None = None, **arguments: object) -> float:
        """The mean share of the true ten nearest by cosine that searches find, and that each finds ten."""
        unit = self.vectors / np.linalg.norm(self.vectors, axis=1, keepdims=True)
        similar = queries @ unit.T
        if mask is not None:
            similar[:, ~mask] = -np.inf
        kth = np.sort(similar, axis=1)[:, -10]
        shares = []
        for i, query in enumerate(queries):
            keys = [int(row[0]) - 1 for row in self.search(query, **arguments)]
            assert len(set(keys)) == 10
            shares.append(np.mean(similar[i][keys] >= kth[i] - 1e-6))
        return float(np.mean(shares))
