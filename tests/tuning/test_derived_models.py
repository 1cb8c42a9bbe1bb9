"""Trials of a model that is another one mapped: queries are given in that one's space, and compared in its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from terraces import DIM, NAME, falling, fill

import pgsim
from pgsim.errors import WrongState
from pgsim.evaluation.prefixes import Sample
from pgsim.maps import Map, fit_leanvec

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

ROWS = falling(300)
QUERIES = falling(12, seed=6)
# What a map is fitted to: queries of which other dimensions tell most.
ASKED = falling(60, seed=9) * 1.1 ** np.arange(DIM, dtype=np.float32)


def derived(connection: psycopg.Connection[Any], fitted: Map, metric: str = "cosine") -> pgsim.Database:
    """The model ``turned``, derived by that map, and its version, filled."""
    fill(connection, ROWS, metric=metric)
    database = pgsim.Database(connection)
    database.create_map("turn", NAME, fitted)
    database.derive_model("turned", "turn")
    database.create_version(NAME, "turned")
    database.fill_version(NAME, "turned", size=len(ROWS))
    return database


def truth(queries: NDArray[np.float32], metric: str = "cosine") -> list[list[int]]:
    """The key of the nearest row of each query, in the base model's space."""
    distances = Sample(ROWS.astype(float), queries.astype(float), metric).distances()
    return [[int(np.argmin(row)) + 1] for row in distances]


def backwards() -> Map:
    """A map that turns the last dimensions, which tell least, to the front."""
    return Map("rotation", np.eye(DIM, dtype=np.float32)[::-1].copy())


def test_queries_of_a_derived_model_are_mapped_before_indexes_are_tried(connection: psycopg.Connection[Any]) -> None:
    database = derived(connection, backwards())
    how: dict[str, Any] = {"model": "turned", "sample": 1000}
    told = database.tune_index(NAME, QUERIES, relevant=truth(QUERIES), dims=[DIM], elements=["vector"], **how)
    assert told.exact_quality == 1
    mapped = Sample(ROWS[:, ::-1].astype(float), QUERIES[:, ::-1].astype(float), "cosine")
    by_prefix = database.recall_by_dims(NAME, QUERIES, dims=[8], keep=[20], **how)
    assert by_prefix[0].mean_recall == pytest.approx(mapped.recall(8, [20], 10)[20])
    prefixes = database.tune_prefixes(NAME, QUERIES, dims=[8], keep=[20], **how)
    assert prefixes.prefixes[0].recall[20] == pytest.approx(by_prefix[0].mean_recall)
    advice = database.compress_advice(NAME, QUERIES, **how)
    assert next(each for each in advice if each.kind == "vector").mean_recall == 1


def test_queries_and_rows_may_have_other_widths_than_the_base_model(connection: psycopg.Connection[Any]) -> None:
    database = derived(connection, Map("selection", np.eye(DIM, dtype=np.float32)[:10]))
    told = database.recall_by_dims(NAME, QUERIES, model="turned", dims=[4], keep=[10], sample=1000)
    kept = Sample(ROWS[:, :10].astype(float), QUERIES[:, :10].astype(float), "cosine")
    assert told[0].mean_recall == pytest.approx(kept.recall(4, [10], 10)[10])


def test_rows_taken_for_queries_are_mapped_as_queries_are(connection: psycopg.Connection[Any]) -> None:
    fitted = fit_leanvec(ROWS, ASKED, unit_length=False)
    assert fitted.keeps_scores
    derived(connection, fitted, "ip")
    rows = connection.execute(
        b"SELECT b.rows FROM pgsim._target(%s, 'turned', 'default') AS t CROSS JOIN LATERAL "
        b"pgsim._trial_begin(t, NULL, NULL, 10, 1000, 40, 0) AS b",
        [NAME],
    ).fetchall()
    assert rows == [(260,)]
    asked = connection.execute(b"SELECT query::real[] FROM pg_temp._pgsim_trial_query ORDER BY number").fetchall()
    expected = fitted.apply_queries(ROWS)
    # Each is the image, as a query, of one of the rows.
    for (query,) in asked:
        assert np.abs(expected - np.array(query, np.float32)).max(axis=1).min() < 1e-3 * np.abs(query).max()


def test_rows_that_cannot_be_mapped_back_are_no_queries(connection: psycopg.Connection[Any]) -> None:
    database = derived(connection, fit_leanvec(ROWS, ASKED, dims=6, unit_length=False), "ip")
    with pytest.raises(WrongState, match="rows of model 'turned' are no queries") as refused, connection.transaction():
        database.recall_by_dims(NAME, model="turned", dims=[3])
    assert refused.value.hint == "Give queries of the model that the map begins at."
    assert database.recall_by_dims(NAME, QUERIES, model="turned", dims=[3], keep=[300])[0].mean_recall == 1


def test_what_a_user_calls_as_the_copy_is_told(connection: psycopg.Connection[Any]) -> None:
    fill(connection, ROWS)
    database = pgsim.Database(connection)
    connection.execute(b"CREATE TEMPORARY VIEW pgsim_trial AS SELECT 1")
    connection.execute(b"CREATE TEMPORARY TABLE pgsim_trial_query (a int)")
    assert database.recall_by_dims(NAME, QUERIES, dims=[8])
    assert connection.execute(b"SELECT * FROM pg_temp.pgsim_trial_query").fetchall() == []
    for name in ("_pgsim_trial", "_pgsim_trial_query", "_pgsim_trial_index"):
        connection.execute(f"CREATE TEMPORARY VIEW {name} AS SELECT 1".encode())
        with pytest.raises(pgsim.errors.AlreadyExists, match="begins with _pgsim_trial"), connection.transaction():
            database.recall_by_dims(NAME, QUERIES, dims=[8])
        connection.execute(f"DROP VIEW {name}".encode())
