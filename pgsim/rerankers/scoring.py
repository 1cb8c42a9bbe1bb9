"""Scores by a scorer: in batches, judged, and each pair of query and text scored once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pgsim.errors import EmbedderError, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pgsim.rerankers.protocol import Scorer


class ScoreCache(Protocol):
    """Where scores are kept: a dict is one, and so is anything that looks up and stores like it."""

    def get(self, key: str, /) -> float | None: ...
    def __setitem__(self, key: str, value: float, /) -> None: ...


class MemoryCache:
    """Scores kept in memory, those used longest ago forgotten beyond ``size``."""

    def __init__(self, size: int = 100_000) -> None:
        if size < 1:
            raise InvalidArgument(f"size is {size}; it is a number of scores from 1", hint="The default is 100000.")
        self.size = size
        self._kept: OrderedDict[str, float] = OrderedDict()

    def get(self, key: str, /) -> float | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def __setitem__(self, key: str, value: float, /) -> None:
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self.size:
            self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)


def score_key(scorer: str, query: str, text: str) -> str:
    """What a cache knows a score by: SHA-256 over the scorer's name, the query and the text, in hex."""
    whole = hashlib.sha256()
    for part in (scorer, query, text):
        whole.update(hashlib.sha256(part.encode("utf-8", "surrogatepass")).digest())
    return whole.hexdigest()


def cached_scores(
    scorer: Scorer, query: str, texts: Sequence[str], *, batch_size: int = 32, cache: ScoreCache | None = None
) -> list[float]:
    """A score for each text by ``scorer``, higher is better; the cache is asked first, and told what is new.

    A text that stands twice is scored once.

    Raises:
        EmbedderError: the scorer raised, or gave anything but one finite number a text.
        InvalidArgument: ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise InvalidArgument(f"batch_size is {batch_size}, allowed are numbers from 1", hint="The default is 32.")
    known: dict[str, float] = {}
    missing: list[str] = []
    for text in dict.fromkeys(texts):
        found = None if cache is None else cache.get(score_key(scorer.name, query, text))
        if found is None:
            missing.append(text)
        else:
            known[text] = float(found)
    for start in range(0, len(missing), batch_size):
        batch = missing[start : start + batch_size]
        for text, score in zip(batch, _scored(scorer, query, batch), strict=True):
            known[text] = float(score)
            if cache is not None:
                cache[score_key(scorer.name, query, text)] = float(score)
    return [known[text] for text in texts]


def _scored(scorer: Scorer, query: str, texts: list[str]) -> NDArray[np.float64]:
    giver = f"{type(scorer).__name__}.score"
    try:
        scores = np.asarray(scorer.score(query, texts), np.float64)
    except Exception as error:
        raise EmbedderError(
            f"{giver} raised {type(error).__name__}: {error}", hint="The scorer's own error is this error's cause."
        ) from error
    if scores.shape != (len(texts),) or not np.isfinite(scores).all():
        raise EmbedderError(
            f"{giver} gave an array of shape {scores.shape} for {len(texts)} texts, or numbers that are not finite",
            hint="Return one finite number a text, in the order of the texts.",
        )
    return scores
