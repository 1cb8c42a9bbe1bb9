"""A mean over queries, and how far another set of such queries might be from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over queries, and its 95% bootstrap interval."""

    value: float
    low: float
    high: float


def mean_of(values: NDArray[np.float64], rng: np.random.Generator) -> Mean:
    """The mean, and the middle 95% of the means of samples drawn with replacement (the bootstrap; Efron 1979)."""
    means = [float(values[rng.integers(len(values), size=len(values))].mean()) for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return Mean(float(values.mean()), float(low), float(high))
