"""A shallow layer's vectors find candidates, the whole model's rank them; of what is no layer it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from matryoshka.books import DIM, drawn

import pgsim
from pgsim.maps import Map
from pgsim.vectors import vector_text, vectors_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]

ROWS, SHALLOW = 600, 32


@dataclass(frozen=True)
class Layered:
    """``deep``: ``(ROWS, DIM)``; ``shallow``: ``(ROWS, SHALLOW)``, a space of its own in which near is near too."""

    connection: Connection
    deep: NDArray[np.float32]
    shallow: NDArray[np.float32]

    def search(self, row: int, *, turned: int = 0, **arguments: object) -> list[tuple[Any, ...]]:
        values = {"query": self.deep[row], "shallow_query": np.roll(self.shallow[row], turned)}
        given = {name: vector_text(vector) for name, vector in values.items()} | arguments
        named = "".join(f", {name} => %({name})s" for name in given)
        return self.connection.execute(
            f"SELECT * FROM pgsim.search_layers('book', shallow_model => 'm4'{named})".encode(), given
        ).fetchall()

    def explain(self, row: int, **arguments: object) -> dict[str, Any]:
        values = {"query": self.deep[row], "shallow_query": self.shallow[row]}
        given = {name: vector_text(vector) for name, vector in values.items()} | arguments
        named = "".join(f", {name} => %({name})s" for name in given)
        told: dict[str, Any] = self.connection.execute(
            f"SELECT pgsim.explain_layers('book', shallow_model => 'm4'{named})".encode(), given
        ).fetchall()[0][0]
        return told

    def exact(self, row: int, **arguments: object) -> list[tuple[Any, ...]]:
        given = {"query": vector_text(self.deep[row]), **arguments}
        named = "".join(f", {name} => %({name})s" for name in given)
        return self.connection.execute(
            f"SELECT * FROM pgsim.search('book', mode => 'exact'{named})".encode(), given
        ).fetchall()


def found(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row[:4] for row in rows]


@pytest.fixture
def make(connection: Connection) -> Callable[..., Layered]:
    def made(*, deep_adopted: bool = True, shallow_adopted: bool = False) -> Layered:
        deep = drawn(ROWS, 1)
        turn = np.random.default_rng(5).normal(size=(DIM, SHALLOW)) * np.exp(-np.arange(SHALLOW) / 8)
        shallow = (deep @ turn).astype(np.float32)
        connection.execute(f"CREATE TABLE book (id int PRIMARY KEY, e vector({DIM}), s vector({SHALLOW}))".encode())
        connection.execute("INSERT INTO book (id) SELECT generate_series(1, %s)", [ROWS])
        connection.execute("SELECT pgsim.create_collection('book'), pgsim.create_model('m', %s)", [DIM])
        connection.execute(
            "SELECT pgsim.create_model('m4', %s, layer => 4, matryoshka => '{8,16}', "
            'properties => \'{"layer_of": "m"}\')',
            [SHALLOW],
        )
        for model, column, adopted, vectors in (("m", "e", deep_adopted, deep), ("m4", "s", shallow_adopted, shallow)):
            name = column if adopted else None
            connection.execute("SELECT pgsim.create_version('book', %s, column_name => %s)", [model, name])
            keys = [str(i) for i in range(1, ROWS + 1)]
            connection.execute("SELECT pgsim.upsert('book', %s, %s, %s)", [model, keys, vectors_text(vectors)])
        connection.execute("SELECT pgsim.create_index('book', 'm4', dims => 16, element => 'halfvec'); ANALYZE book")
        # No row may be so cheap that all are ranked.
        connection.execute(
            "INSERT INTO pgsim._calibration (version_id, rows, queries, exact_row) "
            "SELECT id, %s, 0, 1 FROM pgsim.versions",
            [ROWS],
        )
        connection.execute("SELECT pgsim.create_index('book', 'm'); SET LOCAL enable_seqscan = off")
        return Layered(connection, deep, shallow)

    return made


@pytest.mark.parametrize("deep_adopted", [True, False], ids=["deep adopted", "deep own"])
@pytest.mark.parametrize("shallow_adopted", [True, False], ids=["shallow adopted", "shallow own"])
def test_candidates_of_a_shallow_layer_are_ranked_by_the_whole_model(
    make: Callable[..., Layered], *, deep_adopted: bool, shallow_adopted: bool
) -> None:
    book = make(deep_adopted=deep_adopted, shallow_adopted=shallow_adopted)
    for row in (3, 77):
        rows = book.search(row, oversample=60)
        assert found(rows) == found(book.exact(row))
        assert rows[0][4]["strategy"] == "funnel"
        assert rows[0][4]["dims"] == [16, DIM]
        assert rows[0][4]["shallow_model"] == "m4"
    few = {str(row[0]) for row in book.search(3, oversample=1, shallow_dims=8)}
    unit = book.shallow[:, :8] / np.linalg.norm(book.shallow[:, :8], axis=1, keepdims=True)
    nearest = np.argsort(-(unit @ unit[3]))[:10] + 1
    assert few == {str(key) for key in nearest}


@pytest.mark.parametrize("shallow_adopted", [True, False], ids=["shallow adopted", "shallow own"])
def test_a_filter_holds_and_k_rows_come(make: Callable[..., Layered], *, shallow_adopted: bool) -> None:
    book = make(shallow_adopted=shallow_adopted)
    filter = '{"id": {"$lt": 500}, "$not": {"id": {"$in": [1, 4, 9]}}}'
    assert found(book.search(3, oversample=60, filter=filter)) == found(book.exact(3, filter=filter))
    # Rows without a shallow vector are found when there are not enough others.
    ((table,),) = book.connection.execute("SELECT relation::text FROM pgsim.versions WHERE model = 'm4'").fetchall()
    without = "UPDATE book SET s = NULL WHERE id > 5" if shallow_adopted else f"DELETE FROM {table} WHERE key > 5"
    book.connection.execute(without.encode())
    assert found(book.search(3)) == found(book.exact(3))


def test_a_shallow_query_is_compared_with_shallow_vectors_alone(make: Callable[..., Layered]) -> None:
    book = make()
    assert found(book.search(3, turned=7, oversample=1)) != found(book.exact(3))
    with pytest.raises(psycopg.Error, match="shallow_query has 64 dimensions") as raised, book.connection.transaction():
        book.search(3, shallow_query=vector_text(book.deep[3]))
    assert raised.value.sqlstate == "PS012"


def test_what_is_no_layer_of_the_model_is_refused(make: Callable[..., Layered]) -> None:
    book = make()
    book.connection.execute("SELECT pgsim.create_model('other', 3); SELECT pgsim.create_version('book', 'other')")
    for shallow_model, model in (("other", "m"), ("m", "m"), ("m", "m4")):
        with (
            pytest.raises(psycopg.Error, match="is not registered as a layer") as raised,
            book.connection.transaction(),
        ):
            book.connection.execute(
                "SELECT * FROM pgsim.search_layers('book', %s, '[1,2,3]', %s, model => %s)",
                [vector_text(book.deep[3]), shallow_model, model],
            )
        assert raised.value.sqlstate == "PS051"
    for wrong in ({"shallow_dims": 9}, {"oversample": 0}, {"k": None}, {"k": 10001}):
        with pytest.raises(psycopg.Error) as raised, book.connection.transaction():
            book.search(3, **wrong)
        assert raised.value.sqlstate == "PS010"


def measure(book: Layered, **arguments: object) -> dict[int, float]:
    """Recall by the number of candidates."""
    named = "".join(f", {name} => %({name})s" for name in arguments)
    rows = book.connection.execute(f"SELECT * FROM pgsim.measure_layers('book', 'm4'{named})".encode(), arguments)
    return {kept: recall for _, kept, recall, _ in rows.fetchall()}


def test_a_recall_is_asked_for_once_it_was_measured(make: Callable[..., Layered]) -> None:
    book = make()
    with pytest.raises(psycopg.Error, match="was not measured") as raised, book.connection.transaction():
        book.search(3, recall=0.9)
    assert raised.value.sqlstate == "PS051"
    measured = measure(book, searches=25)
    assert list(measured) == [20, 50, 100, 200, 500, 1000]
    assert sorted(measured.values()) == list(measured.values())
    assert measured[20] < 0.9 < measured[500]
    enough = next(kept for kept, recall in measured.items() if recall >= 0.9)
    told = book.explain(3, recall=0.9)
    assert told["rungs"]["keep"] == [enough, 10]
    shares = [
        len({row[0] for row in book.search(i, recall=0.9)} & {row[0] for row in book.exact(i)}) for i in range(30)
    ]
    assert np.mean(shares) >= 8.6
    # A shallow prefix that does not find so much is left alone.
    book.connection.execute("UPDATE pgsim._layer SET recalls = array_fill(.5::float8, '{6}')")
    assert "shallow_model" not in book.explain(3, recall=0.9)
    assert found(book.search(3, recall=0.9)) == found(book.exact(3))
    with pytest.raises(psycopg.Error) as raised, book.connection.transaction():
        book.search(3, recall=0.9, oversample=3)
    assert raised.value.sqlstate == "PS010"


def test_without_a_shallow_query_a_measured_map_makes_one(make: Callable[..., Layered]) -> None:
    book = make()

    def refused(**arguments: object) -> bool:
        with pytest.raises(psycopg.Error, match="was not measured") as raised, book.connection.transaction():
            book.search(3, shallow_query=None, **arguments)
        return raised.value.sqlstate == "PS051"

    assert refused()
    matrix = vectors_text(np.linalg.lstsq(book.deep, book.shallow)[0].T.astype(np.float32))
    book.connection.execute("SELECT pgsim.create_map('down', 'm', 'm4', matrix => %s, normalized => false)", [matrix])
    # There is a map, but nobody has looked what it is worth.
    assert refused()
    measured = measure(book, searches=10, map="down")
    # This one is exact, so it finds what the shallow model's own queries find.
    assert measured == pytest.approx(measure(book, searches=10), abs=0.02)
    rows = book.search(3, shallow_query=None)
    assert rows[0][4]["map"] == "down"
    assert found(rows) == found(book.search(3))
    assert book.explain(3, shallow_query=None, recall=0.7)["map"] == "down"
    # Of another length it was not measured.
    assert refused(shallow_dims=8)
    book.connection.execute("SELECT pgsim.drop_map('down')")
    assert refused()


def test_models_that_are_no_layers_are_compared_through_a_measured_map_alone(make: Callable[..., Layered]) -> None:
    book = make()
    book.connection.execute("UPDATE pgsim._model SET properties = '{}'")
    for arguments in ({}, {"shallow_query": None}):
        with pytest.raises(psycopg.Error, match="no map between them was measured"), book.connection.transaction():
            book.search(3, **arguments)
    with pytest.raises(psycopg.Error, match="no map is named") as raised, book.connection.transaction():
        measure(book)
    assert raised.value.sqlstate == "PS051"
    matrix = vectors_text(np.linalg.lstsq(book.deep, book.shallow)[0].T.astype(np.float32))
    book.connection.execute("SELECT pgsim.create_map('down', 'm', 'm4', matrix => %s, normalized => false)", [matrix])
    book.connection.execute("SELECT pgsim.create_model('m5', 32)")
    book.connection.execute("SELECT pgsim.create_map('aside', 'm', 'm5', matrix => %s)", [matrix])
    with pytest.raises(psycopg.Error, match="does not lead from model 'm' to 'm4'"), book.connection.transaction():
        measure(book, map="aside")
    measure(book, searches=3, map="down")
    assert found(book.search(3, oversample=60)) == found(book.exact(3))
    assert found(book.search(3, oversample=60, shallow_query=None)) == found(book.exact(3))


def test_who_may_not_change_the_registry_measures_nothing(make: Callable[..., Layered]) -> None:
    book = make()
    book.connection.execute("CREATE ROLE reader_of_books; GRANT SELECT ON book TO reader_of_books")
    book.connection.execute("SELECT pgsim.sync_privileges('book'); SET LOCAL ROLE reader_of_books")
    with pytest.raises(psycopg.Error) as raised, book.connection.transaction():
        measure(book)
    assert raised.value.sqlstate == "PS032"
    assert len(book.search(3)) == 10


def test_policies_of_the_table_hold(make: Callable[..., Layered]) -> None:
    book = make(deep_adopted=False)
    book.connection.execute(
        "ALTER TABLE book ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON book USING (id % 3 = 0);"
        "CREATE ROLE reader_of_layers; GRANT SELECT ON book TO reader_of_layers; SELECT pgsim.sync_privileges('book');"
        "SET LOCAL ROLE reader_of_layers"
    )
    rows = book.search(3, k=150)
    assert len(rows) == 150
    assert all(int(row[0]) % 3 == 0 for row in rows)


def test_python_calls_it_by_the_same_names(make: Callable[..., Layered]) -> None:
    book = make()
    database = pgsim.Database(book.connection)
    hits = database.search_layers("book", book.deep[3], book.shallow[3], "m4", oversample=60)
    assert [(hit.key, hit.rank) for hit in hits] == [(row[0], row[3]) for row in book.exact(3)]
    measured = database.measure_layers("book", "m4", searches=4)
    assert {(each.dims, each.queries) for each in measured} == {(16, 4)}
    told = database.explain_layers("book", book.deep[3], book.shallow[3], "m4", recall=0.5)
    assert told["shallow_model"] == "m4"


def test_queries_of_derived_models_are_given_in_the_space_of_their_base(make: Callable[..., Layered]) -> None:
    book = make()
    database = pgsim.Database(book.connection)
    for model, dim, properties in (("m", DIM, {}), ("m4", SHALLOW, {"layer_of": "m turned"})):
        turn = np.linalg.qr(np.random.default_rng(dim).normal(size=(dim, dim)))[0].astype(np.float32)
        database.create_map(model, model, Map("rotation", turn))
        database.derive_model(f"{model} turned", model, properties=properties)
        database.create_version("book", f"{model} turned")
        database.fill_version("book", f"{model} turned", size=ROWS)
    book.connection.execute("SELECT pgsim.create_index('book', 'm turned'); ANALYZE book")
    book.connection.execute(
        "INSERT INTO pgsim._calibration (version_id, rows, queries, exact_row) "
        "SELECT id, %s, 0, 1 FROM pgsim.versions ON CONFLICT (version_id) DO UPDATE SET exact_row = 1",
        [ROWS],
    )
    hits = database.search_layers(
        "book", book.deep[3], book.shallow[3], "m4 turned", model="m turned", shallow_dims=SHALLOW, oversample=60
    )
    assert hits[0].details["strategy"] == "funnel"
    assert [hit.key for hit in hits] == [row[0] for row in book.exact(3)]
    few = database.search_layers(
        "book", book.deep[3], book.shallow[3], "m4 turned", model="m turned", shallow_dims=SHALLOW, oversample=1
    )
    unit = book.shallow / np.linalg.norm(book.shallow, axis=1, keepdims=True)
    assert {int(hit.key) - 1 for hit in few} == set(np.argsort(-(unit @ unit[3]))[:10].tolist())
