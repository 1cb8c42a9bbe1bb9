"""Sparse models, their versions, and what is stored in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from cookbook import DIM, make, sparse, upsert
from pgvector import SparseVector

if TYPE_CHECKING:
    from collections.abc import Callable

    from cookbook import Connection, Recipes


def test_a_model_may_be_as_wide_as_pgvector_allows(connection: Connection) -> None:
    connection.execute("SELECT pgsim.create_model('hashed', 1000000000, metric => 'ip', element => 'sparsevec')")
    connection.execute("CREATE TABLE note (id int PRIMARY KEY); INSERT INTO note VALUES (1), (2)")
    connection.execute("SELECT pgsim.create_collection('note'), pgsim.create_version('note', 'hashed')")
    connection.execute(
        "SELECT pgsim.upsert('note', 'hashed', '{1,2}', sparse_vectors => "
        """'{"{1:1,1000000000:2}/1000000000","{7:1}/1000000000"}')"""
    )
    found = connection.execute(
        "SELECT key, score FROM pgsim.search('note', sparse_query => '{1000000000:3}/1000000000')"
    )
    assert found.fetchall() == [("1", 6.0)]


def test_a_column_of_sparse_vectors_is_adopted_where_it_stands(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE note (id int PRIMARY KEY, terms sparsevec(5)); "
        "INSERT INTO note VALUES (1, '{1:1}/5'), (2, '{1:2,3:1}/5'), (3, NULL), (4, '{2:9}/5');"
        "SELECT pgsim.create_collection('note'); SELECT pgsim.create_model('terms', 5, 'ip', 'sparsevec');"
        "SELECT pgsim.create_version('note', 'terms', column_name => 'terms')"
    )
    search = "SELECT key, score FROM pgsim.search('note', sparse_query => '{1:1,3:1}/5')"
    assert connection.execute(search).fetchall() == [("2", 3.0), ("1", 1.0)]
    connection.execute("""SELECT pgsim.upsert('note', 'terms', '{3}', sparse_vectors => '{"{1:7}/5"}')""")
    assert connection.execute(search).fetchall() == [("3", 7.0), ("2", 3.0), ("1", 1.0)]
    assert connection.execute("SELECT terms::text FROM note WHERE id = 3").fetchall() == [("{1:7}/5",)]


def test_rows_and_their_vectors_go_together(recipes: Recipes) -> None:
    query = recipes.vectors[4]
    assert recipes.search(query, k=1)
    recipes.connection.execute("DELETE FROM recipe WHERE id <> 5")
    assert [row[0] for row in recipes.search(query)] == ["5"]
    upsert(recipes.connection, ["5"], [SparseVector({0: 2}, DIM)])
    stored = recipes.connection.execute(f"SELECT key, embedding::text FROM {recipes.table}".encode()).fetchall()
    assert stored == [(5, f"{{1:2}}/{DIM}")]


def test_changed_rows_are_queued_for_a_worker_as_those_of_dense_models_are(recipes: Recipes) -> None:
    recipes.connection.execute("UPDATE recipe SET body = 'other' WHERE id = 3")
    waiting = recipes.connection.execute(
        "SELECT key, source FROM pgsim.next_batch('recipe', 'terms', 'sparse')"
    ).fetchall()
    assert waiting == [("3", "other")]


def test_what_speaks_of_dense_vectors_alone_says_what_to_do_instead(connection: Connection) -> None:
    recipes = make(connection)
    of = "('recipe', model => 'terms', embedding => 'sparse')"
    for call, instead in (
        (f"pgsim.health{of}", "Name a dense model"),
        (f"pgsim.calibrate{of}", "Nothing of it is needed"),
        (f"pgsim.advise{of}", "method => 'inverted'"),
    ):
        with pytest.raises(psycopg.DatabaseError, match="model 'terms' is sparse") as raised, connection.transaction():
            connection.execute(f"SELECT * FROM {call}".encode())
        assert raised.value.sqlstate == "PS012"
        assert instead in str(raised.value.diag.message_hint)
    connection.execute(b"SELECT pgsim.create_index('recipe', 'terms', embedding => 'sparse', method => 'inverted')")
    assert recipes.is_right(recipes.vectors[0])


def test_rows_are_made_unlike_one_another_by_their_sparse_vectors(recipes: Recipes) -> None:
    query = recipes.vectors[0]
    found = recipes.search(query, k=20)
    chosen = recipes.connection.execute(
        "SELECT key FROM pgsim.mmr('recipe', %s, %s, k => 2, diversity => 1, embedding => 'sparse')",
        [[row[0] for row in found], [row[1] for row in found]],
    ).fetchall()
    first, second = (recipes.vectors[int(key) - 1] for (key,) in chosen)
    others = [recipes.vectors[int(row[0]) - 1] for row in found[1:]]

    def alike(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    assert alike(first, second) == pytest.approx(min(alike(first, other) for other in others), abs=1e-6)


@pytest.mark.parametrize(
    ("sqlstate", "said", "statement"),
    [
        ("PS010", "a sparse one up to 1000000000", "SELECT pgsim.create_model('m', 1000000001, 'ip', 'sparsevec')"),
        ("PS010", "1 to 16000", "SELECT pgsim.create_model('m', 30522)"),
        ("PS010", "no prefixes", "SELECT pgsim.create_model('m', 9, 'ip', 'sparsevec', matryoshka => '{3}')"),
        ("PS010", "has dense vectors", "SELECT pgsim.create_version('recipe', 'terms')"),
        ("PS010", "has sparse vectors", "SELECT pgsim.create_version('recipe', 'small', embedding => 'sparse')"),
        ("PS012", "is sparse", "SELECT pgsim.upsert('recipe', 'terms', '{1}', '{\"[1,2]\"}', embedding => 'sparse')"),
        ("PS012", "is dense", "SELECT pgsim.upsert('recipe', 'small', '{1}', sparse_vectors => '{\"{1:1}/4\"}')"),
        (
            "PS012",
            "has 7 dimensions",
            """SELECT pgsim.upsert('recipe', 'terms', '{1}', sparse_vectors => '{"{1:1}/7"}', embedding => 'sparse')""",
        ),
        (
            "PS013",
            "is NULL",
            "SELECT pgsim.upsert('recipe', 'terms', '{1}', sparse_vectors => '{NULL}', embedding => 'sparse')",
        ),
        (
            "PS010",
            "2 keys, 1 vectors",
            """SELECT pgsim.upsert('recipe', 'terms', '{1,2}', NULL, 'sparse', sparse_vectors => '{"{1:1}/300"}')""",
        ),
        ("PS010", "1 keys, NULL vectors", "SELECT pgsim.upsert('recipe', 'terms', '{1}', embedding => 'sparse')"),
        ("PS012", "codes are for dense", "SELECT pgsim.create_index('recipe', 'terms', 'sparse', method => 'codes')"),
    ],
)
def test_what_does_not_fit_is_refused(
    recipes: Recipes, refused: Callable[..., str], sqlstate: str, said: str, statement: str
) -> None:
    assert said in refused(sqlstate, statement)


def test_vectors_of_zeros_have_no_direction(connection: Connection, refused: Callable[..., str]) -> None:
    recipes = make(connection, "cosine")
    stored = "SELECT pgsim.upsert('recipe', 'terms', '{1}', sparse_vectors => '{\"{}/300\"}', embedding => 'sparse')"
    assert "the vector of key '1' is all zeros" in refused("PS013", stored)
    assert "the query is all zeros" in refused(
        "PS013", "SELECT * FROM pgsim.search('recipe', sparse_query => '{}/300')"
    )
    assert recipes.is_right(recipes.vectors[3])


def test_under_an_inner_product_a_vector_of_zeros_is_stored_and_never_found(recipes: Recipes) -> None:
    upsert(recipes.connection, ["1"], [sparse(np.zeros(DIM, np.float32))])
    recipes.vectors[0] = 0
    assert "1" not in {row[0] for row in recipes.is_right(np.ones(DIM, np.float32), k=ROWS_AND_MORE)}
    assert recipes.search(np.zeros(DIM, np.float32)) == []


ROWS_AND_MORE = 1000
