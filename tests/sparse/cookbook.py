"""Recipes with sparse vectors, beside a dense embedding, and what a search of them should find by numpy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pgvector import SparseVector

from pgsim.vectors import sparse_text, sparse_vectors_text, vectors_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg
    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]

ROWS = 240
DIM = 300
KINDS = ["soup", "cake", "salad"]


def drawn(rng: np.random.Generator, rows: int = ROWS, most: int = 12, skew: float = 0.4) -> NDArray[np.float32]:
    """Vectors ``(rows, DIM)`` of few numbers, some of them in many rows, all eighths: every product is exact."""
    vectors = np.zeros((rows, DIM), np.float32)
    for vector in vectors:
        count = int(rng.integers(1, most + 1))
        places = np.unique((DIM * rng.power(skew, count)).astype(int) % DIM)
        vector[places] = rng.integers(1, 17, len(places)) / 8
    return vectors


def sparse(vector: NDArray[np.float32]) -> SparseVector:
    return SparseVector(vector)


@dataclass
class Recipes:
    """The collection ``recipe``: keys 1 to ROWS, sparse vectors ``(ROWS, DIM)`` under ``terms``, dense ones of 4."""

    connection: Connection
    vectors: NDArray[np.float32]
    dense: NDArray[np.float32]
    metric: str = "ip"

    def kind(self, i: int) -> str:
        return KINDS[i * i % 3]

    def expected(
        self, query: NDArray[np.float32], k: int = 10, among: Callable[[int], bool] = lambda i: True
    ) -> list[tuple[str, float]]:
        """Key and distance of the best rows that match, by the metric's definition; ties by key."""
        rows, q = self.vectors.astype(np.float64), query.astype(np.float64)
        if self.metric == "ip":
            distances, end = -(rows @ q), 0.0
        elif self.metric == "cosine":
            distances, end = 1 - rows @ q / np.linalg.norm(rows, axis=1) / np.linalg.norm(q), 1.0
        else:
            distances, end = np.linalg.norm(rows - q, axis=1), np.inf
        order = np.lexsort((np.arange(len(rows)), distances.round(6)))
        return [(str(i + 1), float(distances[i])) for i in order if distances[i] < end and among(int(i))][:k]

    def search(self, given: NDArray[np.float32] | SparseVector | None, /, **arguments: object) -> list[tuple[Any, ...]]:
        """Rows of (key, score, distance, rank, details)."""
        return self.call("SELECT * FROM pgsim.search", given, arguments)

    def explain(self, given: NDArray[np.float32] | None, /, **arguments: object) -> dict[str, Any]:
        told: dict[str, Any] = self.call("SELECT pgsim.explain_search", given, arguments)[0][0]
        return told

    @property
    def table(self) -> str:
        """The version table of the sparse vectors."""
        found = self.connection.execute("SELECT relation::text FROM pgsim.versions WHERE embedding = 'sparse'")
        return str(found.fetchall()[0][0])

    def call(self, start: str, query: object, arguments: dict[str, object]) -> list[tuple[Any, ...]]:
        values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in arguments.items()}
        if isinstance(query, np.ndarray):
            query = sparse(query)
        values["sparse_query"] = None if query is None else sparse_text(query)
        named = ", ".join(f"{name} => %({name})s" for name in values)
        return self.connection.execute(f"{start}(collection => 'recipe', {named})".encode(), values).fetchall()

    def is_right(
        self, query: NDArray[np.float32], /, k: int = 10, kind: str | None = None, **arguments: object
    ) -> list[tuple[Any, ...]]:
        """Search, and assert that the answer is the exact one; the rows found."""
        if kind is not None:
            arguments["filter"] = {"kind": kind}
        found = self.search(query, k=k, **arguments)
        expected = self.expected(query, k, lambda i: kind in {None, self.kind(i)})
        assert [row[2] for row in found] == pytest.approx([distance for _, distance in expected], abs=1e-5)
        assert [row[3] for row in found] == list(range(1, len(expected) + 1))
        if self.metric == "ip":
            assert [row[0] for row in found] == [key for key, _ in expected]
        return found


def make(connection: Connection, metric: str = "ip", vectors: NDArray[np.float32] | None = None) -> Recipes:
    rng = np.random.default_rng(5)
    stored = drawn(rng) if vectors is None else vectors
    made = Recipes(connection, stored, rng.normal(size=(len(stored), 4)).astype(np.float32), metric)
    connection.execute("CREATE TABLE recipe (id int PRIMARY KEY, kind text, body text)")
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO recipe VALUES (%s, %s, %s)",
            [(i + 1, KINDS[i * i % 3], f"recipe {i} with salt") for i in range(len(stored))],
        )
    connection.execute(
        "SELECT pgsim.create_collection('recipe', text_columns => '{body}', filter_columns => '{kind}');"
        f"SELECT pgsim.create_model('terms', {DIM}, metric => '{metric}', element => 'sparsevec');"
        "SELECT pgsim.create_model('small', 4);"
        "SELECT pgsim.create_version('recipe', 'small');"
        "SELECT pgsim.create_embedding('recipe', 'sparse', '{body}');"
        "SELECT pgsim.create_version('recipe', 'terms', embedding => 'sparse')".encode()
    )
    keys = [str(i + 1) for i in range(len(stored))]
    connection.execute("SELECT pgsim.upsert('recipe', 'small', %s, %s)", [keys, vectors_text(made.dense)])
    upsert(connection, keys, [sparse(vector) for vector in stored])
    connection.execute("ANALYZE recipe")
    return made


def upsert(connection: Connection, keys: Sequence[str], vectors: Sequence[SparseVector]) -> None:
    connection.execute(
        "SELECT pgsim.upsert('recipe', 'terms', %s, sparse_vectors => %s, embedding => 'sparse')",
        [list(keys), sparse_vectors_text(vectors)],
    )
