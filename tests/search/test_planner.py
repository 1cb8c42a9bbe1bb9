"""How a search is answered is decided by what each way costs at the recall asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgsim.vectors import vector_text, vectors_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.server import Server
    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]

ROWS, DIM, CLUSTERS = 3000, 64, 60


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    """``(ROWS, DIM)``: clusters, as embeddings have them."""
    return drawn(ROWS, seed=3)


def drawn(number: int, seed: int) -> NDArray[np.float32]:
    """Vectors ``(number, DIM)`` around the centres of ``CLUSTERS`` clusters."""
    centres = np.random.default_rng(0).normal(size=(CLUSTERS, DIM))
    random = np.random.default_rng(seed)
    noise = random.normal(size=(number, DIM)) * random.uniform(0.3, 0.9, size=(number, 1))
    return (centres[random.integers(CLUSTERS, size=number)] + noise).astype(np.float32)


@pytest.fixture(scope="module")
def library_database(server: Server, template: str, vectors: NDArray[np.float32]) -> Iterator[str]:
    """What each test gets a copy of: in a shared one, rows that were rolled back would swell the table."""
    with server.database("library", template) as name:
        with psycopg.connect(server.dsn(name)) as connection:
            connection.execute(
                f"CREATE TABLE book (id int PRIMARY KEY, shelf int, lent bool, title text, e vector({DIM}))".encode()
            )
            connection.execute(
                "INSERT INTO book SELECT o, mod(o, 20), mod(o, 2) = 0, 'book ' || o, v "
                "FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o)",
                [vectors_text(vectors)],
            )
            connection.execute("CREATE INDEX ON book (shelf); ANALYZE book")
            connection.execute("SELECT pgsim.create_collection('book', filter_columns => '{shelf,lent}')")
            connection.execute("SELECT pgsim.create_model('m', %s)", [DIM])
            connection.execute("SELECT pgsim.create_version('book', 'm', column_name => 'e')")
            connection.execute("SELECT pgsim.create_index('book', 'm')")
        yield name


@pytest.fixture
def library(server: Server, library_database: str) -> Iterator[Connection]:
    """3,000 books on 20 shelves, every other one lent, with codes and an HNSW index."""
    with server.database("planned", library_database) as name, server.rolled_back(name) as connection:
        yield connection


def explain(connection: Connection, query: NDArray[Any], **arguments: object) -> dict[str, Any]:
    values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in arguments.items()}
    named = "".join(f", {name} => %({name})s" for name in values)
    rows = connection.execute(
        f"SELECT pgsim.explain_search('book', query => %(query)s{named})".encode(),
        values | {"query": vector_text(np.asarray(query, np.float32))},
    ).fetchall()
    told: dict[str, Any] = rows[0][0]
    return told


def cost(connection: Connection, **seconds: float) -> None:
    """Have the planner believe that rows cost so much."""
    connection.execute(
        "INSERT INTO pgsim._calibration (version_id, rows, queries) "
        "SELECT id, 3000, 0 FROM pgsim.versions ON CONFLICT DO NOTHING"
    )
    for name, value in seconds.items():
        connection.execute(f"UPDATE pgsim._calibration SET {name} = %s".encode(), [value])


def test_the_cheapest_way_is_taken_and_the_reason_names_the_costs(
    library: Connection, vectors: NDArray[np.float32]
) -> None:
    cost(library, scan_row=0, exact_row=1e-5, code_row=1e-7, keep_row=1e-7, ann_start=3e-4, ann_candidate=2e-6)
    few = explain(library, vectors[0], filter={"id": {"$lt": 20}})
    some = explain(library, vectors[0], filter={"shelf": {"$lt": 4}})
    many = explain(library, vectors[0])
    assert [told["strategy"] for told in (few, some, many)] == ["exact", "codes", "ann"]
    assert set(many["costs"]) == {"exact", "codes", "ann"}
    assert many["costs"]["ann"] < many["costs"]["codes"] < many["costs"]["exact"]
    assert "milliseconds expected" in many["reason"]


def test_explain_tells_what_was_read_and_how_long_each_stage_took(
    library: Connection, vectors: NDArray[np.float32]
) -> None:
    told = explain(library, vectors[0], filter={"shelf": 3}, mode="codes")
    assert told["matches"] == 150
    assert told["estimated_matches"] == pytest.approx(150, rel=0.5)
    assert told["complete"] is True
    assert told["index"] == ["book_m_1_codes_shelf_idx", "book_pkey"] or "book_pkey" in told["index"]
    assert told["tuples"] >= 150
    stage = told["stages"][0]
    assert stage["strategy"] == "codes"
    assert stage["seconds"] > 0
    assert told["seconds"]["plan"] > 0
    assert explain(library, vectors[0], mode="ann")["ef"] >= 40


def test_recall_1_is_exact(library: Connection, vectors: NDArray[np.float32]) -> None:
    assert explain(library, vectors[0], recall=1)["strategy"] == "exact"


def test_a_higher_recall_looks_further(library: Connection, vectors: NDArray[np.float32]) -> None:
    efs = [int(explain(library, vectors[0], mode="ann", recall=recall)["ef"]) for recall in (0.9, 0.95, 0.99, 0.999)]
    assert efs == sorted(efs)
    assert efs[0] < efs[-1]
    margins = [
        explain(library, vectors[0], mode="codes", recall=recall)["stages"][0]["margin"] for recall in (0.9, 0.95, 0.99)
    ]
    assert margins == sorted(margins)
    assert margins[0] < margins[-1]


def test_recall_asked_is_recall_got(library: Connection, vectors: NDArray[np.float32]) -> None:
    library.execute("SELECT pgsim.calibrate('book', sample => 40)")
    queries = drawn(60, seed=9)
    similarities = queries @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T
    similarities[:, np.arange(1, ROWS + 1) % 2 == 1] = -np.inf
    kth = np.sort(similarities, axis=1)[:, -10]
    for mode in ("auto", "codes", "ann"):
        for recall in (0.9, 0.99):
            found = library.execute(
                "SELECT query, key FROM pgsim.search_batch('book', %s::vector[], filter => '{\"lent\": true}', "
                "recall => %s, mode => %s)",
                [vectors_text(queries), recall, mode],
            ).fetchall()
            right = sum(similarities[query - 1, int(key) - 1] >= kth[query - 1] - 1e-5 for query, key in found)
            # of 600 neighbours, within three standard errors
            assert right / 600 >= recall - 3 * (recall * (1 - recall) / 600) ** 0.5, (mode, recall)


def test_estimates_that_are_far_too_low_are_noticed(library: Connection, vectors: NDArray[np.float32]) -> None:
    cost(library, scan_row=0, exact_row=1e-5, code_row=1e-8, keep_row=1e-6, ann_start=1)
    condition = "(shelf + 0) >= 0 AND (shelf * 2) >= 0 AND (shelf + 1) >= 0 AND (shelf + 3) >= 0 AND shelf % 1 = 0"
    told = explain(library, vectors[0], where_sql=condition, where_columns=["shelf"])
    assert told["matches"] == ROWS
    assert told["estimated_matches"] < ROWS / 100
    assert told["fallbacks"] == ["more than 1000 rows match, where 1 were expected"]
    assert told["strategy"] == "codes"
    assert told["rows"] == 10


def test_statistics_of_another_time_end_in_an_answer(library: Connection, vectors: NDArray[np.float32]) -> None:
    library.execute("SET LOCAL statement_timeout = '20s'")
    library.execute("DELETE FROM book WHERE id > 300; ANALYZE book")
    library.execute("INSERT INTO book SELECT id + 10000 * i, 99, true, title, e FROM book, generate_series(1, 20) AS i")
    told = explain(library, vectors[0], filter={"shelf": 99})
    assert (told["matches"], told["rows"], told["complete"]) == (6000, 10, True)
    assert told["estimated_matches"] < 100
    assert told["fallbacks"][0].startswith("more than 1000 rows match")


def test_explain_tells_what_search_does(library: Connection, vectors: NDArray[np.float32]) -> None:
    cost(library, scan_row=0, exact_row=1e-3, code_row=1e-9, keep_row=1e-9)
    for filter in ({"shelf": 3}, {"shelf": {"$lt": 15}}, {"shelf": {"$in": [3, 4]}, "lent": True}):
        told = explain(library, vectors[0], filter=filter)
        done = library.execute(
            "SELECT details ->> 'strategy' FROM pgsim.search('book', %s, filter => %s::jsonb) LIMIT 1",
            [vector_text(vectors[0]), json.dumps(filter)],
        ).fetchall()
        assert done == [(told["strategy"],)]


def test_estimates_that_are_far_too_high_are_noticed(library: Connection, vectors: NDArray[np.float32]) -> None:
    cost(library, exact_row=1e-3, code_row=1e-3, ann_candidate=1e-7, ann_start=0)
    told = explain(library, vectors[0], where_sql="(id + 0) <> 1 AND NOT (id + 0) > 12", recall=0.99)
    assert told["matches"] == 11
    assert told["estimated_matches"] > 11 * 50
    assert "(sampled)" in told["reason"]
    assert told["strategy"] == "exact"
    assert told["rows"] == 10


def test_calibration_is_stored_and_says_when_it_is_stale(library: Connection, vectors: NDArray[np.float32]) -> None:
    assert explain(library, vectors[0])["calibration"].startswith("none")
    summary = library.execute("SELECT pgsim.calibrate('book', sample => 30)").fetchall()[0][0]
    assert summary["queries"] == 30
    assert len(summary["margins"]) == len(summary["recall_levels"])
    assert explain(library, vectors[0])["calibration"].startswith("of ")
    library.execute("DELETE FROM book WHERE id > 1000; ANALYZE book")
    assert explain(library, vectors[0])["calibration"].startswith("stale")


def test_calibration_takes_the_queries_of_your_users(library: Connection) -> None:
    queries = vectors_text(drawn(12, seed=1))
    summary = library.execute("SELECT pgsim.calibrate('book', queries => %s::vector[])", [queries]).fetchall()[0][0]
    assert summary["queries"] == 12


@pytest.mark.parametrize(
    ("arguments", "sqlstate"),
    [
        ("'book', sample => 5", "PS035"),
        ("'book', sample => 0", "PS010"),
        ("'book', queries => ARRAY['[1,2]'::vector]", "PS012"),
        ("'books'", "PS001"),
        ("'book', model => 'other'", "PS002"),
    ],
)
def test_calibration_needs_rows_and_vectors_of_the_model(library: Connection, arguments: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        library.execute(f"SELECT pgsim.calibrate({arguments})".encode())
    assert raised.value.sqlstate == sqlstate
    assert raised.value.diag.message_hint


def test_a_covering_partial_index_is_preferred(library: Connection, vectors: NDArray[np.float32]) -> None:
    cost(library, exact_row=1e-4, code_row=1e-4, ann_candidate=1e-7, ann_start=0)
    library.execute("""SELECT pgsim.create_index('book', 'm', where_filter => '{"lent": true}')""")
    library.execute("ANALYZE book")
    told = explain(library, vectors[0], filter={"lent": True, "shelf": {"$gt": 1}})
    assert told["strategy"] == "partial"
    assert told["index"] == ["book_e_hnsw_2"]
    assert explain(library, vectors[0], filter={"shelf": {"$gt": 1}})["strategy"] != "partial"


def test_a_covering_partition_is_preferred(connection: Connection, vectors: NDArray[np.float32]) -> None:
    connection.execute(
        f"CREATE TABLE book (id int, tenant text, e vector({DIM}), PRIMARY KEY (tenant, id)) "
        "PARTITION BY LIST (tenant);"
        "CREATE TABLE book_a PARTITION OF book FOR VALUES IN ('a');"
        "CREATE TABLE book_b PARTITION OF book FOR VALUES IN ('b')"
    )
    connection.execute(
        "INSERT INTO book SELECT o, CASE WHEN mod(o, 2) = 0 THEN 'a' ELSE 'b' END, v "
        "FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o)",
        [vectors_text(vectors)],
    )
    connection.execute("SELECT pgsim.create_collection('book'); SELECT pgsim.create_model('m', 64)")
    connection.execute(
        "SELECT pgsim.create_version('book', 'm', column_name => 'e'); SELECT pgsim.create_index('book', 'm')"
    )
    connection.execute("ANALYZE book")
    cost(connection, exact_row=1e-3, ann_candidate=1e-7, ann_start=0)
    told = explain(connection, vectors[1], filter={"tenant": "a"})
    assert told["strategy"] == "partition"
    assert len(told["index"]) == 1
    assert told["matches"] == ROWS // 2
    assert explain(connection, vectors[1])["strategy"] == "ann"


def test_a_query_that_lies_farther_than_typical_is_looked_for_further(
    library: Connection, vectors: NDArray[np.float32]
) -> None:
    cost(
        library,
        exact_row=1,
        code_row=1,
        ann_start=0,
        ann_candidate=1e-6,
        ef_far=8,
        ef_typical=[0.3, 0.32, 0.34, 0.36, 0.4],
    )
    near = explain(library, vectors[0], k=1)
    far = explain(library, -vectors[0])
    assert [stage["strategy"] for stage in near["stages"]] == ["ann"]
    assert [stage["strategy"] for stage in far["stages"]] == ["ann", "ann"]
    assert far["stages"][1]["ef"] > far["stages"][0]["ef"]
    assert "beyond 0.3" in far["stages"][0]["farther"]


def test_where_looking_further_costs_more_than_codes_they_answer(
    library: Connection, vectors: NDArray[np.float32]
) -> None:
    cost(library, exact_row=1, code_row=3e-7, keep_row=1e-7, ann_start=0, ann_candidate=3e-6)
    cost(library, ef_far=50, ef_typical=[0.3, 0.32, 0.34, 0.36, 0.4])
    assert [stage["strategy"] for stage in explain(library, vectors[0], k=1)["stages"]] == ["ann"]
    assert [stage["strategy"] for stage in explain(library, -vectors[0])["stages"]] == ["ann", "codes"]
    assert [stage["strategy"] for stage in explain(library, -vectors[0], mode="ann")["stages"]] == ["ann", "ann"]


def test_calibration_learns_that_far_queries_are_harder_to_find(connection: Connection) -> None:
    """An index that misses by a known law is measured; the law comes back."""
    depths, law = (10, 20, 50, 100, 200), {"level": -4.0, "growth": 12.0, "slope": 1.2}
    random = np.random.default_rng(0)
    measured = [
        {
            "depth": depth,
            "ef": ef,
            "seconds": 1e-3 + 1e-5 * ef,
            "distance": distance + 0.02 * place,
            "asked": True,
            "recall": 1 - min(1, random.poisson(missed * depth) / depth),
        }
        for distance in random.uniform(0.2, 0.6, size=200)
        for place, depth in enumerate(depths)
        for ef in (40, 80, 160, 320, 640, 1000)
        for missed in [np.exp(law["level"] + law["growth"] * distance - law["slope"] * np.log(ef))]
        if depth <= ef
    ]
    fitted = connection.execute(
        "SELECT ef_slope, ef_far, ef_typical, ann_start, ann_candidate, queries FROM pgsim._fit_index(%s::jsonb[])",
        [[json.dumps(each) for each in measured]],
    ).fetchall()[0]
    assert fitted[0] == pytest.approx(law["slope"], abs=0.15)
    assert fitted[1] == pytest.approx(law["growth"] / law["slope"], rel=0.15)
    # The nearer six tenths are answered at the first look.
    assert fitted[2] == pytest.approx([0.44, 0.46, 0.48, 0.5, 0.52], abs=0.05)
    assert fitted[3:] == pytest.approx((1e-3, 1e-5, 200), rel=0.01)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(recall=st.floats(0.5, 1), more=st.floats(0, 0.5), depth=st.floats(1, 1e5), deeper=st.floats(1, 100))
def test_more_recall_and_more_depth_never_need_less(
    connection: Connection, recall: float, more: float, depth: float, deeper: float
) -> None:
    efs = connection.execute(
        "SELECT pgsim._expected_ef(c, %(r)s, %(d)s), pgsim._expected_ef(c, least(1, %(r)s + %(m)s), %(d)s), "
        "pgsim._expected_ef(c, %(r)s, %(d)s * %(f)s) "
        "FROM pgsim._calibrated(jsonb_populate_record(NULL::pgsim._target, '{\"dim\": 384}')) AS c",
        {"r": recall, "m": more, "d": depth, "f": deeper},
    ).fetchall()[0]
    assert efs[0] <= efs[1]
    assert efs[0] <= efs[2]
