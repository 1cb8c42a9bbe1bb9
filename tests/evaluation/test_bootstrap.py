"""The bootstrap interval and the tie-aware recall of one answer, compared with numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from brute_force import tie_recall

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from numpy.typing import NDArray

    Connection = psycopg.Connection[Any]

SHAPES: dict[str, Callable[[np.random.Generator], NDArray[np.float64]]] = {
    "recalls near one": lambda random: np.round(random.beta(20, 1, 100), 1),
    "half and half": lambda random: random.integers(0, 2, 60).astype(float),
    "a long tail": lambda random: random.lognormal(size=300),
    "few": lambda random: random.uniform(size=8),
}


def _interval(connection: Connection, samples: list[float] | None, seed: int = 0, resamples: int = 1000) -> Any:
    statement = "SELECT pgsim._bootstrap_interval(%s, %s, %s)"
    return connection.execute(statement, [samples, seed, resamples]).fetchall()[0][0]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_interval_is_that_of_a_bootstrap_in_numpy(connection: Connection, shape: str) -> None:
    random = np.random.default_rng(5)
    samples = SHAPES[shape](random)
    means = random.choice(samples, size=(20_000, len(samples))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    found_low, found_high = _interval(connection, samples.tolist(), resamples=4000)
    assert found_low == pytest.approx(low, abs=0.1 * (high - low))
    assert found_high == pytest.approx(high, abs=0.1 * (high - low))


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says(connection: Connection) -> None:
    intervals = connection.execute(
        "SELECT pgsim._bootstrap_interval(array_agg(hashint8extended(i, s) / 18446744073709551616.0 + 0.5), s, 200) "
        "FROM generate_series(1, 50) AS i, generate_series(1, 300) AS s GROUP BY s"
    ).fetchall()
    held = np.mean([low <= 0.5 <= high for ((low, high),) in intervals])
    assert 0.9 < held < 0.99


def test_a_seed_gives_one_interval_and_another_seed_another(connection: Connection) -> None:
    samples = np.random.default_rng(1).uniform(size=40).tolist()
    assert _interval(connection, samples, 7) == _interval(connection, samples, 7)
    assert _interval(connection, samples, 7) != _interval(connection, samples, 8)


def test_the_callers_own_random_numbers_go_on_as_they_would(connection: Connection) -> None:
    connection.execute("SELECT setseed(0.5)")
    expected = connection.execute("SELECT random(), random()").fetchall()[0]
    connection.execute("SELECT setseed(0.5)")
    first = connection.execute("SELECT random()").fetchall()[0]
    _interval(connection, [0.1, 0.9])
    assert (*first, *connection.execute("SELECT random()").fetchall()[0]) == expected


def test_samples_that_are_all_alike_leave_no_doubt_and_no_samples_no_interval(connection: Connection) -> None:
    assert _interval(connection, [0.5] * 10) == [0.5, 0.5]
    assert _interval(connection, []) is None
    assert _interval(connection, None) is None


def test_a_row_counts_that_is_as_near_as_the_farthest_true_one(connection: Connection) -> None:
    random = np.random.default_rng(2)
    for scale in (0.001, 1.0, 1000.0):
        for _ in range(50):
            truth = np.sort(random.integers(-5, 5, 6) * scale)
            found = random.integers(-5, 9, 6) * scale + random.choice([0, 1e-7], 6) * max(1.0, scale)
            statement = "SELECT pgsim._tie_recall(%s, %s)"
            (recall,) = connection.execute(statement, [found.tolist(), truth.tolist()]).fetchall()[0]
            assert recall == pytest.approx(tie_recall(found, truth))


@pytest.mark.parametrize(
    ("found", "truth", "recall"),
    [
        ([], [0.1], 0),
        (None, [0.1], 0),
        ([], [], 1),
        (None, None, 1),
        ([0.1, 0.1, 0.1], [0.1], 1),
        ([0.1], [0.1, 0.1], 0.5),
    ],
)
def test_nothing_to_find_is_found_and_nothing_found_is_not(
    connection: Connection, found: list[float] | None, truth: list[float] | None, recall: float
) -> None:
    statement = "SELECT pgsim._tie_recall(%s::float8[], %s::float8[])"
    assert connection.execute(statement, [found, truth]).fetchall() == [(recall,)]
