"""What an embedder gave, judged before it goes anywhere."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING

import numpy as np

from pgsim.embedders.bounded import BoundedEmbedder
from pgsim.errors import DimensionMismatch, EmbedderError, InvalidVector

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pgsim.embedders.protocol import Embedder

_SHAPES = {1: "(d,)", 2: "(n, d)"}


def checked_documents(embedder: Embedder, texts: list[str], dim: int) -> NDArray[np.float32]:
    """The vectors of ``texts`` by ``embedder``: ``(n, dim) float32``, row i for ``texts[i]``, all finite.

    Lists of lists, arrays of any real type and CPU tensors are converted. No texts, no call.

    Raises:
        EmbedderError: the embedder raised, gave another number of vectors than texts, or no numbers.
        DimensionMismatch: the vectors are not ``dim`` wide.
        InvalidVector: a vector holds NaN, infinity, or a value beyond float32.
    """
    if not texts:
        return np.empty((0, dim), np.float32)
    giver = f"{_shown(embedder)}.embed_documents"
    vectors = to_float32(_answer(giver, lambda: embedder.embed_documents(texts)), 2, giver)
    if len(vectors) != len(texts):
        raise EmbedderError(
            f"{giver} gave {len(vectors)} vectors for {len(texts)} texts",
            hint="Return one vector a text, in the order of the texts.",
        )
    _check(vectors, texts, dim, giver)
    return vectors


def checked_query(embedder: Embedder, text: str, dim: int) -> NDArray[np.float32]:
    """The vector of the search text ``text`` by ``embedder``: ``(dim,) float32``, all finite.

    Raises:
        EmbedderError: the embedder raised, or gave anything but one vector of numbers.
        DimensionMismatch: the vector is not ``dim`` wide.
        InvalidVector: the vector holds NaN, infinity, or a value beyond float32.
    """
    giver = f"{_shown(embedder)}.embed_query"
    vector = to_float32(_answer(giver, lambda: embedder.embed_query(text)), 1, giver)
    _check(vector[np.newaxis], [text], dim, giver)
    return vector


def to_float32(answer: object, ndim: int, giver: str) -> NDArray[np.float32]:
    """``answer`` as a float32 array of ``ndim`` dimensions; an empty list is ``(0, 0)`` where ``ndim`` is 2.

    ``giver`` names in messages who gave the answer. A value beyond float32 becomes infinity.

    Raises:
        EmbedderError: the answer is None, ragged, not of real numbers, or of other dimensions.
    """
    wanted = f"Return an array of shape {_SHAPES[ndim]} and type float32, in memory of the CPU."
    if answer is None:
        raise EmbedderError(f"{giver} gave None, expected numbers of shape {_SHAPES[ndim]}", hint=wanted)
    try:
        array = np.asarray(answer)
    except Exception as error:
        raise EmbedderError(
            f"{giver} gave a {type(answer).__name__} that is no array of shape {_SHAPES[ndim]}",
            detail=str(error),
            hint=wanted,
        ) from error
    if array.shape == (0,) and ndim == 2:
        array = array.reshape(0, 0)
    if array.dtype.kind not in "fiu":
        raise EmbedderError(
            f"{giver} gave a {type(answer).__name__} of {array.dtype}, expected real numbers", hint=wanted
        )
    if array.ndim != ndim:
        raise EmbedderError(f"{giver} gave an array of shape {array.shape}, expected {_SHAPES[ndim]}", hint=wanted)
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def _shown(embedder: Embedder) -> str:
    return type(embedder.of if isinstance(embedder, BoundedEmbedder) else embedder).__name__


def _answer(giver: str, call: Callable[[], object]) -> object:
    try:
        return call()
    except (EmbedderError, DimensionMismatch, InvalidVector):
        raise
    except Exception as error:
        raise EmbedderError(
            f"{giver} raised {type(error).__name__}: {error}",
            hint="The embedder's own error is this error's cause.",
        ) from error


def _check(vectors: NDArray[np.float32], texts: list[str], dim: int, giver: str) -> None:
    width = vectors.shape[1]
    if width != dim:
        raise DimensionMismatch(
            f"{giver} gave vectors of {width} dimensions, expected {dim}",
            hint="Use the embedder that the model was created for, or create a model of that width.",
        )
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if broken.size:
        raise InvalidVector(
            f"{giver} gave NaN, infinity or a value beyond float32 in {broken.size} of {len(texts)} vectors",
            detail=f"The first is of text {broken[0]}: {reprlib.repr(texts[broken[0]])}",
            hint="Only finite numbers are allowed; empty texts and half precision are frequent causes.",
        )
