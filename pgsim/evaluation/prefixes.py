"""What the first dimensions of vectors are good for, as they are and turned by their principal components."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_TIE = 1e-6
_ZERO = 1e-9
# Of a square of a distance between vectors of length 1.
_TOUCHING = 1e-12


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prefix: ``recall`` of the true top k in the best so many by it, ``rotated`` the same after the rotation.

    ``reachable``: of how many of the ``decided`` queries the true top k is the top k of any vector at all, ranked by
    this prefix. None where that cannot be told.
    """

    dims: int
    recall: dict[int, float]
    rotated: dict[int, float] | None
    reachable: int | None
    decided: int | None


@dataclass(frozen=True, slots=True)
class PrefixReport:
    """What `prefix_recall` measured, with ``rows`` of ``total`` rows and ``searches`` queries."""

    collection: str
    model: str
    k: int
    rows: int
    total: int
    searches: int
    tolerance: float
    prefixes: tuple[Prefix, ...]

    def smallest(self, keep: int, *, rotated: bool = False) -> int | None:
        """The shortest prefix whose recall in the best so many is at least 1 - tolerance."""
        for prefix in self.prefixes:
            found = prefix.rotated if rotated else prefix.recall
            if found is not None and found[keep] >= 1 - self.tolerance - _ZERO:
                return prefix.dims
        return None

    def as_json(self) -> dict[str, object]:
        """All of it, of values that JSON has."""
        return asdict(self)


def distances(rows: Floats, queries: Floats, metric: str) -> Floats:
    """pgvector's distances ``(q, n)`` of queries ``(q, d)`` from rows ``(n, d)``."""
    if metric == "l1":
        return np.stack([np.abs(rows - query).sum(axis=1) for query in queries])
    if metric == "cosine":
        return 1 - np.asarray(_normalised(queries) @ _normalised(rows).T)
    inner: Floats = queries @ rows.T
    if metric == "ip":
        return -inner
    squared: Floats = (queries**2).sum(1)[:, None] + (rows**2).sum(1)[None] - 2 * inner
    return np.sqrt(np.maximum(squared, 0))


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows ``(n, d)`` and queries ``(q, d)``, compared by a metric."""

    rows: Floats
    queries: Floats
    metric: str

    def turned(self, turn: Floats) -> Sample:
        """The same after a rotation ``(d, d)``."""
        return Sample(self.rows @ turn, self.queries @ turn, self.metric)

    def distances(self, dims: int | None = None) -> Floats:
        """pgvector's distances ``(q, n)``, by the whole vectors or by a prefix.

        A prefix has unit length again under every metric; under cosine lengths do not count anyway.
        """
        if dims is None or dims == self.rows.shape[1]:
            return distances(self.rows, self.queries, self.metric)
        return distances(_normalised(self.rows[:, :dims]), _normalised(self.queries[:, :dims]), self.metric)

    def recall(self, dims: int, keep: Sequence[int], k: int) -> dict[int, float]:
        """The share of the true k that are among the best so many by a prefix; a row as near as the k-th is as good."""
        truth = self.distances()
        good = truth <= _limits(truth, k)
        order = np.argsort(self.distances(dims), axis=1, kind="stable")
        found = np.cumsum(np.take_along_axis(good, order, axis=1), axis=1)
        return {depth: float(np.minimum(found[:, min(depth, len(self.rows)) - 1], k).mean() / k) for depth in keep}

    def reachable(self, dims: int, k: int) -> tuple[int, int]:
        """Of how many queries the true top k can be the top k of some vector by a prefix; of how many that is known.

        A prefix of unit length ranks rows by an inner product, so a set of them is the top of some vector exactly where
        a hyperplane parts it from all other rows: where their convex hulls do not meet. Few dimensions part few sets
        (Weller et al. 2025, "On the Theoretical Limitations of Embedding-Based Retrieval"). Rows that tie with the k-th
        count for neither side. It is not so under l1.
        """
        truth = self.distances()
        prefixes = _normalised(self.rows[:, :dims])
        reached = decided = 0
        for row, limit in zip(truth, _limits(truth, k), strict=True):
            inside, outside = prefixes[np.argsort(row, kind="stable")[:k]], prefixes[row > limit]
            apart = _parted(inside, outside) if len(outside) else True
            reached += apart is True
            decided += apart is not None
        return reached, decided


def _limits(truth: Floats, k: int) -> Floats:
    """How far ``(q, 1)`` a row may be to be as good as the k-th."""
    farthest: Floats = np.partition(truth, k - 1, axis=1)[:, k - 1 : k]
    return farthest + _TIE * np.maximum(1, np.abs(farthest))


def _parted(inside: Floats, outside: Floats, rounds: int = 2000) -> bool | None:
    """Whether a hyperplane parts two sets of points; None when it was not found out.

    Wolfe's algorithm for the nearest point to the origin of a polytope (1976), here of all differences. That point is
    the origin where the hulls meet, and otherwise the normal of a hyperplane between them.
    """
    points = np.array([inside.mean(axis=0) - outside[np.argmax(outside @ inside.mean(axis=0))]])
    shares = np.ones(1)
    for _ in range(rounds):
        at = shares @ points
        farthest = inside[np.argmin(inside @ at)] - outside[np.argmax(outside @ at)]
        reach = float(at @ farthest)
        if reach > _TOUCHING:
            return True
        if float(at @ at) - reach <= _TOUCHING:
            return False
        points, shares = _nearest_of_corral(np.vstack([points, farthest]), np.append(shares, 0.0))
    return None


def _nearest_of_corral(points: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Drop points until the nearest point of those left, on their plane, lies within them."""
    while True:
        count = len(points)
        system = np.ones((count + 1, count + 1))
        system[0, 0] = 0
        system[1:, 1:] = points @ points.T
        solved = np.linalg.lstsq(system, np.eye(count + 1)[0], rcond=None)[0][1:]
        if (solved > _ZERO).all():
            return points, solved / solved.sum()
        sinking = solved <= _ZERO
        falls = shares[sinking] - solved[sinking]
        step = float(np.min(np.divide(shares[sinking], falls, out=np.ones(falls.shape), where=falls > 0), initial=1.0))
        shares = shares + step * (solved - shares)
        left = shares > _ZERO
        points, shares = points[left], shares[left] / shares[left].sum()


def _normalised(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit
