"""How much short prefixes find, compared with brute force in numpy; and what they cannot give at all."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from terraces import DIM, NAME, falling, fill, temporary_tables

import pgsim
from pgsim.errors import InsufficientPrivilege, InvalidArgument, WrongState
from pgsim.evaluation.prefixes import Sample
from pgsim.maps import fit_pca
from pgsim.vectors import vectors_text

if TYPE_CHECKING:
    from fixtures.roles import RoleFactory


def brute_force(rows: np.ndarray, queries: np.ndarray, metric: str, *, dims: int, keep: int) -> tuple[float, int]:
    """Recall of the true ten, and whole answers, a query at a time."""

    def far(one: np.ndarray, other: np.ndarray) -> float:
        if metric == "cosine":
            return 1 - float(one @ other) / float(np.linalg.norm(one) * np.linalg.norm(other))
        return -float(one @ other) if metric == "ip" else float(np.linalg.norm(one - other))

    def prefix(vector: np.ndarray) -> np.ndarray:
        return vector if dims == len(vector) else vector[:dims] / np.linalg.norm(vector[:dims])

    found = []
    for query in queries.astype(float):
        true = set(sorted(range(len(rows)), key=lambda i: far(query, rows[i].astype(float)))[:10])
        by_prefix = sorted(range(len(rows)), key=lambda i: far(prefix(query), prefix(rows[i].astype(float))))[:keep]
        found.append(len(true & set(by_prefix)) / 10)
    return float(np.mean(found)), sum(share == 1 for share in found)


@pytest.mark.parametrize(("metric", "element", "adopted"), [("cosine", "vector", True), ("l2", "halfvec", False)])
def test_recall_by_dims_is_that_of_brute_force(
    connection: psycopg.Connection[Any], metric: str, element: str, adopted: bool
) -> None:
    # Numbers that half precision has exactly.
    vectors = (np.round(falling(300) * 64) / 64).astype(np.float32)
    queries = np.round(falling(8, seed=6) * 64).astype(np.float32) / 64
    fill(connection, vectors, metric=metric, element=element, adopted=adopted)
    told = pgsim.Database(connection).recall_by_dims(NAME, queries, dims=[6, 12, DIM], keep=[10, 30])
    assert [(each.prefix, each.kept) for each in told] == [(d, n) for d in (6, 12, DIM) for n in (10, 30)]
    for each in told:
        expected = brute_force(vectors, queries, metric, dims=each.prefix, keep=each.kept)
        assert (each.mean_recall, each.whole) == (pytest.approx(expected[0]), expected[1])
        assert (each.asked, each.among) == (8, 300)
    sample = Sample(vectors.astype(float), queries.astype(float), metric)
    assert sample.recall(6, [10], 10)[10] == pytest.approx(told[0].mean_recall)
    assert temporary_tables(connection) == []


def test_the_smallest_prefix_is_within_the_tolerance_and_short_ones_are_warned_of(terrace_dsn: str) -> None:
    with pgsim.Database(terrace_dsn) as db:
        told = db.recall_by_dims(NAME, dims=[4, 8, 12, 20, DIM], keep=[40], tolerance=0.05)
    recalls = [each.mean_recall for each in told]
    assert all(one < other for one, other in pairwise(recalls[:3]))
    smallest = next(each.prefix for each in told if each.mean_recall >= 0.95)
    assert [each.prefix for each in told if each.smallest] == [smallest]
    assert told[0].warning == (
        f"of {100 - told[0].whole} of 100 queries this prefix does not keep the whole true top 10 among its best 40, "
        "however long an index searches"
    )
    assert (told[-1].mean_recall, told[-1].warning) == (1, None)


def test_rows_taken_for_queries_do_not_find_themselves(terrace_dsn: str) -> None:
    with pgsim.Database(terrace_dsn) as db:
        told = db.recall_by_dims(NAME, dims=[DIM], keep=[1], k=1, sample=100, searches=30)
        again = db.recall_by_dims(NAME, dims=[4], keep=[10], sample=100, searches=30)
        other = db.recall_by_dims(NAME, dims=[4], keep=[10], sample=100, searches=30, seed=2)
        same = db.recall_by_dims(NAME, dims=[4], keep=[10], sample=100, searches=30)
    assert (told[0].among, told[0].asked) == (104, 26)
    assert again == same != other


def test_copies_of_a_row_are_as_good_as_each_other(connection: psycopg.Connection[Any]) -> None:
    fill(connection, np.repeat(falling(60), 5, axis=0))
    told = pgsim.Database(connection).recall_by_dims(NAME, falling(60)[:10], dims=[DIM], k=3, keep=[3])
    assert (told[0].mean_recall, told[0].whole) == (1, 10)


def test_a_ladder_is_looked_at_where_the_model_has_one(connection: psycopg.Connection[Any]) -> None:
    fill(connection, falling(300), matryoshka="{4,10}")
    told = pgsim.Database(connection).recall_by_dims(NAME, keep=[10])
    assert [each.prefix for each in told] == [4, 10, DIM]


@pytest.mark.parametrize(
    "wrong",
    [
        {"dims": [0]},
        {"dims": [DIM + 1]},
        {"dims": []},
        {"keep": []},
        {"keep": [0]},
        {"k": 0},
        {"k": 1001},
        {"tolerance": 1.5},
        {"sample": 99},
        {"searches": 0},
    ],
)
def test_arguments_that_mean_nothing_are_refused(terrace_dsn: str, wrong: dict[str, Any]) -> None:
    with pgsim.Database(terrace_dsn) as db, pytest.raises(InvalidArgument) as refused:
        db.recall_by_dims(NAME, **wrong)
    assert refused.value.hint


def test_nulls_are_refused_in_sql_too(connection: psycopg.Connection[Any]) -> None:
    fill(connection, falling(100))
    for argument in ("k", "keep", "tolerance", "sample", "searches", "seed"):
        with pytest.raises(psycopg.Error) as refused, connection.transaction():
            connection.execute(f"SELECT pgsim.recall_by_dims(%s, {argument} => NULL)".encode(), [NAME])
        assert refused.value.sqlstate == "PS010"
    for lengths in ("{8,NULL}", "{{8,9},{10,11}}"):
        with pytest.raises(psycopg.Error) as refused, connection.transaction():
            connection.execute("SELECT pgsim.recall_by_dims(%s, dims => %s::int[])", [NAME, lengths])
        assert refused.value.sqlstate == "PS010"


def test_a_table_too_small_to_try_says_so(connection: psycopg.Connection[Any]) -> None:
    fill(connection, falling(15))
    with pytest.raises(WrongState, match="has 15 rows with vectors"):
        pgsim.Database(connection).recall_by_dims(NAME)


def test_only_rows_that_the_role_may_see_are_measured(role: RoleFactory, connection: psycopg.Connection[Any]) -> None:
    tenant = role("tenant")
    fill(connection, falling(300))
    connection.execute(
        f"GRANT SELECT ON terrace TO {tenant}; ALTER TABLE terrace ENABLE ROW LEVEL SECURITY; "
        f"CREATE POLICY own ON terrace TO {tenant} USING (tenant = 'b'); SET LOCAL ROLE {tenant}".encode()
    )
    told = pgsim.Database(connection).recall_by_dims(NAME, falling(5, seed=9), dims=[8], keep=[10])
    assert told[0].among == 100


def test_a_role_without_the_right_to_temporary_tables_is_told(
    role: RoleFactory, connection: psycopg.Connection[Any]
) -> None:
    reader = role("reader")
    fill(connection, falling(100))
    connection.execute(f"GRANT SELECT ON terrace TO {reader}".encode())
    database = connection.info.dbname
    connection.execute(f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC; SET LOCAL ROLE {reader}".encode())
    with pytest.raises(InsufficientPrivilege, match=r"GRANT TEMPORARY ON DATABASE"):
        pgsim.Database(connection).recall_by_dims(NAME)


def test_a_rotation_keeps_inner_products_and_gathers_what_tells_in_front() -> None:
    rng = np.random.default_rng(2)
    hidden, _ = np.linalg.qr(rng.normal(size=(DIM, DIM)))
    rows, queries = falling(400).astype(float) @ hidden, falling(20, seed=8).astype(float) @ hidden
    turn = fit_pca(rows, unit_length=False).matrix.T.astype(float)
    plain = Sample(rows, queries, "cosine")
    turned = plain.turned(turn)
    assert np.allclose(plain.distances(), turned.distances(), atol=1e-5)
    assert turned.recall(8, [10], 10)[10] > plain.recall(8, [10], 10)[10] + 0.1


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_a_set_can_be_reached_on_a_circle_exactly_where_it_is_an_arc(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    rows, queries = rng.normal(size=(9, 4)), rng.normal(size=(6, 4))
    sample = Sample(rows, queries, "cosine")
    angles = np.arctan2(rows[:, 1], rows[:, 0])
    # Where three rows lie this near, what parts the middle one from its neighbours is the fourth power of that.
    assume(np.diff(np.sort(angles)).min() > 2e-3)
    around = np.argsort(angles)
    arcs = {frozenset(np.roll(around, -first)[:k].tolist()) for first in range(9)}
    nearest = np.argsort(sample.distances(), axis=1)[:, :k]
    assert sample.reachable(2, k) == (sum(frozenset(row.tolist()) in arcs for row in nearest), 6)


def test_what_short_prefixes_cannot_give_is_counted(terrace_dsn: str) -> None:
    with pgsim.Database(terrace_dsn) as db:
        report = db.tune_prefixes(NAME, dims=[2, 6, 20, DIM], k=3, keep=[10, 600], searches=30)
    assert [each.dims for each in report.prefixes] == [2, 6, 20, DIM]
    reached = [each.reachable for each in report.prefixes]
    assert reached[0] is not None
    assert reached[1] is not None
    assert reached[0] < reached[1] <= 30
    assert reached[2:] == [30, None]
    assert all(each.recall[600] == 1 for each in report.prefixes)
    assert (report.smallest(600), report.rows, report.searches) == (2, 570, 30)


def test_under_l1_nothing_is_rotated_and_nothing_counted(connection: psycopg.Connection[Any]) -> None:
    fill(connection, falling(200), metric="l1")
    report = pgsim.Database(connection).tune_prefixes(NAME, searches=10)
    assert [(each.rotated, each.reachable) for each in report.prefixes] == [(None, None)] * len(report.prefixes)
    told = pgsim.Database(connection).recall_by_dims(NAME, searches=10, sample=200, keep=[10, 50, 200])
    assert [each.mean_recall for each in told if each.kept == 50] == [
        pytest.approx(each.recall[50], abs=0.15) for each in report.prefixes
    ]


async def test_async_calls_give_the_same(terrace_dsn: str) -> None:
    async with pgsim.AsyncDatabase(terrace_dsn) as db:
        told = await db.recall_by_dims(NAME, dims=[8], keep=[10])
        report = await db.tune_prefixes(NAME, dims=[8], keep=[10], searches=100)
    with pgsim.Database(terrace_dsn) as plain:
        assert plain.recall_by_dims(NAME, dims=[8], keep=[10]) == told
    assert report.prefixes[0].recall[10] == pytest.approx(told[0].mean_recall)


def test_queries_of_the_wrong_width_are_refused(terrace_dsn: str) -> None:
    with psycopg.connect(terrace_dsn) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("SELECT pgsim.recall_by_dims(%s, queries => %s)", [NAME, vectors_text(falling(2, dim=5))])
    assert refused.value.sqlstate == "PS012"
