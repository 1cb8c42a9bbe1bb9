"""What recall, dimension, hubness and intervals are, in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _l2(vectors: Floats) -> Floats:
    return np.asarray(np.linalg.norm(vectors[:, None] - vectors[None], axis=2))


DISTANCES: dict[str, Callable[[Floats], Floats]] = {
    "cosine": lambda vectors: _l2(_unit(vectors)),
    "l2": _l2,
    "ip": lambda vectors: -(vectors @ vectors.T),
    "l1": lambda vectors: np.abs(vectors[:, None] - vectors[None]).sum(axis=2),
}


def neighbours(vectors: Floats, metric: str, k: int) -> tuple[NDArray[np.int64], Floats]:
    """Places ``(n, k)`` of the nearest others, and their distances ``(n, k)``."""
    distances = DISTANCES[metric](vectors)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return nearest, np.take_along_axis(distances, nearest, axis=1)


def intrinsic_dimension(vectors: Floats, metric: str) -> float:
    """Levina and Bickel's estimate over 20 neighbours, its inverses averaged (MacKay and Ghahramani)."""
    _, distances = neighbours(vectors, "l2" if metric == "ip" else metric, 20)
    terms, logs = 0, 0.0
    for row in distances:
        apart = row[row > 1e-6]
        terms += len(apart) - 1
        logs += float(np.log(apart[-1] / apart[:-1]).sum())
    return terms / logs


def hubness(vectors: Floats, metric: str) -> float:
    """The skewness of how often each vector is among the 10 nearest of another (Radovanovic et al.)."""
    nearest, _ = neighbours(vectors, metric, 10)
    times = np.bincount(nearest.ravel(), minlength=len(vectors)).astype(float)
    return float(((times - times.mean()) ** 3).mean() / times.std() ** 3)


def tie_recall(found: Floats, truth: Floats) -> float:
    """The share of `truth` that `found` holds, a row as near as the farthest of `truth` being as good."""
    farthest = truth.max()
    return min(1.0, float((found <= farthest + 1e-6 * max(1.0, abs(farthest))).sum()) / len(truth))
