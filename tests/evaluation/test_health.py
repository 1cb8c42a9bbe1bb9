"""What pgsim.health measures, compared with numpy, and what it makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from brute_force import hubness, intrinsic_dimension
from shelf import AS_A_TENANT, fill_shelf

from pgsim import install
from pgsim.vectors import vectors_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from shelf import Shelf

    MakeShelf = Callable[..., Shelf]

MEASURES = [
    "sampled_rows",
    "missing_vectors",
    "zero_vectors",
    "duplicate_vectors",
    "norm_spread",
    "intrinsic_dimension",
    "hubness",
    "dead_rows",
    "vector_indexes",
    "index_rows",
    "changed_since_build",
    "memory",
    "calibration",
    "recall_ef_40",
    "recall_ef_200",
]


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip", "l1"])
@pytest.mark.parametrize(("element", "adopted"), [("vector", True), ("halfvec", False)])
def test_the_measures_are_those_of_numpy(make_shelf: MakeShelf, metric: str, element: str, *, adopted: bool) -> None:
    shelf = make_shelf(metric=metric, element=element, adopted=adopted)
    shelf.connection.execute("SELECT pgsim.create_index('book', 'model'); ANALYZE")
    told = shelf.health()
    assert list(told) == MEASURES
    stored = shelf.vectors.astype(np.float16 if element == "halfvec" else np.float32).astype(np.float64)
    norms = np.linalg.norm(stored, axis=1)
    expected = {
        "sampled_rows": 300,
        "missing_vectors": 0,
        "zero_vectors": 0,
        "duplicate_vectors": 0,
        "norm_spread": norms.std() / norms.mean(),
        "intrinsic_dimension": intrinsic_dimension(stored, metric),
        "hubness": hubness(stored, metric),
        "vector_indexes": 1,
        "index_rows": 1,
        "recall_ef_200": 1,
    }
    assert {name: told[name][0] for name in expected} == pytest.approx(expected, rel=1e-3)


def test_only_a_verdict_that_is_not_ok_has_a_hint(make_shelf: MakeShelf) -> None:
    told = make_shelf(np.random.default_rng(1).normal(size=(300, 6)).astype(np.float32)).health()
    assert {verdict for _, verdict, _, _ in told.values()} <= {"ok", "note", "warning"}
    assert all(explanation for _, _, explanation, _ in told.values())
    assert told["intrinsic_dimension"][1] == "ok"
    assert all(hint is None for _, verdict, _, hint in told.values() if verdict == "ok")


def test_missing_zero_and_double_vectors_are_counted(shelf: Shelf) -> None:
    connection = shelf.connection
    connection.execute("UPDATE book SET embedding = NULL WHERE id <= 30")
    connection.execute("UPDATE book SET embedding = array_fill(0, '{16}')::vector WHERE id BETWEEN 31 AND 57")
    connection.execute(
        "UPDATE book AS b SET embedding = o.embedding FROM book AS o "
        "WHERE b.id BETWEEN 101 AND 150 AND o.id = b.id + 100"
    )
    told = shelf.health()
    assert told["missing_vectors"][:2] == (pytest.approx(30 / 300), "warning")
    assert told["zero_vectors"][:2] == (pytest.approx(27 / 270), "warning")
    assert told["duplicate_vectors"][:2] == (pytest.approx(100 / 243), "warning")


def test_rows_that_wait_for_their_vector_are_missing(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "CREATE TABLE book (id int PRIMARY KEY, title text);"
        "INSERT INTO book SELECT i, 'title ' || i FROM generate_series(1, 100) AS i;"
        "SELECT pgsim.create_collection('book', text_columns => '{title}'), pgsim.create_model('model', 2);"
        "SELECT pgsim.create_version('book', 'model');"
        "SELECT pgsim.upsert('book', 'model', array_agg(i::text), array_agg(ARRAY[i, 1]::vector)) "
        "FROM generate_series(1, 75) AS i"
    )
    value, verdict, _, hint = connection.execute(
        "SELECT value, verdict, explanation, hint FROM pgsim.health('book') WHERE measure = 'missing_vectors'"
    ).fetchall()[0]
    assert (value, verdict) == (0.25, "warning")
    connection.execute(hint.removesuffix(", and run a worker."))


def test_the_inner_product_is_warned_of_lengths_that_differ(
    make_shelf: MakeShelf, normal_vectors: NDArray[Any]
) -> None:
    lengths = np.linspace(0.1, 9, len(normal_vectors))[:, None]
    told = make_shelf((normal_vectors * lengths).astype(np.float32), metric="ip").health()
    assert told["norm_spread"][1] == "warning"
    assert "cosine" in told["norm_spread"][3]


def test_normalized_vectors_are_said_to_be_so(make_shelf: MakeShelf, normal_vectors: NDArray[Any]) -> None:
    unit = normal_vectors / np.linalg.norm(normal_vectors, axis=1, keepdims=True)
    value, verdict, explanation, _ = make_shelf(unit, metric="l2").health()["norm_spread"]
    assert value == pytest.approx(0, abs=1e-6)
    assert (verdict, "normalized" in explanation) == ("ok", True)


@pytest.mark.parametrize("rows", [0, 1, 2, 20])
@pytest.mark.parametrize("adopted", [True, False], ids=["adopted column", "version table"])
def test_of_few_rows_it_says_so(
    make_shelf: MakeShelf, normal_vectors: NDArray[Any], rows: int, *, adopted: bool
) -> None:
    shelf = make_shelf(normal_vectors[:rows], adopted=adopted)
    shelf.connection.execute("SELECT pgsim.create_index('book', 'model')")
    told = shelf.health()
    assert told["sampled_rows"][:2] == (rows, "note")
    for measure in ("intrinsic_dimension", "hubness"):
        assert told[measure][:2] == (None, "note")
        assert f"the sample has {rows} vectors" in told[measure][2]
    assert told["recall_ef_200"][0] == (1 if rows else None)


def test_vectors_that_are_all_missing_are_no_error(shelf: Shelf) -> None:
    shelf.connection.execute("UPDATE book SET embedding = NULL")
    told = shelf.health()
    assert told["missing_vectors"][:2] == (1, "warning")
    assert told["zero_vectors"][:2] == (None, "note")


def test_a_graph_with_few_links_is_seen_by_its_recall(make_shelf: MakeShelf) -> None:
    vectors = np.random.default_rng(3).normal(size=(4000, 12)).astype(np.float32)
    shelf = make_shelf(vectors, metric="l2")
    index = shelf.connection.execute("SELECT pgsim.create_index('book', 'model')").fetchall()[0][0]
    assert shelf.health()["recall_ef_200"][:2] == (pytest.approx(1, abs=0.02), "ok")
    shelf.connection.execute("SELECT pgsim.drop_index(%s)", [index])
    few = '\'{"m": 2, "ef_construction": 4}\''
    shelf.connection.execute(f"SELECT pgsim.create_index('book', 'model', options => {few})".encode())
    narrow, wide = (shelf.health()[measure] for measure in ("recall_ef_40", "recall_ef_200"))
    assert narrow[0] < wide[0] < 0.95
    assert wide[1] in {"note", "warning"}
    assert "REINDEX INDEX CONCURRENTLY" in wide[3]


def test_each_prefix_and_element_that_is_indexed_is_tried(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "CREATE TABLE book (id int PRIMARY KEY, embedding vector(8)); SELECT pgsim.create_collection('book');"
        "INSERT INTO book SELECT i, ARRAY(SELECT hashint8extended(i * 8 + j, 1) / 1e18 "
        "FROM generate_series(1, 8) AS j)::vector FROM generate_series(1, 200) AS i;"
        "SELECT pgsim.create_model('model', 8, matryoshka => '{4}');"
        "SELECT pgsim.create_version('book', 'model', column_name => 'embedding');"
        "SELECT pgsim.create_index('book', 'model', element => 'halfvec');"
        "SELECT pgsim.create_index('book', 'model', dims => 4),"
        "pgsim.create_index('book', 'model', method => 'ivfflat'), "
        """pgsim.create_index('book', 'model', where_filter => '{"id": {"$lt": 50}}'); ANALYZE book"""
    )
    told = connection.execute(
        "SELECT value, explanation FROM pgsim.health('book') WHERE measure = 'recall_ef_200'"
    ).fetchall()
    assert [value for value, _ in told] == [1, 1]
    assert ["hnsw_halfvec" in explanation for _, explanation in told] == [True, False]
    assert ["hnsw_4" in explanation for _, explanation in told] == [False, True]


def test_an_index_made_by_hand_is_seen_and_tried(shelf: Shelf) -> None:
    shelf.connection.execute("CREATE INDEX by_hand ON book USING hnsw (embedding vector_cosine_ops)")
    told = shelf.health()
    assert "by_hand" in told["vector_indexes"][2]
    assert told["recall_ef_200"][0] == 1
    assert told["changed_since_build"][:2] == (None, "note")


def test_without_an_index_it_says_so(shelf: Shelf) -> None:
    told = shelf.health()
    assert told["vector_indexes"][0] == 0
    assert "no vector index" in told["vector_indexes"][2]
    assert told["memory"][0] == 0
    assert "recall_ef_200" not in told


def test_memory_is_compared_with_what_the_server_has(shelf: Shelf) -> None:
    shelf.connection.execute("SELECT pgsim.create_index('book', 'model')")
    expected = shelf.connection.execute("SELECT sum(bytes)::float8 FROM pgsim.indexes").fetchall()[0][0]
    shelf.connection.execute("SET LOCAL effective_cache_size = '77GB'")
    value, verdict, explanation, _ = shelf.health()["memory"]
    assert (value, verdict) == (expected, "ok")
    assert "effective_cache_size 77 GB" in explanation


def test_a_calibration_is_missed_and_told_when_it_is_old(make_shelf: MakeShelf) -> None:
    shelf = make_shelf(np.random.default_rng(1).normal(size=(2500, 8)).astype(np.float32), adopted=False)
    shelf.connection.execute("ANALYZE")
    value, verdict, explanation, hint = shelf.health()["calibration"]
    assert (value, verdict) == (None, "note")
    assert "defaults" in explanation
    shelf.connection.execute("SELECT pgsim.calibrate('book', sample => 10)")
    assert shelf.health()["calibration"][:2] == (pytest.approx(1, rel=0.1), "ok")
    shelf.connection.execute("UPDATE pgsim._calibration SET rows = rows / 3")
    value, verdict, explanation, hint = shelf.health()["calibration"]
    assert (value, verdict) == (pytest.approx(3, rel=0.1), "note")
    assert "stale" in explanation
    assert "pgsim.calibrate('book', model => 'model')" in str(hint)


def test_a_large_table_is_sampled(make_shelf: MakeShelf) -> None:
    shelf = make_shelf(np.random.default_rng(1).normal(size=(3000, 8)).astype(np.float32), adopted=False)
    told = shelf.health(sample=50)
    assert told["sampled_rows"][0] == 50
    assert "about 3000" in told["sampled_rows"][2]
    assert told["intrinsic_dimension"][0] == pytest.approx(8, rel=0.5)
    assert shelf.health(sample=50) == told


def test_dead_rows_and_changes_are_counted(database_dsn: str, normal_vectors: NDArray[Any]) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        shelf = fill_shelf(connection, normal_vectors)
        connection.execute("SELECT pgsim.create_index('book', 'model')")
        connection.execute("SELECT pg_stat_force_next_flush()")
        connection.execute("VACUUM ANALYZE book")
        assert shelf.health()["changed_since_build"][0] == 0
        connection.execute("UPDATE book SET embedding = embedding + embedding WHERE id <= 200")
        connection.execute("SELECT pg_stat_force_next_flush()")
        told = shelf.health()
        assert told["dead_rows"][:2] == (pytest.approx(200 / 500), "warning")
        assert told["changed_since_build"][:2] == (pytest.approx(200 / 300), "note")
        connection.execute("VACUUM book")
        connection.execute("SELECT pg_stat_force_next_flush()")
        assert shelf.health()["dead_rows"][:2] == (0, "ok")


def test_vectors_stored_after_the_index_was_made_are_counted(database_dsn: str, normal_vectors: NDArray[Any]) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        shelf = fill_shelf(connection, normal_vectors, adopted=False)
        connection.execute("SELECT pgsim.create_index('book', 'model')")
        assert shelf.health()["changed_since_build"][:2] == (0, "ok")
        keys = [str(i + 1) for i in range(180)]
        connection.execute("SELECT pgsim.upsert('book', 'model', %s, %s)", [keys, vectors_text(-normal_vectors[:180])])
        assert shelf.health()["changed_since_build"][:2] == (pytest.approx(180 / 300), "note")


@pytest.mark.parametrize("adopted", [True, False], ids=["adopted column", "version table"])
def test_a_partitioned_table_is_measured_as_one(make_shelf: MakeShelf, *, adopted: bool) -> None:
    vectors = np.random.default_rng(1).normal(size=(200, 16)).astype(np.float32)
    shelf = make_shelf(
        vectors,
        adopted=adopted,
        table="id int PRIMARY KEY, tenant text, embedding {}) PARTITION BY HASH (id",
        partitions=b"CREATE TABLE book_0 PARTITION OF book FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        b"CREATE TABLE book_1 PARTITION OF book FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    )
    shelf.connection.execute("SELECT pgsim.create_index('book', 'model'); ANALYZE")
    told = shelf.health()
    assert (told["sampled_rows"][0], told["missing_vectors"][0], told["index_rows"][0]) == (200, 0, 1)
    assert told["intrinsic_dimension"][0] == pytest.approx(
        intrinsic_dimension(vectors.astype(np.float64), "cosine"), rel=1e-3
    )
    assert told["recall_ef_200"][0] == 1


def test_pgvector_may_be_in_any_schema(empty_dsn: str, built_sql: Path) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute('CREATE SCHEMA "Ext Schema"; CREATE EXTENSION vector SCHEMA "Ext Schema"')
        install.install(connection, root=built_sql)
        connection.execute(
            'CREATE TABLE book (id int PRIMARY KEY, embedding "Ext Schema".halfvec(2));'
            'INSERT INTO book SELECT i, ARRAY[sin(i), cos(i)]::"Ext Schema".halfvec FROM generate_series(1, 60) AS i;'
            "SELECT pgsim.create_collection('book'), pgsim.create_model('model', 2, element => 'halfvec');"
            "SELECT pgsim.create_version('book', 'model', column_name => 'embedding');"
            "SELECT pgsim.create_index('book', 'model')"
        )
        told: dict[str, Any] = dict(connection.execute("SELECT measure, value FROM pgsim.health('book')").fetchall())
        assert (told["sampled_rows"], told["recall_ef_40"]) == (60, pytest.approx(1, abs=0.05))
        assert told["intrinsic_dimension"] == pytest.approx(1, rel=0.3)
        assert connection.execute("SELECT mean_recall FROM pgsim.recall('book', mode => 'exact')").fetchall() == [
            (1.0,)
        ]


def test_settings_are_as_they_were_after_it(shelf: Shelf) -> None:
    shelf.connection.execute("SELECT pgsim.create_index('book', 'model')")
    names = ["search_path", "hnsw.ef_search", "hnsw.iterative_scan", "enable_seqscan", "enable_sort"]
    shelf.connection.execute("SET LOCAL hnsw.ef_search = 77; SET LOCAL hnsw.iterative_scan = strict_order")
    before = [shelf.connection.execute("SELECT current_setting(%s)", [name]).fetchall() for name in names]
    shelf.health()
    assert [shelf.connection.execute("SELECT current_setting(%s)", [name]).fetchall() for name in names] == before


@pytest.mark.parametrize(
    ("arguments", "sqlstate"),
    [
        ({"sample": 0}, "PS010"),
        ({"sample": 5001}, "PS010"),
        ({"sample": None}, "PS010"),
        ({"model": "other"}, "PS002"),
        ({"embedding": "title"}, "PS003"),
    ],
)
def test_bad_arguments_are_refused(shelf: Shelf, arguments: dict[str, object], sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        shelf.health(**arguments)
    assert raised.value.sqlstate == sqlstate
    assert raised.value.diag.message_hint


def test_who_may_not_read_a_table_may_not_measure_it(shelf: Shelf) -> None:
    shelf.connection.execute("CREATE ROLE a_reader; SET LOCAL ROLE a_reader")
    with pytest.raises(psycopg.Error) as raised:
        shelf.health()
    assert raised.value.sqlstate == "PS032"


@pytest.mark.parametrize("adopted", [True, False], ids=["adopted column", "version table"])
def test_row_level_security_hides_rows_from_it(make_shelf: MakeShelf, *, adopted: bool) -> None:
    shelf = make_shelf(adopted=adopted)
    shelf.connection.execute("SELECT pgsim.create_index('book', 'model')")
    shelf.connection.execute(AS_A_TENANT)
    told = shelf.health()
    assert told["sampled_rows"][0] == 60
    own = shelf.vectors[4::5].astype(np.float64)
    assert told["intrinsic_dimension"][0] == pytest.approx(intrinsic_dimension(own, "cosine"), rel=1e-3)
    assert told["recall_ef_200"][0] is None
    assert "row-level security" in told["recall_ef_200"][2]


def test_names_may_hold_anything(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        """
        CREATE TABLE "100%s of 'it' $1" ("the ""key"" %I" text PRIMARY KEY, "v %2$s" vector(2));
        INSERT INTO "100%s of 'it' $1"
            SELECT '{"%s"}' || i, ARRAY[sin(i), cos(i)]::vector FROM generate_series(1, 60) AS i;
        SELECT pgsim.create_collection('"100%s of ''it'' $1"', 'odd %s'), pgsim.create_model('it''s %s', 2);
        SELECT pgsim.create_version('odd %s', 'it''s %s', column_name => 'v %2$s');
        SELECT pgsim.create_index('odd %s', 'it''s %s')
        """
    )
    told: dict[str, Any] = dict(connection.execute("SELECT measure, value FROM pgsim.health('odd %s')").fetchall())
    assert (told["sampled_rows"], told["vector_indexes"]) == (60, 1)
    assert told["recall_ef_200"] == pytest.approx(1, abs=0.05)
    assert connection.execute("SELECT searches FROM pgsim.recall('odd %s')").fetchall() == [(60,)]
