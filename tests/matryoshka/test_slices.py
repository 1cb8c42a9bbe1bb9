"""Slices: named ranges of a vector's dimensions, each with an index and a weight of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest

from pgsim import Database, errors
from pgsim.vectors import vector_text, vectors_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.server import Server
    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]

ROWS, TITLE = 1200, 12


@pytest.fixture(scope="module")
def poems() -> NDArray[np.float32]:
    """Vectors ``(ROWS, 32)``: the first 12 numbers are the title's, the others the body's."""
    return np.random.default_rng(11).normal(size=(ROWS, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def anthology_database(server: Server, template: str, poems: NDArray[np.float32]) -> Iterator[str]:
    with server.database("slices", template) as name:
        with psycopg.connect(server.dsn(name)) as connection:
            connection.execute("CREATE TABLE poem (id int PRIMARY KEY, year int)")
            connection.execute("INSERT INTO poem SELECT i, mod(i, 50) FROM generate_series(1, %s) AS i", [ROWS])
            connection.execute("SELECT pgsim.create_collection('poem')")
            Database(connection).create_model("parts", 32, slices={"title": range(1, TITLE + 1), "body %s": "[13,33)"})
            connection.execute("SELECT pgsim.create_version('poem', 'parts')")
            connection.execute(
                "SELECT pgsim.upsert('poem', 'parts', %s::text[], %s::vector[])",
                [list(map(str, range(1, ROWS + 1))), vectors_text(poems)],
            )
            connection.execute("SELECT pgsim.create_index('poem', 'parts')")
            connection.execute("""SELECT pgsim.create_index('poem', 'parts', options => '{"slice": "title"}')""")
            connection.execute(
                "SELECT pgsim.create_index('poem', 'parts', element => 'halfvec', options => %s)",
                ['{"slice": "body %s", "m": 8}'],
            )
        with psycopg.connect(server.dsn(name), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE poem")
        yield name


@pytest.fixture
def anthology(server: Server, anthology_database: str) -> Iterator[Connection]:
    with psycopg.connect(server.dsn(anthology_database)) as connection:
        yield connection
        connection.rollback()


def nearest(rows: NDArray[np.float32], query: NDArray[np.float32], k: int) -> list[str]:
    cosine = rows @ query / np.linalg.norm(rows, axis=1)
    return [str(place + 1) for place in np.argsort(-cosine)[:k]]


def test_a_slice_is_searched_by_itself(anthology: Connection, poems: NDArray[np.float32]) -> None:
    database = Database(anthology)
    asked = poems[7] + 0.3 * poems[8]
    title = {"query": asked[:TITLE].tolist(), "slice": "title"}
    found = database.search("poem", legs={"title": title}, mode="exact")
    assert [each.key for each in found] == nearest(poems[:, :TITLE], asked[:TITLE], 10)
    # A whole vector will do: its slice is taken.
    whole = database.search("poem", legs={"title": {"query": asked.tolist(), "slice": "title"}}, mode="exact")
    assert [each.key for each in whole] == [each.key for each in found]
    body = database.search("poem", legs={"body": {"query": asked.tolist(), "slice": "body %s"}}, recall=1)
    assert [each.key for each in body] == nearest(poems[:, TITLE:], asked[TITLE:], 10)


@pytest.mark.parametrize("name", ["title", "body %s"])
def test_the_index_of_a_slice_answers_for_it_and_for_nothing_else(
    anthology: Connection, poems: NDArray[np.float32], name: str
) -> None:
    database = Database(anthology)
    asked = poems[99]
    told = database.explain_search("poem", legs={"part": {"query": asked.tolist(), "slice": name}}, mode="ann")
    stage = told["legs"]["part"]["details"]["stages"][0]
    assert told["legs"]["part"]["slice"] == name
    assert (stage["strategy"], len(stage["index"])) == ("ann", 1)
    assert name[:5] in stage["index"][0]
    whole = database.explain_search("poem", asked, mode="ann")
    assert not any(part in whole["index"][0] for part in ("title", "body"))
    hits = [
        len(
            {
                each.key
                for each in database.search("poem", legs={"part": {"query": q.tolist(), "slice": name}}, mode="ann")
            }
            & set(nearest(part(poems, name), part(q[None], name)[0], 10))
        )
        for q in poems[:20] + 0.1
    ]
    assert np.mean(hits) >= 9


def part(vectors: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    return vectors[:, :TITLE] if name == "title" else vectors[:, TITLE:]


def test_slices_of_the_query_are_weighed(anthology: Connection, poems: NDArray[np.float32]) -> None:
    database = Database(anthology)
    asked = np.concatenate([poems[3][:TITLE], poems[4][TITLE:]])
    legs = {"title": {"slice": "title"}, "body": {"slice": "body %s"}}
    for weights, first in (({"dense": 0, "title": 9, "body": 1}, "4"), ({"dense": 0, "title": 1, "body": 9}, "5")):
        assert database.search("poem", asked, legs=legs, weights=weights)[0].key == first


def test_who_is_bound_by_row_level_security_finds_k_rows_of_his_own(
    anthology: Connection, poems: NDArray[np.float32]
) -> None:
    anthology.execute(
        "ALTER TABLE poem ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON poem USING (id % 40 = 0);"
        "CREATE ROLE reader_of_slices; GRANT SELECT ON poem TO reader_of_slices; SELECT pgsim.sync_privileges('poem')"
    )
    asked = poems[39] + 0.2
    mine = np.arange(39, ROWS, 40)
    anthology.execute("SET LOCAL ROLE reader_of_slices")
    database = Database(anthology)
    for mode in ("auto", "ann", "exact"):
        for name in ("title", "body %s"):
            legs = {"part": {"query": asked.tolist(), "slice": name}}
            found = database.search("poem", legs=legs, mode=mode, k=12)
            near = nearest(part(poems[mine], name), part(asked[None], name)[0], 12)
            assert [each.key for each in found] == [str(mine[int(key) - 1] + 1) for key in near]
        both = {"title": {"slice": "title"}, "body": {"slice": "body %s"}}
        fused = database.search("poem", asked, legs=both, weights={"dense": 0, "title": 1, "body": 2}, mode=mode, k=12)
        assert len(fused) == 12
        assert all(int(each.key) % 40 == 0 for each in fused)


def test_a_filter_holds_for_a_slice(anthology: Connection, poems: NDArray[np.float32]) -> None:
    asked = {"title": {"query": poems[3].tolist(), "slice": "title"}}
    found = Database(anthology).search("poem", legs=asked, filter={"year": 7}, k=24, mode="ann")
    assert len(found) == ROWS // 50
    assert {int(each.key) % 50 for each in found} == {7}


def test_the_slice_from_end_to_end_equals_the_whole(connection: Connection) -> None:
    rows = np.random.default_rng(2).normal(size=(60, 8)).astype(np.float32)
    connection.execute("CREATE TABLE poem (id int PRIMARY KEY, e halfvec(8))")
    connection.execute("SELECT pgsim.create_collection('poem')")
    connection.execute(
        "SELECT pgsim.create_model('half', 8, metric => 'ip', element => 'halfvec', slices => '{\"all\": [1,8]}')"
    )
    connection.execute("SELECT pgsim.create_version('poem', 'half', column_name => 'e')")
    for key, row in enumerate(rows):
        connection.execute("INSERT INTO poem VALUES (%s, %s::vector)", [key, vector_text(row)])
    database = Database(connection)
    whole = [(each.key, each.distance) for each in database.search("poem", rows[0], mode="exact")]
    sliced = database.search("poem", legs={"all": {"query": rows[0].tolist(), "slice": "all"}}, mode="exact")
    assert [(each.key, each.distance) for each in sliced] == whole


@pytest.mark.parametrize(
    "slices",
    [
        "[]",
        '{"a": "[0,3)"}',
        '{"a": "[1,10)"}',
        '{"a": "[3,3)"}',
        '{"a": "(,3)"}',
        '{"a": "three"}',
        '{"a": null}',
        '{"a": {"b": 1}}',
        '{"": "[1,3)"}',
    ],
)
def test_a_slice_that_the_vector_does_not_have_is_refused(connection: Connection, slices: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        connection.execute("SELECT pgsim.create_model('m', 8, slices => %s)", [slices])
    assert refused.value.sqlstate in {"PS010", "PS011"}


@pytest.mark.parametrize(
    ("leg", "error"),
    [
        ({"slice": "nobody's"}, errors.InvalidArgument),
        ({"slice": 3}, errors.InvalidArgument),
        ({"slice": "title", "dims": [4, 12]}, errors.InvalidArgument),
        ({"slice": "title", "query": [1, 2, 3]}, errors.DimensionMismatch),
        ({"slice": "title", "query": [0] * TITLE}, errors.InvalidVector),
        ({"slice": "title", "mode": "codes"}, errors.InvalidArgument),
    ],
)
def test_bad_slices_of_a_search_are_refused(
    anthology: Connection, poems: NDArray[np.float32], leg: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Database(anthology).search("poem", poems[0], legs={"part": leg}, mode="ann")
    with pytest.raises(errors.InvalidArgument, match="slice"):
        Database(anthology).search("poem", legs={"part": {"slice": "title"}})


def test_the_index_of_a_slice_is_on_all_of_it(anthology: Connection) -> None:
    database = Database(anthology)
    for arguments in ({"dims": 8}, {"element": "bit"}):
        with anthology.transaction(force_rollback=True), pytest.raises(errors.InvalidArgument, match="slice"):
            database.create_index("poem", "parts", options={"slice": "title"}, **arguments)  # type: ignore[arg-type]
    with anthology.transaction(force_rollback=True), pytest.raises(errors.InvalidArgument, match="no slice"):
        database.create_index("poem", "parts", options={"slice": "verse"})
