"""Vectors on their way into SQL."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from pgvector import SparseVector

from pgsim.errors import InvalidVector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Sparse: TypeAlias = SparseVector | Mapping[int, float]

    Vector: TypeAlias = Sequence[float] | NDArray[np.float16] | NDArray[np.float32] | NDArray[np.float64]
    Vectors: TypeAlias = Sequence[Sequence[float]] | NDArray[np.float16] | NDArray[np.float32] | NDArray[np.float64]


def as_vector(vector: Vector) -> NDArray[np.float32]:
    """One vector as ``(d,) float32``.

    Raises:
        InvalidVector: it is not ``(d,)``, d > 0, of finite float32 numbers.
    """
    return _as_float32(vector, 1, "(d,)", "Search with one vector at a time: vectors[0], or vector.reshape(-1).")


def as_vectors(vectors: Vectors) -> NDArray[np.float32]:
    """Vectors as ``(n, d) float32``.

    Raises:
        InvalidVector: they are not ``(n, d)``, d > 0, of finite float32 numbers.
    """
    return _as_float32(vectors, 2, "(n, d)", "Give one row a vector, all of one width.")


def vector_text(vector: NDArray[np.float32]) -> str:
    """A vector ``(d,)`` as pgvector's text, ``[1,2.5]``, exact for float32.

    As a parameter without a type it becomes whatever vector type the function takes, wherever pgvector is installed.
    """
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def vectors_text(vectors: NDArray[np.float32]) -> str:
    """Vectors ``(n, d)`` as the text of an array of vectors."""
    return "{" + ",".join(f'"{vector_text(vector)}"' for vector in vectors) + "}"


def sparse_text(vector: object, dim: int | None = None) -> str:
    """A sparse vector as pgvector's text, ``{1:0.5,7:1.25}/30522``, whose indices count from 1.

    Args:
        vector: a `pgvector.SparseVector`, or a mapping of index to number. Both count from 0, as a vocabulary does.
        dim: the width, which a mapping does not say.

    Raises:
        InvalidVector: it is neither, or a mapping without a width; an index is not below the width, or there twice; or
            a number is no finite float32 number.
    """
    if isinstance(vector, SparseVector):
        dim, entries = vector.dimensions(), list(zip(vector.indices(), vector.values(), strict=True))
    elif isinstance(vector, Mapping) and dim is not None:
        entries = list(vector.items())
    else:
        raise InvalidVector(
            f"a sparse vector must be a pgvector.SparseVector, not {type(vector).__name__}",
            hint="pgvector.SparseVector({12: 0.5, 700: 1.25}, 30522): indices from 0, and the width.",
        )
    for index, number in entries:
        whole = isinstance(index, Integral) and not isinstance(index, bool)
        if not whole or not 0 <= index < dim:
            raise InvalidVector(
                f"an index of a sparse vector is {index!r}; it is a whole number from 0 to {dim - 1}",
                hint="Indices are those of the model's vocabulary.",
            )
        real = isinstance(number, Real) and not isinstance(number, bool)
        if not real or not abs(float(number)) <= float(np.finfo(np.float32).max):
            raise InvalidVector(
                f"a sparse vector must hold finite float32 numbers; that of index {index} is {number!r}",
                hint="Only finite numbers have a distance: look at what the model was given.",
            )
    if len({index for index, _ in entries}) < len(entries):
        raise InvalidVector("a sparse vector has an index twice", hint="Give each index once.")
    told = ",".join(f"{int(index) + 1}:{float(number)!r}" for index, number in sorted(entries) if number)
    return f"{{{told}}}/{dim}"


def sparse_vectors_text(vectors: Iterable[object], dim: int | None = None) -> str:
    """Sparse vectors as the text of an array of them; None is NULL."""
    return "{" + ",".join("NULL" if each is None else f'"{sparse_text(each, dim)}"' for each in vectors) + "}"


def _as_float32(given: object, ndim: int, shape: str, hint: str) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(given).astype(np.float32, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise InvalidVector(
            f"a vector must be numbers, not {type(given).__name__}: {error}",
            hint=f"Give a sequence of floats or a numpy array of shape {shape}.",
        ) from error
    if ndim == 2 and array.shape == (0,):
        array = array.reshape(0, 0)
    if array.ndim != ndim or (array.size == 0 and not (ndim == 2 and len(array) == 0)):
        raise InvalidVector(f"the shape must be {shape}, d > 0; this one has {array.shape}", hint=hint)
    broken = np.argwhere(~np.isfinite(array))
    if len(broken):
        where = f"number {broken[0][-1]}" + (f" of vector {broken[0][0]}" if ndim == 2 else "")
        raise InvalidVector(
            f"a vector must hold finite float32 numbers; {where} is {np.asarray(given)[tuple(broken[0])]}",
            hint="Only finite numbers have a distance: look at what the model was given.",
        )
    return array
