"""A funnel finds candidates by a prefix or by bits and ranks them by the whole vectors, with all a search promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matryoshka.books import DIM, ROWS, Shelf, drawn

from pgsim.vectors import vectors_text

if TYPE_CHECKING:
    Connection = psycopg.Connection[tuple[Any, ...]]

LENT = np.arange(1, ROWS + 1) % 2 == 0
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def found(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row[:4] for row in rows]


@few
@given(seed=st.integers(0, 10**6), k=st.integers(1, 40), filtered=st.booleans())
def test_a_funnel_that_keeps_every_row_is_exact(shelf: Shelf, seed: int, k: int, filtered: bool) -> None:
    query = drawn(1, seed)[0]
    filter = {"filter": {"shelf": {"$lt": 7}}} if filtered else {}
    exact = found(shelf.search(query, k=k, mode="exact", **filter))
    for dims in ([16, DIM], [16, 30, DIM]):
        told = shelf.search(query, k=k, mode="ann", dims=dims, oversample=1000, **filter)
        assert {row[4]["strategy"] for row in told} == {"funnel"}
        if len(dims) == 2:
            assert found(told) == exact


@few
@given(seed=st.integers(0, 10**6), k=st.integers(1, 60), limit=st.integers(1, 20), oversample=st.integers(1, 4))
def test_k_rows_come_whenever_k_match(shelf: Shelf, seed: int, k: int, limit: int, oversample: int) -> None:
    rows = shelf.search(
        drawn(1, seed)[0], k=k, mode="ann", dims=[16, DIM], oversample=oversample, filter={"shelf": {"$lt": limit}}
    )
    assert len(rows) == k
    assert all(int(row[0]) % 20 < limit for row in rows)
    assert [row[2] for row in rows] == sorted(row[2] for row in rows)


def test_the_prefix_of_full_length_is_the_whole_vector(shelf: Shelf) -> None:
    query = drawn(1, 5)[0]
    assert found(shelf.search(query, dims=[DIM])) == found(shelf.search(query, mode="exact"))


def test_the_cheapest_of_all_ways_is_taken_and_explained(shelf: Shelf) -> None:
    shelf.index()
    query = drawn(1, 5)[0]
    shelf.cost(exact_row=1e-3, ann_candidate=1e-3)
    told = shelf.explain(query)
    assert told["strategy"] == "funnel"
    assert set(told["costs"]) == {"exact", "ann", "funnel"}
    assert told["costs"]["funnel"] < told["costs"]["ann"] < told["costs"]["exact"]
    assert told["rungs"]["dims"][-1] == DIM
    assert told["rungs"]["keep"][0] > told["rungs"]["keep"][-1] == 10
    assert f"of {DIM} as" in told["reason"]
    assert told["dims"] == told["rungs"]["dims"]
    assert shelf.search(query)[0][4]["strategy"] == "funnel"
    shelf.cost(ann_candidate=1e-8, keep_row=1e-8)
    assert shelf.explain(query)["strategy"] == "ann"
    assert shelf.explain(query, filter={"id": {"$lt": 30}})["strategy"] == "exact"
    assert shelf.explain(query, recall=1)["strategy"] == "exact"


def test_a_higher_recall_keeps_more_candidates(shelf: Shelf) -> None:
    kept = [
        shelf.explain(drawn(1, 5)[0], mode="ann", dims=[16, DIM], recall=recall)["rungs"]["keep"][0]
        for recall in (0.8, 0.9, 0.95, 0.98)
    ]
    assert kept == sorted(set(kept))


@pytest.mark.slow
def test_recall_asked_is_recall_got(shelf: Shelf) -> None:
    """Calibrated or not, filtered or not, chosen by hand or by the planner."""
    queries = drawn(40, seed=9)
    for calibrated in (False, True):
        if calibrated:
            shelf.connection.execute("SELECT pgsim.calibrate('book', sample => 60)")
        shelf.cost(exact_row=1, scan_row=1)
        for recall in (0.9, 0.97):
            # of 400 neighbours, within three standard errors
            least = recall - 3 * (recall * (1 - recall) / 400) ** 0.5
            assert shelf.recall(queries, recall=recall) >= least, (calibrated, recall)
            assert shelf.recall(queries, recall=recall, dims=[16, DIM]) >= least, (calibrated, recall)
            assert shelf.recall(queries, LENT, recall=recall, filter={"lent": True}) >= least, (calibrated, recall)


def test_calibration_tells_what_a_funnel_finds_and_warns_of_short_prefixes(shelf: Shelf) -> None:
    shelf.index(dims=2)
    summary = shelf.connection.execute("SELECT pgsim.calibrate('book', sample => 24)").fetchall()[0][0]
    reached = {(f["dims"], f["element"]): f["reached"] for f in summary["funnels"] if f["share"] == 1}
    assert set(reached) == {(2, "vector"), (16, "halfvec"), (64, "bit")}
    assert reached[(2, "vector")] < reached[(16, "halfvec")]
    assert [warning.split(" as ")[0] for warning in summary["warnings"]][:1] == ["the first 2 of 64 dimensions"]


def test_a_prefix_measured_to_tell_too_little_is_refused_unless_forced(shelf: Shelf) -> None:
    shelf.index(dims=2)
    query = drawn(1, 5)[0]
    assert len(shelf.search(query, dims=[2, DIM])) == 10
    shelf.cost()
    shelf.connection.execute(
        "UPDATE pgsim._calibration SET funnels = ARRAY["
        "ROW(2, 'vector', 1, '{1,1,1,1,1}', 1, 0, NULL, NULL, 1e-4, 1e-6, 1e-6, 0.4)::pgsim._funnel]"
    )
    with pytest.raises(psycopg.Error, match=r"first 2 of 64 .* hold 40.0%") as raised, shelf.connection.transaction():
        shelf.search(query, dims=[2, DIM])
    assert raised.value.sqlstate == "PS050"
    assert "mode => 'ann'" in str(raised.value.diag.message_hint)
    assert len(shelf.search(query, dims=[2, DIM], mode="ann")) == 10
    assert shelf.explain(query)["rungs"] is None or shelf.explain(query)["rungs"]["dims"] != [2, DIM]


def test_a_query_whose_prefix_is_zero_is_answered_exactly(shelf: Shelf) -> None:
    shelf.cost(exact_row=1e-2, ann_candidate=1e-2)
    shelf.connection.execute("DELETE FROM pgsim._index WHERE element = 'bit'")
    query = np.zeros(DIM)
    query[40] = 1
    rows = shelf.search(query)
    assert found(rows) == found(shelf.search(query, mode="exact"))
    assert "all zeros" in rows[0][4]["fallbacks"][0]


def test_a_query_beyond_half_precision_is_answered_exactly(shelf: Shelf) -> None:
    query = drawn(1, 5)[0] * 1e6
    rows = shelf.search(query, mode="ann", dims=[16, DIM])
    assert found(rows) == found(shelf.search(query, mode="exact"))
    assert "half precision" in rows[0][4]["fallbacks"][0]


def test_a_covering_partial_index_serves_a_funnel(shelf: Shelf) -> None:
    partial = shelf.index(dims=16, where_filter={"lent": True})
    shelf.connection.execute("DELETE FROM pgsim._index WHERE where_filter IS NULL; ANALYZE book")
    shelf.cost(exact_row=1e-3)
    told = shelf.explain(drawn(1, 5)[0], recall=0.8, filter={"lent": True, "shelf": {"$gt": 2}})
    assert (told["strategy"], told["index"]) == ("funnel", [partial]), told["costs"]
    assert shelf.explain(drawn(1, 5)[0], filter={"shelf": {"$gt": 2}})["strategy"] == "exact"
    assert shelf.recall(drawn(20, 9), LENT, recall=0.8, filter={"lent": True}) > 0.8


def test_pages_groups_and_distances_are_as_of_any_search(shelf: Shelf) -> None:
    query = drawn(1, 5)[0]
    exact = shelf.search(query, k=20, mode="exact")
    funnel: dict[str, object] = {"mode": "ann", "dims": [16, DIM], "oversample": 1000}
    place = {"distance": exact[9][2], "key": exact[9][0], "rank": 10}
    assert found(shelf.search(query, after=place, **funnel)) == found(exact[10:])
    nearer = shelf.search(query, k=20, max_distance=exact[4][2], **funnel)
    assert found(nearer) == found(exact[:5])
    groups = [int(row[0]) % 20 for row in shelf.search(query, distinct_on="shelf", **funnel)]
    assert len(set(groups)) == 10
    even = shelf.search(query, where_sql="id % 2 = 0", **funnel)
    assert found(even) == found(shelf.search(query, where_sql="id % 2 = 0", mode="exact"))


def test_rows_at_one_distance_come_in_the_order_of_their_keys(shelf: Shelf) -> None:
    shelf.connection.execute("UPDATE book SET e = (SELECT e FROM book WHERE id = 7) WHERE id IN (3, 900, 12)")
    rows = shelf.search(shelf.vectors[6], k=4, mode="ann", dims=[16, DIM])
    assert [row[0] for row in rows] == ["3", "7", "12", "900"]


@pytest.mark.parametrize("adopted", [True, False], ids=["adopted column", "version table"])
@pytest.mark.parametrize("stored", ["vector", "halfvec"])
@pytest.mark.parametrize("metric", ["cosine", "l2", "ip", "l1"])
def test_funnels_serve_every_metric_and_element(
    connection: Connection, metric: str, stored: str, *, adopted: bool
) -> None:
    vectors = drawn(300, 1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    connection.execute(f"CREATE TABLE book (id int PRIMARY KEY, e {stored}({DIM}))".encode())
    connection.execute("INSERT INTO book (id) SELECT generate_series(1, 300)")
    connection.execute("SELECT pgsim.create_collection('book')")
    connection.execute("SELECT pgsim.create_model('m', %s, %s, %s, '{16}')", [DIM, metric, stored])
    connection.execute("SELECT pgsim.create_version('book', 'm', column_name => %s)", ["e" if adopted else None])
    connection.execute(
        "SELECT pgsim.upsert('book', 'm', %s, %s)", [[str(i) for i in range(1, 301)], vectors_text(vectors)]
    )
    shelf = Shelf(connection, vectors)
    connection.execute("SET LOCAL enable_seqscan = off")
    for element in ("vector", "halfvec", "bit"):
        name = shelf.index(dims=16, element=element)
        told = shelf.explain(vectors[5], mode="ann", dims=[16, DIM], recall=0.9)
        assert told["index"] == [name.removeprefix("pgsim_data.")]
        assert told["rungs"]["elements"] == [element, stored]
        rows = shelf.search(vectors[5], k=5, mode="ann", dims=[16, DIM], oversample=100)
        assert found(rows) == found(shelf.search(vectors[5], k=5, mode="exact"))
        connection.execute("SELECT pgsim.drop_index(%s::regclass)", [name])


def test_a_model_wider_than_any_index_is_searched_by_a_prefix_or_bits(connection: Connection) -> None:
    random = np.random.default_rng(0)
    vectors = (drawn(200, 1) @ random.normal(size=(DIM, 4096))).astype(np.float32)
    connection.execute("CREATE TABLE book (id int PRIMARY KEY, e vector(4096))")
    connection.execute(
        "INSERT INTO book SELECT o, v FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o)", [vectors_text(vectors)]
    )
    connection.execute("SELECT pgsim.create_collection('book'), pgsim.create_model('m', 4096)")
    connection.execute("SELECT pgsim.create_version('book', 'm', column_name => 'e')")
    shelf = Shelf(connection, vectors)
    for arguments in ({}, {"element": "halfvec"}):
        with pytest.raises(psycopg.Error, match="not 4096") as raised, connection.transaction():
            shelf.index(**arguments)
        assert raised.value.sqlstate == "PS010"
        assert "element => 'bit'" in str(raised.value.diag.message_hint)
        assert "dims => " in str(raised.value.diag.message_hint)
    connection.execute("SET LOCAL enable_seqscan = off")
    exact = found(shelf.search(vectors[3], mode="exact"))
    name = shelf.index(dims=128, element="halfvec")
    told = shelf.explain(vectors[3], mode="ann", dims=[128, 4096], oversample=20)
    assert told["index"] == [name]
    assert found(shelf.search(vectors[3], mode="ann", dims=[128, 4096], oversample=20)) == exact
    bits = shelf.index(element="bit")
    shelf.cost(exact_row=1, scan_row=1)
    assert set(shelf.explain(vectors[3])["index"]) <= {name, bits}
    assert shelf.recall(vectors[:20] + np.roll(vectors[:20], 1, axis=0) / 2) >= 0.9


@pytest.mark.parametrize(
    ("declared", "dims", "said"),
    [
        ("{4,16}", [8, 64], "has 64 dimensions and the prefixes {4,16}"),
        ("{4,16}", [65], "has 64 dimensions and the prefixes {4,16}"),
        (None, [8, 64], "declares no prefixes, and no index of 'book' is on one of this length"),
        (None, [0, 64], "dims holds 0; model 'm' has 64 dimensions"),
        (None, [16, 65], "dims holds 65; model 'm' has 64 dimensions"),
    ],
)
def test_lengths_beside_the_ladder_are_refused(
    connection: Connection, declared: str | None, dims: list[int], said: str
) -> None:
    connection.execute("CREATE TABLE book (id int PRIMARY KEY, e vector(64))")
    connection.execute("SELECT pgsim.create_collection('book')")
    connection.execute("SELECT pgsim.create_model('m', 64, matryoshka => %s)", [declared])
    connection.execute("SELECT pgsim.create_version('book', 'm', column_name => 'e')")
    shelf = Shelf(connection, drawn(1, 1))
    with pytest.raises(psycopg.Error) as raised, connection.transaction():
        shelf.search(shelf.vectors[0], dims=dims)
    assert raised.value.sqlstate == "PS010"
    assert said in str(raised.value)
    if declared or dims[0] == 0 or dims[-1] > DIM:
        with pytest.raises(psycopg.Error, match="dims is"), connection.transaction():
            shelf.index(dims=dims[-1] if dims[-1] != DIM else dims[0])


def test_whoever_is_bound_by_policies_is_answered_within_them(shelf: Shelf) -> None:
    shelf.cost(exact_row=1e-3, ann_candidate=1e-3)
    shelf.connection.execute(
        "ALTER TABLE book ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON book USING (shelf = 3);"
        "CREATE ROLE reader_of_prefixes; GRANT SELECT ON book TO reader_of_prefixes; SET LOCAL ROLE reader_of_prefixes"
    )
    for arguments in ({"dims": [16, DIM]}, {"dims": [16, DIM], "mode": "ann"}, {}):
        rows = shelf.search(drawn(1, 5)[0], k=200, **arguments)
        assert len(rows) == ROWS // 20
        assert {int(row[0]) % 20 for row in rows} == {3}


def test_names_are_names_whatever_they_hold(connection: Connection) -> None:
    connection.execute(
        'CREATE TABLE "100% ""of\'them" ("k%s" int PRIMARY KEY, "v%1$I""" vector(8), "s%" vector(8));'
        'INSERT INTO "100% ""of\'them" SELECT i, v, v FROM generate_series(1, 40) AS i '
        "CROSS JOIN LATERAL (SELECT ARRAY(SELECT sin(i * j) FROM generate_series(1, 8) AS j)::vector AS v) AS v;"
        "SELECT pgsim.create_collection('\"100% \"\"of''them\"', name => 'book'), pgsim.create_model('m', 8),"
        "       pgsim.create_model('s%', 8, layer => 1, properties => '{\"layer_of\": \"m\"}');"
        "SELECT pgsim.create_version('book', 'm', column_name => 'v%1$I\"'),"
        "       pgsim.create_version('book', 's%', column_name => 's%');"
        "SELECT pgsim.create_index('book', 'm'), pgsim.create_index('book', 'm', dims => 4, element => 'bit'),"
        "       pgsim.create_index('book', 's%', dims => 4), pgsim.calibrate('book')"
    )
    query = "[1,2,3,4,5,6,7,8]"
    exact = connection.execute("SELECT key FROM pgsim.search('book', %s, mode => 'exact')", [query]).fetchall()
    funnel = "SELECT key FROM pgsim.search('book', %s, mode => 'ann', dims => '{4,8}', oversample => 10)"
    assert connection.execute(funnel.encode(), [query]).fetchall() == exact
    layers = "SELECT key FROM pgsim.search_layers('book', %(q)s, %(q)s, 's%%')"
    assert connection.execute(layers.encode(), {"q": query}).fetchall() == exact


