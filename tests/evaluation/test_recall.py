"""What pgsim.recall says of searches, compared with brute force in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from brute_force import tie_recall
from shelf import AS_A_TENANT

from pgsim.vectors import vector_text, vectors_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from shelf import Shelf

    MakeShelf = Callable[..., Shelf]


@pytest.fixture
def crippled(make_shelf: MakeShelf) -> Shelf:
    """3,000 vectors under an index with hardly any links."""
    vectors = np.random.default_rng(3).normal(size=(3000, 32)).astype(np.float32)
    shelf = make_shelf(vectors)
    shelf.connection.execute(
        "SELECT pgsim.create_index('book', 'model', options => '{\"m\": 2, \"ef_construction\": 4}')"
    )
    return shelf


def test_exact_search_has_recall_one(shelf: Shelf) -> None:
    told = shelf.recall(mode="exact")
    assert (told["searches"], told["strategies"]) == (100, {"exact": 100})
    assert [told[name] for name in ("mean_recall", "low", "high", "worst", "short")] == [1, 1, 1, 1, 0]
    assert told["seconds"] > 0
    assert told["exact_seconds"] > 0


def test_an_index_that_loses_rows_is_caught(crippled: Shelf) -> None:
    queries = np.random.default_rng(4).normal(size=(30, 32)).astype(np.float32)
    told = crippled.recall(queries=vectors_text(queries), mode="ann", recall=0.5)
    recalls = []
    for query in queries.astype(np.float64):
        rows = crippled.vectors.astype(np.float64)
        truth = np.sort(1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query))[:10]
        found = crippled.connection.execute(
            "SELECT distance FROM pgsim.search('book', %s, mode => 'ann', recall => 0.5)",
            [vector_text(query.astype(np.float32))],
        ).fetchall()
        recalls.append(tie_recall(np.array([row[0] for row in found]), truth))
    assert told["searches"] == 30
    assert told["mean_recall"] == pytest.approx(np.mean(recalls))
    assert told["worst"] == pytest.approx(min(recalls))
    assert told["mean_recall"] < 1
    assert told["worst"] <= told["low"] <= told["mean_recall"] <= told["high"] <= 1


def test_a_seed_takes_the_same_rows_and_another_seed_others(crippled: Shelf) -> None:
    untimed = ["mean_recall", "low", "high", "worst"]
    first, again, other = (crippled.recall(mode="ann", recall=0.5, sample=40, seed=seed) for seed in (1, 1, 2))
    assert [first[name] for name in untimed] == [again[name] for name in untimed]
    assert [first[name] for name in untimed] != [other[name] for name in untimed]


def test_rows_that_tie_are_as_good_as_each_other(make_shelf: MakeShelf) -> None:
    copies = np.repeat(np.random.default_rng(1).normal(size=(100, 16)), 3, axis=0).astype(np.float32)
    shelf = make_shelf(copies)
    shelf.connection.execute("SELECT pgsim.create_index('book', 'model')")
    assert shelf.recall(mode="ann", k=5)["mean_recall"] == 1


def test_a_filter_is_part_of_what_is_measured(shelf: Shelf) -> None:
    told = shelf.recall(filter='{"tenant": "umbrella"}', k=100, sample=5)
    assert (told["mean_recall"], told["short"]) == (1, 0)
    assert shelf.recall(filter='{"tenant": "nobody"}', sample=5)["mean_recall"] == 1


def test_where_sql_means_what_it_means_to_the_caller(shelf: Shelf) -> None:
    shelf.connection.execute(
        "CREATE SCHEMA mine; CREATE FUNCTION mine.is_even(n int) RETURNS boolean LANGUAGE sql RETURN n % 2 = 0; "
        "SET LOCAL search_path = mine, public"
    )
    told = shelf.recall(
        where_sql="is_even(id) AND tenant = $1 ->> 'tenant'", where_values='{"tenant": "acme"}', sample=4
    )
    assert (told["searches"], told["mean_recall"]) == (4, 1)


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip", "l1"])
@pytest.mark.parametrize(("element", "adopted"), [("vector", True), ("halfvec", False)])
def test_every_metric_and_place_of_vectors_is_measured(
    make_shelf: MakeShelf, metric: str, element: str, *, adopted: bool
) -> None:
    shelf = make_shelf(metric=metric, element=element, adopted=adopted)
    shelf.connection.execute("SELECT pgsim.create_index('book', 'model')")
    assert shelf.recall(mode="ann", sample=20)["mean_recall"] > 0.9


def test_rows_without_a_vector_or_direction_are_no_queries(shelf: Shelf) -> None:
    shelf.connection.execute("UPDATE book SET embedding = NULL WHERE id % 3 = 0")
    shelf.connection.execute("UPDATE book SET embedding = array_fill(0, '{16}')::vector WHERE id % 3 = 1")
    assert shelf.recall(sample=300)["searches"] == 100


def test_an_empty_table_has_no_recall(make_shelf: MakeShelf) -> None:
    told = make_shelf(np.empty((0, 16), np.float32)).recall()
    assert (told["searches"], told["short"], told["strategies"]) == (0, 0, {})
    assert {told[name] for name in ("mean_recall", "low", "high", "worst", "seconds", "exact_seconds")} == {None}


def test_a_large_table_is_sampled_by_blocks_and_a_stale_estimate_does_not_matter(make_shelf: MakeShelf) -> None:
    shelf = make_shelf(np.random.default_rng(1).normal(size=(2000, 16)).astype(np.float32))
    assert shelf.recall(sample=20)["searches"] == 20
    shelf.connection.execute("DELETE FROM book WHERE id > 30")
    assert shelf.recall(sample=20)["searches"] == 20


def test_settings_are_as_they_were_after_it(shelf: Shelf) -> None:
    names = ["search_path", "hnsw.ef_search", "hnsw.iterative_scan", "jit", "enable_seqscan", "pgsim.recording"]
    shelf.connection.execute("SET LOCAL jit = on; SET LOCAL hnsw.ef_search = 77; SET LOCAL pgsim.recording = 'on'")
    before = [shelf.connection.execute("SELECT current_setting(%s)", [name]).fetchall() for name in names]
    shelf.recall(mode="ann", sample=3)
    assert [shelf.connection.execute("SELECT current_setting(%s)", [name]).fetchall() for name in names] == before


@pytest.mark.parametrize(
    ("arguments", "sqlstate"),
    [
        ({"sample": 0}, "PS010"),
        ({"sample": 10001}, "PS010"),
        ({"sample": None}, "PS010"),
        ({"seed": None}, "PS010"),
        ({"queries": "{}"}, "PS010"),
        ({"queries": '{{"[1,2]"},{"[1,2]"}}'}, "PS010"),
        ({"queries": '{"[1,2]"}'}, "PS012"),
        ({"queries": "{NULL}"}, "PS013"),
        ({"k": 0}, "PS010"),
        ({"mode": "guess"}, "PS010"),
        ({"model": "other"}, "PS002"),
        ({"embedding": "title"}, "PS003"),
        ({"filter": '{"colour": "red"}'}, "PS005"),
        ({"filter": '{"tenant": {"$like": 3}}'}, "PS015"),
        ({"filter": "[]"}, "PS014"),
    ],
)
def test_bad_arguments_are_refused(shelf: Shelf, arguments: dict[str, object], sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        shelf.recall(**arguments)
    assert raised.value.sqlstate == sqlstate
    assert raised.value.diag.message_hint


def test_an_unknown_collection_is_refused(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.Error) as raised:
        connection.execute("SELECT pgsim.recall('nothing')")
    assert raised.value.sqlstate == "PS001"


def test_who_may_not_read_a_table_may_not_measure_it(shelf: Shelf) -> None:
    shelf.connection.execute("CREATE ROLE a_reader; SET LOCAL ROLE a_reader")
    with pytest.raises(psycopg.Error) as raised:
        shelf.recall()
    assert raised.value.sqlstate == "PS032"


@pytest.mark.parametrize("adopted", [True, False], ids=["adopted column", "version table"])
def test_row_level_security_chooses_the_rows_that_are_queries(make_shelf: MakeShelf, *, adopted: bool) -> None:
    shelf = make_shelf(adopted=adopted)
    shelf.connection.execute(AS_A_TENANT)
    told = shelf.recall(sample=1000, k=100)
    assert (told["searches"], told["mean_recall"], told["short"]) == (60, 1, 0)


def test_text_and_composite_keys_are_sampled_too(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        'CREATE TABLE book ("the k" text, "key" uuid, "place" int, stored vector(2), PRIMARY KEY ("the k", "key"));'
        "INSERT INTO book SELECT 'it''s ' || i, gen_random_uuid(), i, ARRAY[sin(i), cos(i)]::vector "
        "FROM generate_series(1, 40) AS i; SELECT pgsim.create_collection('book'); SELECT pgsim.create_model('m', 2);"
        "SELECT pgsim.create_version('book', 'm', column_name => 'stored'); SELECT pgsim.create_model('own', 2);"
        "SELECT pgsim.create_version('book', 'own')"
    )
    connection.execute(
        "SELECT pgsim.upsert('book', 'own', array_agg(b.name), array_agg(b.stored)) FROM "
        """(SELECT jsonb_build_object('the k', "the k", 'key', "key")::text AS name, stored FROM book) AS b"""
    )
    for model in ("m", "own"):
        found = connection.execute("SELECT searches, mean_recall FROM pgsim.recall('book', model => %s)", [model])
        assert found.fetchall() == [(40, 1.0)]
