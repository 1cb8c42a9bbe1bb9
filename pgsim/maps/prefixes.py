"""What a short prefix finds of the true answer, before and after a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pgsim.errors import DimensionMismatch, InvalidArgument
from pgsim.vectors import as_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pgsim.maps.map import Map
    from pgsim.vectors import Vectors

    Array = NDArray[np.float32]

_SAME = 1e-6
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class PrefixRecall:
    """Of the true best k rows, the share among the best ``within`` by a prefix of ``dims`` dimensions.

    ``raw``: by the vectors as they are, None where they are not so long; ``mapped``: by those mapped. One number for
    each of ``within``.
    """

    dims: int
    within: tuple[int, ...]
    raw: tuple[float, ...] | None
    mapped: tuple[float, ...] | None


def recall_by_prefix(
    rows: Vectors,
    queries: Vectors,
    fitted: Map,
    dims: Sequence[int],
    *,
    metric: str = "cosine",
    k: int = 10,
    within: Sequence[int] = (10, 50, 200),
) -> list[PrefixRecall]:
    """Recall of the true best k within the best by each prefix, raw and mapped.

    The truth is exact, by the full vectors and the model's own metric; rows as near as the k-th count, since distances
    tie. Prefixes are compared as searches compare them: by direction under cosine, at length 1 under ip and l2, and as
    they are where the map has a ``query_matrix``.

    Args:
        rows: ``(n, d)``. queries: ``(m, d)``; none of them a row.
        metric: the model's, cosine, ip or l2.

    Raises:
        InvalidArgument: metric, k or dims are not as they must be. DimensionMismatch: the widths differ.
    """
    given, asked = as_vectors(rows), as_vectors(queries)
    if given.shape[1] != asked.shape[1] or given.shape[1] != fitted.dim_in:
        raise DimensionMismatch(
            f"rows have {given.shape[1]} dimensions, queries {asked.shape[1]}, and the map takes {fitted.dim_in}",
            hint="All are of one model.",
        )
    if metric not in {"cosine", "ip", "l2"}:
        raise InvalidArgument(f"metric is {metric!r}; prefixes are measured under cosine, ip and l2", hint="Take one.")
    if not 1 <= k <= len(given) or not len(asked):
        raise InvalidArgument(f"k is {k!r}, of {len(given)} rows and {len(asked)} queries", hint="Take more rows.")
    if any(width < 1 for width in dims):
        raise InvalidArgument(f"dims is {list(dims)!r}; prefixes have one dimension or more", hint="For instance 64.")
    mapped_rows, mapped_queries = fitted.apply(given), fitted.apply_queries(asked)
    mapped_metric = metric if fitted.query_matrix is None else "raw"
    kept = tuple(min(each, len(given)) for each in within)
    shares: dict[tuple[int, bool], list[Array]] = {}
    for start in range(0, len(asked), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        scores = _scores(given, asked[part], metric, full=True)
        worst = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
        true = scores >= worst - _SAME * np.maximum(1, np.abs(worst))
        for width in dims:
            for mapped, by_rows, by_queries, by_metric in (
                (False, given, asked, metric),
                (True, mapped_rows, mapped_queries, mapped_metric),
            ):
                if width <= by_rows.shape[1]:
                    found = _scores(
                        by_rows[:, :width], by_queries[part, :width], by_metric, full=width == by_rows.shape[1]
                    )
                    shares.setdefault((width, mapped), []).append(_shares(found, true, kept, k))
    return [
        PrefixRecall(width, tuple(within), _mean(shares.get((width, False))), _mean(shares.get((width, True))))
        for width in dims
    ]


def _scores(rows: Array, queries: Array, metric: str, *, full: bool) -> Array:
    if metric == "cosine" or (metric in {"ip", "l2"} and not full):
        rows, queries = _directions(rows), _directions(queries)
    products: Array = queries @ rows.T
    if metric == "l2":
        # Half the square of the distance, negative; what belongs to the query alone changes no order.
        halves: Array = np.einsum("ij,ij->i", rows, rows, dtype=np.float32) / np.float32(2)
        np.subtract(products, halves, out=products)
    return products


def _directions(vectors: Array) -> Array:
    lengths: Array = np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float32)
    lengths[lengths == 0] = 1
    return vectors / lengths


def _shares(scores: Array, true: NDArray[np.bool_], within: tuple[int, ...], k: int) -> Array:
    deepest = max(within)
    best = np.argpartition(-scores, min(deepest, scores.shape[1]) - 1, axis=1)[:, :deepest]
    order = np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable"), 1)
    hits = np.take_along_axis(true, order, axis=1)
    found = [np.minimum(hits[:, :depth].sum(axis=1), k) / k for depth in within]
    return np.stack(found, axis=1).astype(np.float32)


def _mean(parts: list[Array] | None) -> tuple[float, ...] | None:
    return None if parts is None else tuple(float(each) for each in np.concatenate(parts).mean(axis=0))
