"""Several ways to answer the same queries, timed query by query in one run, so that drift hits all of them."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@dataclass(frozen=True)
class Contender:
    """``answer`` gives the keys for the query of a number, as a client gets them."""

    name: str
    answer: Callable[[int], list[int]]


@dataclass
class Timed:
    """What a contender answered, query by query, and the seconds it took."""

    answers: list[list[int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """In seconds."""
        return float(np.median(self.seconds))

    @property
    def p95(self) -> float:
        """In seconds."""
        return float(np.percentile(self.seconds, 95))


def race(contenders: Sequence[Contender], queries: Iterable[int], *, warm_up: int = 6) -> dict[str, Timed]:
    """Each contender answers each query; who comes first is drawn anew for each.

    The warm-up is more than the five executions after which psycopg prepares a statement.
    """
    drawn = np.random.default_rng(0)
    times = {each.name: Timed() for each in contenders}
    numbers = list(queries)
    for each in contenders:
        for query in numbers[:warm_up]:
            each.answer(query)
    gc.collect()
    gc.disable()
    try:
        for query in numbers:
            for place in drawn.permutation(len(contenders)):
                each = contenders[place]
                started = time.perf_counter()
                keys = each.answer(query)
                times[each.name].seconds.append(time.perf_counter() - started)
                times[each.name].answers.append(keys)
    finally:
        gc.enable()
    return times
