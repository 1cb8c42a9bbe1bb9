"""Codes of directions: the first dimensions of each vector in half precision, where these say most of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest

from pgsim import Database
from pgsim.errors import PgsimError
from pgsim.maps import Map, fit_pca
from pgsim.vectors import vector_text, vectors_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

Connection = psycopg.Connection[tuple[Any, ...]]

ROWS, DIM, PREFIX, K = 3000, 48, 16, 10
ONE = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"


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
    for key, number in ((1, 1e15), (3, 1e30)):
        connection.execute(
            "UPDATE item SET e = array_fill(%s::real, ARRAY[%s])::vector WHERE id = %s", [number, DIM, key]
        )
    connection.execute("UPDATE item SET e = NULL WHERE id = 2")
    codes, exact = (
        connection.execute(
            "SELECT key, distance FROM pgsim.search('item', array_fill(1::real, ARRAY[%s])::vector, mode => %s)",
            [DIM, mode],
        ).fetchall()
        for mode in ("codes", "exact")
    )
    assert codes[0] == ("1", pytest.approx(0, abs=1e-6))
    assert codes == exact


def turned(connection: Connection) -> tuple[NDArray[np.float32], Database]:
    """The same collection, turned so that a prefix says little, and ``pca``, the map that turns it back."""
    vectors = filled(connection, 1.0 / np.arange(1, DIM + 1))
    turn = np.linalg.qr(np.random.default_rng(7).normal(size=(DIM, DIM)))[0].astype(np.float32)
    connection.execute("SELECT pgsim.drop_index(relation) FROM pgsim._index")
    connection.execute(
        "UPDATE item SET e = v FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o) WHERE id = o",
        [vectors_text(vectors @ turn)],
    )
    database = Database(connection)
    database.create_map("pca", "m", fit_pca(vectors @ turn))
    return vectors @ turn, database


def test_codes_of_a_map_find_the_recall_asked_by_few_rows(connection: Connection) -> None:
    vectors, database = turned(connection)
    database.create_index("item", "m", method="codes", dims=PREFIX, element="halfvec", options={"map": "pca"})
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = 0
    for query in unit[:20]:
        best = {int(place) + 1 for place in np.argsort(-(unit @ query))[:K]}
        rows = connection.execute(
            "SELECT key FROM pgsim.search('item', %s::vector, k => %s, recall => 0.99, mode => 'codes')",
            [vector_text(query), K],
        ).fetchall()
        found += len(best & {int(key) for (key,) in rows})
    assert found / (K * 20) >= 0.98


def test_codes_of_a_map_are_kept_by_every_write(connection: Connection) -> None:
    _, database = turned(connection)
    name = database.create_index("item", "m", method="codes", dims=PREFIX, element="halfvec", options={"map": "pca"})
    connection.execute("INSERT INTO item SELECT id + 10000, shelf, e FROM item WHERE id <= 50")
    connection.execute("UPDATE item SET e = (SELECT o.e FROM item AS o WHERE o.id = item.id + 1) WHERE id <= 30")
    connection.execute("UPDATE item SET e = NULL WHERE id = 31; DELETE FROM item WHERE id BETWEEN 40 AND 60")
    differing = f"""
        SELECT count(*) FROM item AS b FULL JOIN {name} AS k ON k.id = b.id
        CROSS JOIN LATERAL (SELECT CASE WHEN b.e IS NOT NULL THEN pgsim.apply_map('pca', b.e) END AS v) AS m
        CROSS JOIN LATERAL (SELECT l2_normalize(subvector(m.v, 1, {PREFIX})) AS expected) AS x
        WHERE b.id IS NULL OR k.id IS NULL
           OR (k.code IS NULL) <> (x.expected IS NULL) OR k.code::vector <-> x.expected > 1e-3
    """
    (wrong,) = connection.execute(differing.encode()).fetchall()[0]
    assert wrong == 0


@pytest.mark.parametrize(
    ("options", "sqlstate", "says"),
    [
        ({"map": "pcb"}, "PS054", "no map 'pcb'"),
        ({"map": 3}, "PS054", "no map '3'"),
        ({"map": "pca", "m": 8}, "PS010", "other than map"),
        ({"map": "short"}, "PS010", "to 4 dimensions"),
        ({"map": "elsewhere"}, "PS010", "from model 'n'"),
    ],
)
def test_a_map_that_codes_cannot_take_is_refused(
    connection: Connection, options: dict[str, object], sqlstate: str, says: str
) -> None:
    vectors, database = turned(connection)
    database.create_map("short", "m", fit_pca(vectors, dims=4))
    database.create_model("n", DIM)
    database.create_map("elsewhere", "n", fit_pca(vectors))
    with pytest.raises(PgsimError, match=says) as refused:
        database.create_index("item", "m", method="codes", dims=PREFIX, options=options)
    assert refused.value.sqlstate == sqlstate


def test_a_map_in_use_by_codes_stays(connection: Connection) -> None:
    _, database = turned(connection)
    database.create_index("item", "m", method="codes", options={"map": "pca"})
    with pytest.raises(PgsimError, match="in use"), connection.transaction():
        database.drop_map("pca")
    connection.execute("SELECT pgsim.drop_index(relation) FROM pgsim._index")
    database.drop_map("pca")


def dealt(connection: Connection, metric: str, map_: Map, **how: Any) -> NDArray[np.float32]:
    """A collection ``card`` of 900 vectors of 16 dimensions that all tell as much, with codes under a map."""
    vectors = np.random.default_rng(3).normal(size=(900, 16)).astype(np.float32)
    connection.execute("CREATE TABLE card (id int PRIMARY KEY, suit int, e vector(16))")
    connection.execute(
        "INSERT INTO card SELECT o, mod(o, 4), v FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o)",
        [vectors_text(vectors)],
    )
    connection.execute("ANALYZE card; SELECT pgsim.create_collection('card', filter_columns => '{suit}')")
    connection.execute("SELECT pgsim.create_model('c', 16, metric => %s)", [metric])
    connection.execute("SELECT pgsim.create_version('card', 'c', column_name => 'e')")
    database = Database(connection)
    database.create_map("some", "c", map_)
    database.create_index("card", "c", method="codes", options={"map": "some"}, **how)
    return vectors


def answers(connection: Connection, query: NDArray[np.float32], suit: int) -> list[list[tuple[Any, ...]]]:
    """What codes answer, and what is exact."""
    return [
        connection.execute(
            "SELECT key, distance, details FROM pgsim.search('card', %s::vector, filter => %s, mode => %s)",
            [vector_text(query), json.dumps({"suit": suit}), mode],
        ).fetchall()
        for mode in ("codes", "exact")
    ]


@pytest.mark.parametrize("metric", ["cosine", "ip"])
@pytest.mark.parametrize("element", ["bit", "halfvec"])
def test_a_query_whose_image_is_zeros_is_answered_exactly(connection: Connection, metric: str, element: str) -> None:
    last = np.eye(16, dtype=np.float32)[8:]
    dealt(connection, metric, Map("selection", last, normalized=metric == "cosine"), dims=8, element=element)
    query = np.ones(16, np.float32)
    query[8:] = 0
    codes, exact = answers(connection, query, 1)
    assert [row[:2] for row in codes] == [row[:2] for row in exact]
    assert "all zeros" in codes[0][2]["fallbacks"][0]
    # Zeros that the map leaves out are of no account.
    assert answers(connection, 1 - query, 1)[0][0][2]["strategy"] == "codes"


@pytest.mark.parametrize("length", [1, 1e-30, 9e37])
def test_codes_of_a_map_lose_no_row_however_long(connection: Connection, length: float) -> None:
    turn = np.linalg.qr(np.random.default_rng(7).normal(size=(16, 16)))[0].astype(np.float32)
    dealt(connection, "ip", Map("linear", turn * np.float32(length), normalized=False))
    connection.execute("INSERT INTO card VALUES (5000, 77, array_fill(3e38::real, ARRAY[16])), (5001, 77, %s)", [ONE])
    codes, exact = answers(connection, np.full(16, 1e-3, np.float32), 77)
    assert [row[0] for row in codes] == [row[0] for row in exact] == ["5000", "5001"]
    assert len(answers(connection, np.full(16, 3e38, np.float32), 1)[0]) == 10


def test_components_beyond_single_precision_are_no_map_of_codes(connection: Connection) -> None:
    turn = np.linalg.qr(np.random.default_rng(7).normal(size=(16, 16)))[0].astype(np.float32)
    with pytest.raises(PgsimError, match="component 1 of map 'some' is longer than 1e38") as refused:
        dealt(connection, "ip", Map("linear", turn * np.float32(2e38), normalized=False))
    assert refused.value.sqlstate == "PS010"


@pytest.mark.parametrize("options", ['"map"', "3", "null", '["map"]', '"m"'])
def test_options_of_codes_are_an_object(connection: Connection, options: str) -> None:
    turned(connection)
    with pytest.raises(psycopg.Error, match="options is not a JSON object") as refused:
        connection.execute("SELECT pgsim.create_index('item', 'm', method => 'codes', options => %s)", [options])
    assert (refused.value.sqlstate, refused.value.diag.message_hint) == (
        "PS010",
        """For instance: options => '{"map": "rotated"}'.""",
    )
