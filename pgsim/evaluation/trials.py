"""Which index to build, of those that were tried: least time, least memory, at a recall."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pgsim.evaluation.mean import Mean

_CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Trial:
    """An index with one setting, built and searched on a copy of sampled rows.

    ``keep``: how many of its rows are ranked by the whole vector, at this ``ef``. ``quality``: the mean reciprocal
    rank of the first relevant row, where relevant rows were named. ``seconds``: the median of a search, on the server.
    ``bytes`` and ``build_seconds`` are those of the copy, ``total_bytes`` and ``total_build_seconds`` scaled to all
    rows, built by one process. ``rotated``: of vectors turned by the principal components of the copy. ``existing``:
    the name of such an index. ``refusal``: what `create_index` says against it.
    """

    dims: int
    element: str
    rotated: bool
    ef: int
    keep: int
    recall: Mean
    quality: float | None
    seconds: float
    bytes: int
    build_seconds: float
    total_bytes: int
    total_build_seconds: float
    existing: str | None
    refusal: str | None

    @property
    def index(self) -> tuple[bool, int, str]:
        """What tells it from other indexes."""
        return self.rotated, self.dims, self.element

    @property
    def name(self) -> str:
        """Its length and element, as one says them."""
        return f"{self.dims} {self.element}{', rotated' if self.rotated else ''}"

    def reaches(self, recall: float) -> bool:
        """Whether it found that share of the exact answers, on average."""
        return self.recall.value >= recall - _CLOSE


@dataclass(frozen=True, slots=True)
class TuningReport:
    """What trying indexes showed.

    ``trials``: every setting timed, of an index those that reach the recall, or its largest ef. ``settings``: for each
    index the fastest that reaches ``asked``, or else the one that finds most. ``front``: those of them that reach it
    and that none is both smaller and faster than. ``best``: the smallest that takes little longer than the fastest;
    None when none of those that can be built reaches ``asked`` within the budget. ``rows`` of ``total`` were searched
    by ``searches`` queries, which are rows held out where ``held_out``. ``missing``: relevant keys that are not in the
    table. ``untried``: for want of time. ``halfvec_recall``: of exact searches, were the whole vectors stored as
    halfvec; None where they are.
    """

    collection: str
    model: str
    embedding: str
    dim: int
    metric: str
    k: int
    asked: float
    rows: int
    total: int
    searches: int
    held_out: bool
    missing: int | None
    exact_seconds: float
    exact_quality: float | None
    halfvec_recall: float | None
    trials: tuple[Trial, ...]
    settings: tuple[Trial, ...]
    front: tuple[Trial, ...]
    best: Trial | None
    untried: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """All of it, of values that JSON has."""
        return asdict(self)


def fastest_settings(trials: Iterable[Trial], recall: float) -> tuple[Trial, ...]:
    """For each index its fastest setting that reaches a recall, or else the one that finds most; smallest first."""
    best: dict[tuple[bool, int, str], Trial] = {}
    for trial in trials:
        so_far = best.get(trial.index)
        if so_far is None or _order(trial, recall) < _order(so_far, recall):
            best[trial.index] = trial
    return tuple(sorted(best.values(), key=lambda trial: (trial.total_bytes, trial.seconds)))


def pareto_front(settings: Sequence[Trial], recall: float) -> tuple[Trial, ...]:
    """Those that reach a recall, and that none other that does is both as small and as fast as; smallest first."""
    front: list[Trial] = []
    for trial in sorted(settings, key=lambda trial: (trial.total_bytes, trial.seconds)):
        if trial.reaches(recall) and (not front or trial.seconds < front[-1].seconds):
            front.append(trial)
    return tuple(front)


def choose(settings: Sequence[Trial], recall: float, *, slack: float, budget: int | None = None) -> Trial | None:
    """The smallest index that takes at most so much longer than the fastest, of those that can be built.

    A rotated one takes a second copy of the vectors: it is chosen where it is so much smaller or faster than what would
    be chosen without, or where nothing else is able.

    Args:
        settings: one for each index.
        recall: what it must reach.
        slack: .25 allows for a quarter more time.
        budget: the bytes that it may take for all rows.
    """
    able = [
        trial
        for trial in settings
        if trial.reaches(recall) and trial.refusal is None and (budget is None or trial.total_bytes <= budget)
    ]
    best = _smallest_of_the_fast(able, slack)
    plain = _smallest_of_the_fast([trial for trial in able if not trial.rotated], slack)
    if best is None or plain is None or not best.rotated:
        return best
    pays = (1 + slack) * best.total_bytes <= plain.total_bytes or (1 + slack) * best.seconds <= plain.seconds
    return best if pays else plain


def _smallest_of_the_fast(able: Sequence[Trial], slack: float) -> Trial | None:
    if not able:
        return None
    longest = (1 + slack) * min(trial.seconds for trial in able)
    return min((trial for trial in able if trial.seconds <= longest), key=lambda trial: trial.total_bytes)


def _order(trial: Trial, recall: float) -> tuple[bool, float, float]:
    if trial.reaches(recall):
        return False, trial.seconds, 0
    return True, -trial.recall.value, trial.seconds
