"""Intrinsic dimension, hubness and copies of a sample, compared with numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from brute_force import DISTANCES, hubness, intrinsic_dimension, neighbours

from pgsim.vectors import vectors_text

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    Connection = psycopg.Connection[Any]


def _geometry(connection: Connection, vectors: NDArray[np.floating[Any]], metric: str) -> Any:
    """The row (intrinsic_dimension, hubness, duplicates)."""
    text = vectors_text(vectors.astype(np.float32)) if len(vectors) else "{}"
    rows = connection.execute("SELECT * FROM pgsim._geometry(%s, %s)", [text, metric]).fetchall()
    return rows[0]


def _normal(n: int, dim: int, seed: int = 3) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("metric", DISTANCES)
def test_neighbours_are_those_of_brute_force(connection: Connection, metric: str) -> None:
    vectors = _normal(80, 6)
    nearest, distances = neighbours(vectors, metric, 5)
    found = connection.execute(
        "SELECT neighbour - 1, distance FROM pgsim._neighbours(%s, %s, 5) ORDER BY item, rank",
        [vectors_text(vectors.astype(np.float32)), metric],
    ).fetchall()
    assert [row[0] for row in found] == list(nearest.ravel())
    assert [row[1] for row in found] == pytest.approx(list(distances.ravel()), abs=1e-5)


@pytest.mark.parametrize("metric", DISTANCES)
def test_dimension_and_hubness_are_those_of_numpy(connection: Connection, metric: str) -> None:
    vectors = _normal(200, 12)
    found_dimension, found_hubness, duplicates = _geometry(connection, vectors, metric)
    assert found_dimension == pytest.approx(intrinsic_dimension(vectors, metric), rel=1e-4)
    assert found_hubness == pytest.approx(hubness(vectors, metric), rel=1e-6)
    assert duplicates == 0


@pytest.mark.parametrize("dimension", [2, 4, 6])
def test_vectors_of_a_flat_surface_have_its_dimension(connection: Connection, dimension: int) -> None:
    random = np.random.default_rng(dimension)
    flat = random.uniform(size=(600, dimension)) @ random.normal(size=(dimension, 64))
    assert _geometry(connection, flat, "l2")[0] == pytest.approx(dimension, rel=0.2)


def test_turning_and_stretching_the_space_changes_nothing(connection: Connection) -> None:
    vectors = _normal(120, 8)
    rotation = np.linalg.qr(_normal(8, 8, seed=1))[0]
    before = _geometry(connection, vectors, "l2")
    after = _geometry(connection, 7 * vectors @ rotation, "l2")
    assert after == pytest.approx(before, rel=1e-3)


def test_a_vector_that_all_others_are_near_makes_hubs(connection: Connection) -> None:
    spread = _normal(300, 64)
    centre = np.zeros((5, 64)) + 0.01
    assert _geometry(connection, np.vstack([spread, centre]), "l2")[1] > 5
    assert _geometry(connection, _normal(300, 2), "l2")[1] < 1


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_copies_are_counted_and_leave_the_dimension_alone(connection: Connection, metric: str) -> None:
    vectors = _normal(200, 6)
    vectors[150:] = vectors[100:150]
    found_dimension, _, duplicates = _geometry(connection, vectors, metric)
    assert duplicates == pytest.approx(0.5)
    assert found_dimension == pytest.approx(intrinsic_dimension(vectors, metric), rel=1e-3)


def test_a_vector_and_its_double_are_copies_under_cosine_alone(connection: Connection) -> None:
    vectors = _normal(50, 6)
    vectors[1] = 2 * vectors[0]
    assert _geometry(connection, vectors, "cosine")[2] == pytest.approx(2 / 50)
    assert _geometry(connection, vectors, "l2")[2] == 0


def test_too_few_vectors_have_no_geometry(connection: Connection) -> None:
    assert _geometry(connection, _normal(0, 3), "l2") == (None, None, None)
    assert _geometry(connection, _normal(1, 3), "l2") == (None, None, None)


def test_vectors_that_are_all_one_are_copies_and_have_no_dimension(connection: Connection) -> None:
    dimension, _, duplicates = _geometry(connection, np.ones((30, 3)), "ip")
    assert (dimension, duplicates) == (None, 1.0)
