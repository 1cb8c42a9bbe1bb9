"""Which fusion of legs finds most, and whether it finds more than the best leg alone: numpy on ranked lists.

Fitted on one part of the queries and judged on the other, so that what is reported is what new queries may expect.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pgsim.errors import InvalidArgument
from pgsim.evaluation.mean import Mean, mean_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

# Small constants suit one relevant row a query, larger ones many (Cormack et al. 2009 took 60).
CONSTANTS = (1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 100.0)
LEAST_QUERIES = 20
MOST_LEGS = 6


@dataclass(frozen=True, slots=True)
class Fusion:
    """A way to fuse: what `create_fusion` takes."""

    method: str
    weights: dict[str, float]
    rank_constant: float | None = None


@dataclass(frozen=True, slots=True)
class FusionReport:
    """What tuning found, measured on the queries held out.

    ``legs``: MRR@k of each leg alone. ``default``: of equal weights by minmax. ``tuned``: of ``fitted``, the best
    fusion on the other queries. ``gain``: of ``tuned`` over the leg that was best on them, ``best_leg``, query by
    query. ``helps``: that gain is above 0 beyond doubt; ``kept`` is the fusion then, and otherwise that leg alone.
    """

    queries: int
    held_out: int
    k: int
    candidates: int
    legs: dict[str, Mean]
    best_leg: str
    default: Mean
    tuned: Mean
    fitted: Fusion
    gain: Mean
    helps: bool
    kept: Fusion

    def as_json(self) -> dict[str, object]:
        """All of it, as `create_fusion` keeps it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Judged:
    """What the legs found for one query: keys and scores, best first, and the keys that are relevant."""

    legs: Mapping[str, tuple[Sequence[str], Sequence[float]]]
    relevant: frozenset[str]


