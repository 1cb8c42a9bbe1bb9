"""A map: what takes a vector of one space to another, by inner products with its components."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pgsim.errors import DimensionMismatch, InvalidMap, InvalidVector
from pgsim.vectors import as_vector, as_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pgsim.vectors import Vectors

KINDS = ("rotation", "pca", "leanvec", "whitening", "selection", "linear")
_ORTHOGONAL = 1e-4
_INVERSE = 1e-3


@dataclass(frozen=True, eq=False)
class Map:
    """A map of ``dim_in`` numbers to ``dim_out``: ``x`` becomes ``matrix @ x + bias``.

    Args:
        kind: what is promised, as `pgsim.create_map` has it: rotation, pca, leanvec, whitening, selection or linear.
        matrix: ``(dim_out, dim_in) float32``, the components.
        query_matrix: ``(dim_out, dim_in) float32``: queries have components of their own.
        bias: ``(dim_out,) float32``.
        normalized: a vector is brought to length 1 before it is mapped.
        properties: what is known of the fit; kept with the map.

    Raises:
        InvalidMap: the shapes do not fit, or what the kind promises does not hold.
        InvalidVector: a number is not finite.
    """

    kind: str
    matrix: NDArray[np.float32]
    query_matrix: NDArray[np.float32] | None = None
    bias: NDArray[np.float32] | None = None
    normalized: bool = True
    properties: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidMap(f"kind is {self.kind!r}; known are {', '.join(KINDS)}", hint="linear promises nothing.")
        matrix = as_vectors(self.matrix)
        if len(matrix) == 0:
            raise InvalidMap("matrix has no components", hint="Give one row for each number that comes out.")
        object.__setattr__(self, "matrix", matrix)
        if self.query_matrix is not None:
            other = as_vectors(self.query_matrix)
            if other.shape != matrix.shape or self.kind not in {"leanvec", "linear"}:
                raise InvalidMap(
                    f"matrix is {matrix.shape}, query_matrix {other.shape}, and kind {self.kind!r}",
                    hint="Both have one shape; only leanvec and linear have a query_matrix.",
                )
            object.__setattr__(self, "query_matrix", other)
        if self.bias is not None:
            bias = as_vector(self.bias)
            if len(bias) != len(matrix) or self.kind not in {"whitening", "linear"}:
                raise InvalidMap(
                    f"bias has {len(bias)} numbers, matrix {len(matrix)} components, and kind is {self.kind!r}",
                    hint="One number for each component; only whitening and linear have a bias.",
                )
            object.__setattr__(self, "bias", bias)
        if self.kind == "rotation" and self.dim_in != self.dim_out:
            raise InvalidMap(f"a rotation is square; matrix is {matrix.shape}", hint="pca may leave dimensions out.")
        promised = _INVERSE if self.query_matrix is not None else _ORTHOGONAL
        if not self._error() <= promised:
            raise InvalidMap(
                f"kind {self.kind!r} promises that inner products are kept to {promised:g}; they are off by "
                f"{self._error():.2g}",
                hint="Orthogonalise the components (numpy.linalg.qr does), or call the map linear.",
            )

    @property
    def dim_in(self) -> int:
        """The width of what is mapped."""
        return int(self.matrix.shape[1])

    @property
    def dim_out(self) -> int:
        """The width of what comes out."""
        return int(self.matrix.shape[0])

    @property
    def keeps_scores(self) -> bool:
        """Whether inner products (and so cosine, of what is normalized) stay as they are at full width."""
        if self.query_matrix is None and self.kind in {"whitening", "linear"}:
            return False
        return self.dim_in == self.dim_out and self.bias is None and _identity_error(self._pair()) <= _INVERSE

    def apply(self, vectors: Vectors) -> NDArray[np.float32]:
        """Rows ``(n, dim_in)`` mapped: ``(n, dim_out) float32``.

        Raises:
            DimensionMismatch: they have another width.
            InvalidVector: a number is not finite, or a vector is all zeros where it is to be normalized.
        """
        return self._applied(self.matrix, vectors)

    def apply_queries(self, vectors: Vectors) -> NDArray[np.float32]:
        """Queries ``(n, dim_in)`` mapped: as rows are, unless there is a ``query_matrix``."""
        return self._applied(self._pair()[0], vectors)

    def then(self, other: Map) -> Map:
        """This map and another one after it, as one map of kind linear.

        Raises:
            InvalidMap: the other takes another width than comes out here, or would normalize what comes out, where
                that has not length 1.
        """
        if other.dim_in != self.dim_out or (other.normalized and not (self.normalized and self._is_isometry())):
            raise InvalidMap(
                f"a map to {self.dim_out} dimensions is followed by one of {other.dim_in}"
                + (", which normalizes" if other.normalized else ""),
                hint="The second takes what the first gives, and normalizes only what has length 1 already.",
            )
        bias = None
        if self.bias is not None or other.bias is not None:
            first = np.zeros(self.dim_out, np.float32) if self.bias is None else self.bias
            bias = other.matrix @ first + (0 if other.bias is None else other.bias)
        queries = None
        if self.query_matrix is not None or other.query_matrix is not None:
            queries = other._pair()[0] @ self._pair()[0]
        return Map("linear", other.matrix @ self.matrix, queries, bias, self.normalized)

    def with_properties(self, **properties: object) -> Map:
        """The same map, and more known of it."""
        return replace(self, properties={**self.properties, **properties})

    def _pair(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return (self.matrix if self.query_matrix is None else self.query_matrix), self.matrix

    def _is_isometry(self) -> bool:
        return self.bias is None and self.query_matrix is None and self.keeps_scores

    def _error(self) -> float:
        if self.kind in {"whitening", "linear"} or (self.query_matrix is not None and self.dim_in != self.dim_out):
            return 0.0
        return _identity_error(self._pair())

    def _applied(self, matrix: NDArray[np.float32], vectors: Vectors) -> NDArray[np.float32]:
        given = as_vectors(vectors)
        if given.shape[1] != self.dim_in and len(given):
            raise DimensionMismatch(
                f"the vectors have {given.shape[1]} dimensions; the map takes {self.dim_in}",
                hint="Give vectors of the model that the map was fitted for.",
            )
        if self.normalized and len(given):
            given = normalized(given)
        mapped: NDArray[np.float32] = given.reshape(len(given), self.dim_in) @ matrix.T
        if self.bias is not None:
            mapped += self.bias
        return mapped


def normalized(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors ``(n, d)`` brought to length 1.

    Raises:
        InvalidVector: one is all zeros.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not lengths.all():
        raise InvalidVector(
            f"vector {int(np.argmin(lengths))} is all zeros, and has no direction",
            hint="Leave such vectors out: they match nothing under cosine.",
        )
    directed: NDArray[np.float32] = (vectors / lengths).astype(np.float32)
    return directed


def _identity_error(pair: tuple[NDArray[np.float32], NDArray[np.float32]]) -> float:
    queries, rows = (each.astype(np.float64) for each in pair)
    return float(np.abs(rows @ queries.T - np.eye(len(rows))).max())
