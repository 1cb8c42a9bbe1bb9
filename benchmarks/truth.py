"""Brute force in numpy, which answers are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from numpy.typing import NDArray

    from pgsim.steps import Row

TIE = 1e-6


@dataclass(frozen=True)
class Truth:
    """The rows that match a predicate, and how near the k-th of them is to each query.

    ``similarities``: ``(queries, n) float32``, of every row of the table; row i has the key i + 1.
    ``matching``: ``(n,) bool``.
    """

    similarities: NDArray[np.float32]
    matching: NDArray[np.bool_]
    k: int

    @cached_property
    def matches(self) -> int:
        """How many rows match."""
        return int(self.matching.sum())

    @property
    def expected(self) -> int:
        """How many rows an answer has."""
        return min(self.k, self.matches)

    @cached_property
    def furthest(self) -> NDArray[np.float32]:
        """The similarity of the k-th nearest match, ``(queries,)``."""
        if not self.matches:
            return np.zeros(len(self.similarities), np.float32)
        columns = np.flatnonzero(self.matching)
        kth = [np.partition(row[columns], -self.expected)[-self.expected] for row in self.similarities]
        return np.array(kth, np.float32)

    def recall(self, query: int, keys: Sequence[int]) -> float:
        """The share of the true k that an answer has: a match no further than the k-th, within 1e-6, is one of them."""
        if not self.expected:
            return float(not keys)
        places = np.unique(np.array(keys, np.int64)) - 1
        near = self.similarities[query][places] >= self.furthest[query] - TIE
        return min(1.0, int(np.sum(near & self.matching[places])) / self.expected)

    def mean_recall(self, answers: Sequence[Sequence[int]]) -> float:
        """The mean over answers to the first queries, in their order."""
        return float(np.mean([self.recall(query, keys) for query, keys in enumerate(answers)]))

    def short(self, answers: Sequence[Sequence[int]]) -> int:
        """How many answers have another number of rows than min(k, matches)."""
        return sum(len(set(keys)) != self.expected for keys in answers)


def find_truth(
    connection: psycopg.Connection[Row], table: str, predicate: str, similarities: NDArray[np.float32], k: int
) -> Truth:
    """The truth of a predicate over a table."""
    matching = np.zeros(similarities.shape[1], bool)
    keys = connection.execute(f"SELECT id FROM {table} WHERE {predicate}".encode()).fetchall()
    matching[np.array([int(str(key)) for (key,) in keys], np.int64) - 1] = True
    return Truth(similarities, matching, k)
