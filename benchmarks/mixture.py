"""A larger table of the corpus' kind: rows mixed in pairs of one group, with noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from benchmarks.corpus import Corpus

CHUNK = 50_000
NOISE = 0.1
"""The length of the noise, beside vectors of unit length."""


@dataclass(frozen=True)
class Chunk:
    """``first``: the rows of the corpus that the columns come from. ``vectors``: ``(n, d) float32``, unit length."""

    first_key: int
    first: NDArray[np.int64]
    vectors: NDArray[np.float32]


@dataclass(frozen=True)
class Mixture:
    """The same rows for the same seed, made anew for each look at them: a million at once would fill the memory."""

    corpus: Corpus
    rows: int
    seed: int = 0

    def chunks(self) -> Iterator[Chunk]:
        """The rows, in order of their keys."""
        members, starts, sizes, group_of = self._groups
        vectors = self.corpus.vectors
        for number, start in enumerate(range(0, self.rows, CHUNK)):
            drawn = np.random.default_rng([self.seed, number])
            count = min(CHUNK, self.rows - start)
            first = drawn.integers(len(vectors), size=count)
            groups = group_of[first]
            second = members[starts[groups] + drawn.integers(sizes[groups])]
            share = drawn.uniform(0.5, 1, (count, 1)).astype(np.float32)
            mixed = share * vectors[first] + (1 - share) * vectors[second]
            noise = drawn.standard_normal(mixed.shape, np.float32)
            mixed += noise * np.float32(NOISE / np.sqrt(self.corpus.dim))
            mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
            yield Chunk(start + 1, first, mixed)

    def similarities(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of every row to every query, ``(queries, rows)``."""
        found = np.empty((len(queries), self.rows), np.float32)
        for chunk in self.chunks():
            start = chunk.first_key - 1
            found[:, start : start + len(chunk.vectors)] = queries @ chunk.vectors.T
        return found

    @cached_property
    def _groups(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        names = np.array(list(map(str, self.corpus.values(self.corpus.group_column))))
        _, group_of, sizes = np.unique(names, return_inverse=True, return_counts=True)
        return np.argsort(group_of, kind="stable"), np.cumsum(sizes) - sizes, sizes, group_of