@pytest.mark.parametrize("metric", ["ip", "l2", "l1"])
def test_a_funnel_by_hand_from_a_prefix_of_zeros_is_answered_exactly(connection: Connection, metric: str) -> None:
    connection.execute("CREATE TABLE leaf (id int PRIMARY KEY, e vector(8))")
    connection.execute(
        "INSERT INTO leaf SELECT o, v FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o)",
        [vectors_text(np.random.default_rng(4).normal(size=(400, 8)))],
    )
    connection.execute("SELECT pgsim.create_collection('leaf'), pgsim.create_model('m', 8, metric => %s)", [metric])
    connection.execute("SELECT pgsim.create_version('leaf', 'm', column_name => 'e')")
    connection.execute("SELECT pgsim.create_index('leaf', 'm', dims => 3, element => 'halfvec')")
    answers = [
        connection.execute(
            "SELECT key, distance, details -> 'fallbacks' FROM "
            "pgsim.search('leaf', '[0,0,0,1,0,2,0,0]', mode => %s, dims => %s, oversample => %s)",
            how,
        ).fetchall()
        for how in (("exact", None, None), ("ann", [3, 8], 2), ("auto", [3, 8], 2))
    ]
    assert [row[:2] for row in answers[0]] == [row[:2] for row in answers[1]] == [row[:2] for row in answers[2]]
    assert answers[1][0][2] == ["the first 3 dimensions of the query are all zeros: they have no direction"]
