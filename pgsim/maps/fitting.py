"""Maps fitted on a sample of rows.

Every fit is deterministic: the same sample gives the same map, signs included.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from pgsim.errors import DimensionMismatch, InvalidArgument
from pgsim.maps.map import Map, normalized
from pgsim.vectors import as_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pgsim.vectors import Vectors

    Matrix: TypeAlias = NDArray[np.float64]


class FewRowsWarning(UserWarning):
    """A map was fitted on fewer rows than they have dimensions: what it says of the rest is a guess."""


def fit_pca(rows: Vectors, *, dims: int | None = None, unit_length: bool = True) -> Map:
    """The rotation that puts the most of the rows' length into every prefix.

    Uncentred, so that inner products, distances and cosines at full width stay what they are: the components are the
    eigenvectors of ``X'X``, largest eigenvalue first (Eckart and Young, 1936: no other ``d`` directions keep more).

    Args:
        rows: ``(n, d)``.
        dims: keep so many components; all of them by default, and only then are scores kept.
        unit_length: rows are brought to length 1 first, as suits cosine.

    Raises:
        InvalidVector, InvalidArgument: the rows, or dims, are not as they must be.
    """
    given = _given(rows, unit_length)
    width = _width(dims, given.shape[1])
    values, vectors = _eigen(_second_moment(given))
    return Map(
        "pca",
        _signed(vectors.T[:width]).astype(np.float32),
        normalized=unit_length,
        properties={"rows": len(given), "kept": _share(values, width)},
    )


def fit_leanvec(
    rows: Vectors,
    queries: Vectors | None = None,
    *,
    dims: int | None = None,
    ridge: float = 1e-3,
    unit_length: bool = True,
) -> Map:
    """LeanVec: prefixes whose inner products with queries are nearest to the full ones.

    Tepper, Bhati, Aguerrebere, Hildebrand and Willke, "LeanVec: Searching vectors faster by making them fit" (2024).
    Of queries like the rows (in distribution) it is `fit_pca`. With ``queries`` (out of distribution), of the moments
    ``K_Q`` and ``K_X`` and ``U`` the left singular vectors of ``K_Q^1/2 K_X^1/2``, queries are mapped by
    ``A = U' K_Q^-1/2`` and rows by ``B = U' K_Q^1/2``. In square form ``A'B`` is the identity: inner products at full
    width are kept. The space is compared by inner product, and its prefixes as they are.

    Args:
        rows: ``(n, d)``.
        queries: ``(m, d)``, a sample of what is searched for.
        dims: keep so many components; all by default, and only then are scores kept.
        ridge: added to the diagonal of both moments, as a share of its mean. Directions in which no query lies cannot
            be undone without.
        unit_length: vectors are brought to length 1 first, as suits cosine.

    Raises:
        InvalidVector, InvalidArgument, DimensionMismatch: rows, queries, dims or ridge are not as they must be.
    """
    given = _given(rows, unit_length)
    width = _width(dims, given.shape[1])
    if not 1e-6 <= ridge <= 1:
        raise InvalidArgument(f"ridge is {ridge!r}; it is a share from 1e-6 to 1", hint="The default is 1e-3.")
    if queries is None:
        pca = fit_pca(rows, dims=dims, unit_length=unit_length)
        return Map("leanvec", pca.matrix, normalized=unit_length, properties=pca.properties)
    asked = _given(queries, unit_length, "queries")
    if asked.shape[1] != given.shape[1]:
        raise DimensionMismatch(
            f"queries have {asked.shape[1]} dimensions, rows {given.shape[1]}", hint="Both are of one model."
        )
    values, vectors = _eigen(_ridged(_second_moment(asked), ridge))
    root, inverse = (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T
    # The left singular vectors of K_Q^1/2 K_X^1/2 are the eigenvectors of K_Q^1/2 K_X K_Q^1/2.
    together, turned = _eigen(root @ _ridged(_second_moment(given), ridge) @ root)
    turn = _signed(turned.T[:width])
    return Map(
        "leanvec",
        (turn @ root).astype(np.float32),
        (turn @ inverse).astype(np.float32),
        normalized=unit_length,
        properties={"rows": len(given), "queries": len(asked), "ridge": ridge, "kept": _share(together, width)},
    )


def fit_whitening(
    rows: Vectors,
    kind: Literal["zca", "pca"] = "zca",
    *,
    floor: float = 1e-3,
    dims: int | None = None,
    unit_length: bool = True,
) -> Map:
    """Whitening: the mean is taken away, and every direction brought to one variance. Scores change.

    Of the covariance ``U L U'``: ``x`` becomes ``L^-1/2 U' (x - mean)`` (pca: directions of most variance first) or
    ``U L^-1/2 U' (x - mean)`` (zca: as near to ``x`` as it can be). Kessy, Lewin and Strimmer, "Optimal whitening and
    decorrelation" (2018); of sentence embeddings Su, Cao, Liu and Ou, "Whitening sentence representations" (2021).

    Args:
        rows: ``(n, d)``.
        kind: ``zca`` or ``pca``.
        floor: variances below this share of the greatest are taken for that, so that noise is not made large.
        dims: take only so many directions, those of most variance. With ``pca`` so many numbers come out; with ``zca``
            as many as before, of that rank.
        unit_length: rows are brought to length 1 first, as suits cosine.

    Raises:
        InvalidVector, InvalidArgument: the rows, kind, floor or dims are not as they must be.
    """
    given = _given(rows, unit_length)
    width = _width(dims, given.shape[1])
    if kind not in {"zca", "pca"}:
        raise InvalidArgument(f"kind is {kind!r}; it is zca or pca", hint="Only pca makes a ladder of prefixes.")
    if not 0 < floor <= 1:
        raise InvalidArgument(f"floor is {floor!r}; it is a share above 0, up to 1", hint="The default is 1e-3.")
    mean = given.mean(axis=0)
    values, vectors = _eigen(_second_moment(given - mean))
    if values[0] <= 0:
        raise InvalidArgument("all rows are the same: no direction varies", hint="Fit on a sample of different rows.")
    directions = _signed(vectors.T[:width])
    scaled = directions / np.sqrt(np.maximum(values[:width], floor * values[0]))[:, None]
    matrix = scaled if kind == "pca" else directions.T @ scaled
    return Map(
        "whitening",
        matrix.astype(np.float32),
        bias=(-matrix @ mean).astype(np.float32),
        normalized=unit_length,
        properties={"rows": len(given), "whitening": kind, "floor": floor, "kept": _share(values, width)},
    )


def drop_outlier_dimensions(
    rows: Vectors, *, threshold: float = 3.0, most: int | None = None, unit_length: bool = True
) -> Map:
    """Leave out dimensions whose size stands out, and which therefore decide every score. Scores change.

    A dimension stands out when the mean of its absolute values lies more than ``threshold`` standard deviations above
    the mean over all dimensions. Timkey and van Schijndel, "All bark and no bite: rogue dimensions in transformer
    language models obscure representational quality" (2021); three deviations are of Kovaleva, Kulshreshtha, Rogers and
    Rumshisky, "BERT busters: outlier dimensions that disrupt transformers" (2021).

    Args:
        rows: ``(n, d)``.
        threshold: in standard deviations.
        most: leave out at most so many, the greatest first.
        unit_length: rows are brought to length 1 first, as suits cosine.

    Returns:
        A map of kind selection; ``properties["dropped"]`` lists what it leaves out, counted from 0. None may stand out.

    Raises:
        InvalidVector, InvalidArgument: the rows, threshold or most are not as they must be.
    """
    given = _given(rows, unit_length)
    width = given.shape[1]
    if not threshold > 0 or (most is not None and not 0 <= most < width):
        raise InvalidArgument(
            f"threshold is {threshold!r} and most {most!r}",
            hint=f"threshold is above 0, and most from 0 to {width - 1}.",
        )
    size = np.abs(given).mean(axis=0)
    outlying = np.flatnonzero(size > size.mean() + threshold * size.std())
    dropped = sorted(sorted(outlying.tolist(), key=lambda at: -float(size[at]))[:most])
    kept = np.setdiff1d(np.arange(width), dropped)
    return Map(
        "selection",
        np.eye(width, dtype=np.float32)[kept],
        normalized=unit_length,
        properties={"rows": len(given), "dropped": dropped},
    )


def _given(vectors: Vectors, unit_length: bool, what: str = "rows") -> Matrix:
    given = as_vectors(vectors)
    count, width = given.shape
    if count < 2:
        raise InvalidArgument(f"{what} holds {count} vectors; a map is fitted on two or more", hint="Take a sample.")
    if count < width:
        warnings.warn(
            FewRowsWarning(f"{what} holds {count} vectors of {width} dimensions: take as many at least"), stacklevel=3
        )
    return (normalized(given) if unit_length else given).astype(np.float64)


def _width(dims: int | None, width: int) -> int:
    if dims is None:
        return width
    if not 1 <= dims <= width:
        raise InvalidArgument(f"dims is {dims!r}; the rows have {width} dimensions", hint="Leave it out for all.")
    return dims


def _second_moment(given: Matrix) -> Matrix:
    moment: Matrix = given.T @ given / len(given)
    return moment


def _ridged(moment: Matrix, ridge: float) -> Matrix:
    width = len(moment)
    ridged: Matrix = moment + ridge * np.trace(moment) / width * np.eye(width)
    return ridged


def _eigen(moment: Matrix) -> tuple[Matrix, Matrix]:
    values, vectors = np.linalg.eigh((moment + moment.T) / 2)
    return np.maximum(values[::-1], 0), vectors[:, ::-1]


def _signed(components: Matrix) -> Matrix:
    # An eigenvector is one by either sign: the number farthest from zero is made the positive one.
    farthest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    signed: Matrix = components * np.where(farthest < 0, -1.0, 1.0)
    return signed


def _share(values: Matrix, width: int) -> float:
    return float(values[:width].sum() / max(values.sum(), np.finfo(np.float64).tiny))
