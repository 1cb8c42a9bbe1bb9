"""Codes of directions: the first dimensions of each vector in half precision, where these say most of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pytest

from pgsim.vectors import vector_text, vectors_text

Connection = psycopg.Connection[tuple[Any, ...]]

ROWS, DIM, PREFIX, K = 3000, 48, 16, 10


def filled(connection: Connection, spread: np.ndarray[Any, np.dtype[np.float64]], metric: str = "cosine") -> Any:
    """A collection ``item`` whose vectors' dimensions scatter as ``spread`` says; returns them ``(ROWS, DIM)``."""
    vectors = (np.random.default_rng(0).normal(size=(ROWS, DIM)) * spread).astype(np.float32)
    connection.execute(f"CREATE TABLE item (id int PRIMARY KEY, shelf int, e vector({DIM}))".encode())
    connection.execute(
        "INSERT INTO item SELECT o, mod(o, 3), v FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o)",
        [vectors_text(vectors)],
    )
    connection.execute("ANALYZE item; SELECT pgsim.create_collection('item', filter_columns => '{shelf}')")
    connection.execute("SELECT pgsim.create_model('m', %s, metric => %s)", [DIM, metric])
    connection.execute("SELECT pgsim.create_version('item', 'm', column_name => 'e')")
    connection.execute(
        "SELECT pgsim.create_index('item', 'm', method => 'codes', dims => %s, element => 'halfvec')", [PREFIX]
    )
    return vectors


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_a_prefix_that_says_most_of_a_vector_finds_the_recall_asked(connection: Connection, metric: str) -> None:
    spread = 1.0 / np.arange(1, DIM + 1)
    vectors = filled(connection, spread, metric)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ours = np.flatnonzero(np.arange(1, ROWS + 1) % 3 == 1)
    queries = (np.random.default_rng(1).normal(size=(25, DIM)) * spread).astype(np.float32)
    found = 0
    for query in queries:
        nearness = {
            "cosine": unit[ours] @ query,
            "l2": -np.linalg.norm(vectors[ours] - query, axis=1),
        }[metric]
        best = {int(ours[place]) + 1 for place in np.argsort(-nearness)[:K]}
        rows = connection.execute(
            "SELECT key FROM pgsim.search('item', %s::vector, k => %s, filter => '{\"shelf\": 1}', recall => 0.99, "
            "mode => 'codes')",
            [vector_text(query), K],
        ).fetchall()
        assert len(rows) == K
        found += len(best & {int(key) for (key,) in rows})
    assert found / (K * len(queries)) >= 0.98
    told = connection.execute(
        "SELECT pgsim.explain_search('item', %s::vector, filter => '{\"shelf\": 1}', mode => 'codes')",
        [vector_text(queries[0])],
    ).fetchall()[0][0]
    assert told["strategy"] == "codes"
    assert "halfvec" in told["statement"]


def test_a_prefix_that_says_nothing_is_not_used(connection: Connection) -> None:
    filled(connection, np.where(np.arange(DIM) < PREFIX, 0.01, 1.0))
    query = vector_text(np.random.default_rng(1).normal(size=DIM).astype(np.float32))
    told = connection.execute(
        "SELECT pgsim.explain_search('item', %s::vector, filter => '{\"shelf\": 1}')", [query]
    ).fetchall()[0][0]
    assert told["strategy"] == "exact"
    with pytest.raises(psycopg.Error, match="tell the rows of this table apart too little"):
        connection.execute("SELECT * FROM pgsim.search('item', %s::vector, mode => 'codes')", [query])


def test_a_query_whose_prefix_is_all_zeros_is_answered_exactly(connection: Connection) -> None:
    filled(connection, 1.0 / np.arange(1, DIM + 1))
    query = np.zeros(DIM, np.float32)
    query[-1] = 1
    rows = connection.execute(
        "SELECT details ->> 'strategy', details ->> 'fallbacks' FROM pgsim.search('item', %s::vector, mode => 'codes')",
        [vector_text(query)],
    ).fetchall()
    assert len(rows) == K
    assert rows[0][0] == "exact"
    assert "all zeros" in rows[0][1]


def test_numbers_beyond_half_precision_fail_no_writer(connection: Connection) -> None:
    filled(connection, 1.0 / np.arange(1, DIM + 1))
    connection.execute("UPDATE item SET e = array_fill(1e30::real, ARRAY[%s])::vector WHERE id = 1", [DIM])
    connection.execute("UPDATE item SET e = NULL WHERE id = 2")
    connection.execute(
        "SELECT * FROM pgsim.search('item', array_fill(1::real, ARRAY[%s])::vector, mode => 'codes')", [DIM]
    )