def tune(
    judged: Sequence[Judged],
    minima: Mapping[str, float | None],
    *,
    k: int = 10,
    candidates: int = 200,
    held_out: float = 0.5,
    seed: int = 0,
) -> FusionReport:
    """Fit method, weights and constant by the mean reciprocal rank of the first relevant row among k.

    Args:
        judged: what each leg found for each query; every query has the same legs.
        minima: the least score that each leg can have, None where it is not known; ``tmm`` needs all.
        k: rows that count.
        candidates: how many rows each leg was asked for.
        held_out: the part of the queries that the report is measured on.
        seed: which ones these are, and of the intervals.

    Raises:
        InvalidArgument: fewer than 20 queries, fewer than two legs or more than six, or a part that is none.
    """
    names = list(minima)
    if len(judged) < LEAST_QUERIES or len(names) < 2:
        raise InvalidArgument(
            f"there are {len(judged)} queries and {len(names)} legs; tuning needs {LEAST_QUERIES} and 2",
            hint="Give more queries with their relevant keys; a hundred tell something, a thousand tell it well.",
        )
    if len(names) > MOST_LEGS:
        raise InvalidArgument(
            f"there are {len(names)} legs; up to {MOST_LEGS} are fitted together",
            hint="Fit those that differ most; a leg that says what another says adds nothing.",
        )
    if not 0.1 <= held_out <= 0.9:
        raise InvalidArgument(f"held_out is {held_out}; it is a part from 0.1 to 0.9", hint="The default is one half.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(judged))
    test = order[: max(1, round(held_out * len(judged)))]
    fit = order[len(test) :]

    single = reciprocal_ranks(judged, minima, "leg", [(np.eye(len(names))[i], 0.0) for i in range(len(names))], k)
    best_leg = int(np.argmax(single[fit].mean(axis=0)))
    fitted, fitted_value, tuned = Fusion("minmax", {}), -1.0, np.zeros(len(judged))
    for method in ("minmax", "tmm", "dbsf", "rrf"):
        if method == "tmm" and None in minima.values():
            continue
        settings = list(_settings(method, len(names)))
        ranks = reciprocal_ranks(judged, minima, method, settings, k)
        means = ranks[fit].mean(axis=0)
        best = int(np.argmax(means))
        if means[best] > fitted_value + 1e-9:
            weights, constant = settings[best]
            named = {name: round(float(weight), 6) for name, weight in zip(names, weights, strict=True)}
            fitted = Fusion(method, named, constant if method == "rrf" else None)
            fitted_value, tuned = float(means[best]), ranks[:, best]
    equal = reciprocal_ranks(judged, minima, "minmax", [(np.full(len(names), 1 / len(names)), 0.0)], k)[:, 0]
    gain = mean_of(tuned[test] - single[test, best_leg], rng)
    helps = gain.low > 0
    alone = Fusion("minmax", {name: float(name == names[best_leg]) for name in names})
    return FusionReport(
        queries=len(judged),
        held_out=len(test),
        k=k,
        candidates=candidates,
        legs={name: mean_of(single[test, i], rng) for i, name in enumerate(names)},
        best_leg=names[best_leg],
        default=mean_of(equal[test], rng),
        tuned=mean_of(tuned[test], rng),
        fitted=fitted,
        gain=gain,
        helps=helps,
        kept=fitted if helps else alone,
    )


def _settings(method: str, legs: int) -> Iterator[tuple[Floats, float]]:
    """Weights that sum to 1, of two legs at least above 0, and constants."""
    parts = {2: 20, 3: 10, 4: 8}.get(legs, 6)
    grid = [each for each in product(range(parts), repeat=legs) if sum(each) == parts]
    for constant in CONSTANTS if method == "rrf" else (0.0,):
        for each in grid:
            yield np.array(each) / parts, constant


def reciprocal_ranks(
    judged: Sequence[Judged],
    minima: Mapping[str, float | None],
    method: str,
    settings: Sequence[tuple[Floats, float]],
    k: int,
) -> Floats:
    """``(queries, settings)``: one over the rank of the first relevant row, 0 when it is not among k."""
    names = list(minima)
    found = np.zeros((len(judged), len(settings)))
    for number, query in enumerate(judged):
        keys = sorted({key for leg in query.legs.values() for key in leg[0]}, key=_key_order)
        relevant = np.array([key in query.relevant for key in keys], bool)
        if not relevant.any():
            continue
        places = {key: place for place, key in enumerate(keys)}
        at = 0
        for constant in dict.fromkeys(constant for _, constant in settings):
            weights = np.stack([each for each, its in settings if its == constant], axis=1)
            shares = np.zeros((len(keys), len(names)))
            listed = np.zeros((len(keys), len(names)), bool)
            for i, name in enumerate(names):
                rows = [places[key] for key in query.legs[name][0]]
                shares[rows, i] = _shares(method, np.asarray(query.legs[name][1], float), minima[name], constant)
                listed[rows, i] = True
            fused = shares @ weights
            # A row that no leg with a weight lists is not found at all.
            fused[~(listed @ (weights > 0))] = -np.inf
            best = np.where(relevant[:, None], fused, -np.inf).max(axis=0)
            first = np.argmax(relevant[:, None] & (fused == best), axis=0)
            before = np.arange(len(keys))[:, None] < first
            ranks = 1 + (fused > best).sum(axis=0) + (before & (fused == best)).sum(axis=0)
            found[number, at : at + weights.shape[1]] = np.where(np.isfinite(best) & (ranks <= k), 1 / ranks, 0)
            at += weights.shape[1]
    return found


def _shares(method: str, scores: Floats, minimum: float | None, constant: float) -> Floats:
    """What each row of a leg gets, by the formulas of pgsim.fuse. Source: docs/hybrid.md."""
    if not len(scores):
        return scores
    if method == "leg":
        return -np.arange(len(scores), dtype=float)
    if method == "rrf":
        return 1 / (constant + np.arange(1, len(scores) + 1))
    if method == "dbsf":
        deviation = float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
        return 0.5 + (scores - scores.mean()) / (6 * deviation) if deviation else np.full(len(scores), 0.5)
    low = scores.min() if method == "minmax" else float(minimum or 0.0)
    span = scores.max() - low
    return (scores - low) / span if span > 0 else np.full(len(scores), float(method == "minmax"))


def _key_order(key: str) -> tuple[bool, int, str]:
    whole = key.removeprefix("-").isdecimal() and len(key) < 20
    return (not whole, int(key) if whole else 0, key)
