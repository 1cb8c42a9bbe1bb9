"""The formulas of docs/hybrid.md in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

Leg: TypeAlias = dict[str, float]


def share(method: str, scores: list[float], rank: int, *, scale: tuple[float, float] | None = None) -> float:
    """What the row at a rank of a leg gets; ``scale`` is a leg's own."""
    score, low, high = scores[rank - 1], min(scores), max(scores)
    if method == "rrf":
        return 1 / (60 + rank)
    if scale is not None:
        return (score - scale[0]) / (scale[1] - scale[0])
    if method == "tmm":
        return score / high if high else 0.0
    if method == "dbsf":
        deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
        return 0.5 + (score - float(np.mean(scores))) / (6 * deviation) if deviation else 0.5
    return (score - low) / (high - low) if high > low else 1.0


def fused(
    legs: Mapping[str, Leg],
    weights: Mapping[str, float],
    method: str = "minmax",
    scales: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, float]:
    """Key and fused score, best first; ties by key."""
    total: dict[str, float] = {}
    for name, leg in legs.items():
        for rank, key in enumerate(leg, 1):
            part = share(method, list(leg.values()), rank, scale=(scales or {}).get(name))
            total[key] = total.get(key, 0.0) + weights[name] * part
    return dict(sorted(total.items(), key=lambda row: (-row[1], int(row[0]))))
