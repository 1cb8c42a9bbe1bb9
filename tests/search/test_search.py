"""What pgsim.search promises, compared with brute force in numpy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from psycopg import sql

from pgsim.vectors import vector_text, vectors_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Connection = psycopg.Connection[tuple[Any, ...]]

ROWS, DIM = 400, 8
DISTANCES: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]] = {
    "cosine": lambda rows, q: 1 - rows @ q / np.linalg.norm(rows, axis=1) / np.linalg.norm(q),
    "l2": lambda rows, q: np.linalg.norm(rows - q, axis=1),
    "ip": lambda rows, q: -(rows @ q),
    "l1": lambda rows, q: np.abs(rows - q).sum(axis=1),
}


@dataclass
class Items:
    """A table of ``ROWS`` items with vectors ``(ROWS, DIM)``, and its collection ``item``."""

    connection: Connection
    vectors: NDArray[np.float32]

    def search(self, query: NDArray[Any] | list[float], **arguments: object) -> list[tuple[Any, ...]]:
        """Rows of (key, score, distance, rank, details)."""
        return self.connection.execute(*_call("search", query, arguments)).fetchall()

    def explain(self, query: NDArray[Any], **arguments: object) -> dict[str, Any]:
        """What explain_search says."""
        rows = self.connection.execute(*_call("explain_search", query, arguments)).fetchall()
        told: dict[str, Any] = rows[0][0]
        return told


def _call(function: str, query: NDArray[Any] | list[float], arguments: dict[str, object]) -> Any:
    values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in arguments.items()} | {
        "query": vector_text(np.asarray(query, np.float32))
    }
    named = sql.SQL(", ").join(sql.SQL(f"{name} => %({name})s") for name in values)  # type: ignore[arg-type]
    text = sql.SQL("SELECT * FROM pgsim.{}(collection => 'item', {})").format(sql.Identifier(function), named)
    return text, values


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    return np.random.default_rng(7).normal(size=(ROWS, DIM)).astype(np.float32)


@pytest.fixture
def make_items(connection: Connection, vectors: NDArray[np.float32]) -> Callable[..., Items]:
    def make(*, adopted: bool = True, metric: str = "cosine", element: str = "vector", **model: object) -> Items:
        vector_type = f"{element}({DIM})"
        connection.execute(f"CREATE TABLE item (id int PRIMARY KEY, colour text, size int, embedding {vector_type})")
        connection.execute(
            "INSERT INTO item SELECT i, CASE WHEN mod(i, 20) = 0 THEN 'red' ELSE 'blue' END, i "
            "FROM generate_series(1, %s) AS i",
            [ROWS],
        )
        connection.execute("SELECT pgsim.create_collection('item')")
        connection.execute(
            "SELECT pgsim.create_model('model', dim => %s, metric => %s, element => %s, matryoshka => %s)",
            [DIM, metric, element, model.get("matryoshka")],
        )
        connection.execute(
            "SELECT pgsim.create_version('item', 'model', column_name => %s)", ["embedding" if adopted else None]
        )
        connection.execute(
            "SELECT pgsim.upsert('item', 'model', %s, %s)", [[str(i + 1) for i in range(ROWS)], vectors_text(vectors)]
        )
        connection.execute("ANALYZE item")
        return Items(connection, vectors)

    return make


@pytest.fixture
def items(make_items: Callable[..., Items]) -> Items:
    return make_items()


@pytest.mark.parametrize("adopted", [True, False], ids=["adopted column", "version table"])
@pytest.mark.parametrize("element", ["vector", "halfvec"])
@pytest.mark.parametrize("metric", DISTANCES)
def test_exact_search_is_brute_force(
    make_items: Callable[..., Items], metric: str, element: str, *, adopted: bool
) -> None:
    items = make_items(adopted=adopted, metric=metric, element=element)
    stored = items.vectors.astype(np.float16 if element == "halfvec" else np.float32).astype(np.float64)
    for query in np.random.default_rng(1).normal(size=(5, DIM)).astype(np.float32):
        given = query.astype(np.float16).astype(np.float64) if element == "halfvec" else query.astype(np.float64)
        distances = DISTANCES[metric](stored, given)
        for filter, mask in ((None, np.full(ROWS, True)), ({"colour": "red"}, np.arange(1, ROWS + 1) % 20 == 0)):
            expected = np.argsort(np.where(mask, distances, np.inf), kind="stable")[:10]
            found = items.search(query, filter=filter, mode="exact")
            assert [int(row[0]) - 1 for row in found] == list(expected)
            assert [row[2] for row in found] == pytest.approx(list(distances[expected]), abs=1e-3)
            assert [row[3] for row in found] == list(range(1, 11))
            assert [row[1] for row in found] == sorted((row[1] for row in found), reverse=True)


def test_the_score_is_what_the_metric_calls_similar(make_items: Callable[..., Items]) -> None:
    items = make_items(metric="ip")
    key, score, distance, *_ = items.search(items.vectors[3], k=1)[0]
    assert score == pytest.approx(float(items.vectors[int(key) - 1] @ items.vectors[3]), rel=1e-5)
    assert distance == pytest.approx(-score)


def test_rows_at_one_distance_come_in_the_order_of_their_keys(items: Items) -> None:
    same = vector_text(items.vectors[0])
    items.connection.execute("UPDATE item SET embedding = %s::vector WHERE id IN (11, 2, 300, 25)", [same])
    assert [row[0] for row in items.search(items.vectors[0], k=5, mode="exact")] == ["1", "2", "11", "25", "300"]
    items.connection.execute("SELECT pgsim.create_index('item', 'model')")
    assert [row[0] for row in items.search(items.vectors[0], k=5, mode="ann")] == ["1", "2", "11", "25", "300"]


@pytest.mark.parametrize("mode", ["exact", "ann", "auto"])
def test_fewer_rows_than_k_come_back_only_when_fewer_match(items: Items, mode: str) -> None:
    items.connection.execute("SELECT pgsim.create_index('item', 'model')")
    assert len(items.search(items.vectors[0], k=50, filter={"colour": "red"}, mode=mode)) == 20
    assert len(items.search(items.vectors[0], k=10, filter={"size": {"$lte": 3}}, mode=mode)) == 3
    assert items.search(items.vectors[0], filter={"colour": "green"}, mode=mode) == []


def test_exact_answers_when_the_index_gives_too_few(items: Items) -> None:
    connection = items.connection
    connection.execute("SELECT pgsim.create_index('item', 'model', method => 'ivfflat', options => '{\"lists\": 50}')")
    # The index gives up after ten of its fifty lists, as HNSW does after so many tuples of a large table.
    connection.execute("SET LOCAL ivfflat.max_probes = 1")
    connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    found = items.search(items.vectors[0], k=20, filter={"colour": "red"}, mode="ann")
    assert len(found) == 20
    assert found[0][4]["strategy"] == "exact"
    assert "the index gave" in found[0][4]["fallbacks"][0]


@pytest.mark.parametrize("method", ["hnsw", "ivfflat"])
@pytest.mark.parametrize("element", ["vector", "halfvec"])
@pytest.mark.parametrize("adopted", [True, False], ids=["adopted column", "version table"])
def test_an_index_is_used_and_finds_what_exact_search_finds(
    make_items: Callable[..., Items], method: str, element: str, *, adopted: bool
) -> None:
    items = make_items(adopted=adopted)
    index = items.connection.execute(
        "SELECT pgsim.create_index('item', 'model', method => %s, element => %s)::text", [method, element]
    ).fetchall()[0][0]
    items.connection.execute("SET LOCAL enable_seqscan = off")
    told = items.explain(items.vectors[5], mode="ann")
    assert told["index"] == [index.split(".")[-1]]
    exact = [row[0] for row in items.search(items.vectors[5], mode="exact")]
    assert [row[0] for row in items.search(items.vectors[5], mode="ann")] == exact


def test_auto_ranks_few_rows_exactly_and_leaves_many_to_the_index(connection: Connection) -> None:
    connection.execute("CREATE TABLE item (id int PRIMARY KEY, size int, embedding vector(2))")
    connection.execute("INSERT INTO item SELECT i, i, ARRAY[sin(i), cos(i)]::vector FROM generate_series(1, 6000) AS i")
    connection.execute("SELECT pgsim.create_collection('item'); SELECT pgsim.create_model('model', 2)")
    connection.execute("SELECT pgsim.create_version('item', 'model', column_name => 'embedding')")
    connection.execute("SELECT pgsim.create_index('item', 'model'); ANALYZE item")
    items = Items(connection, np.empty((0, 2), np.float32))
    everything = items.explain(np.array([1.0, 0.0]))
    assert (everything["strategy"], everything["matches"]) == ("ann", 6000)
    few = items.explain(np.array([1.0, 0.0]), filter={"size": {"$lt": 100}})
    assert (few["strategy"], few["matches"]) == ("exact", 99)
    assert few["estimated_matches"] == pytest.approx(99, rel=0.5)


@pytest.mark.parametrize("mode", ["exact", "ann"])
def test_rows_without_a_vector_or_direction_are_not_found(items: Items, mode: str) -> None:
    items.connection.execute("UPDATE item SET embedding = NULL WHERE id = 1")
    items.connection.execute("UPDATE item SET embedding = '[0,0,0,0,0,0,0,0]' WHERE id = 2")
    items.connection.execute("SELECT pgsim.create_index('item', 'model')")
    keys = [row[0] for row in items.search(items.vectors[0], k=1000, mode=mode)]
    assert len(keys) == ROWS - 2
    assert not {"1", "2"} & set(keys)


def test_settings_are_as_they_were_after_a_search(items: Items) -> None:
    connection = items.connection
    connection.execute("SELECT pgsim.create_index('item', 'model')")
    names = ["hnsw.ef_search", "hnsw.iterative_scan", "ivfflat.probes", "jit", "search_path", "ivfflat.iterative_scan"]
    connection.execute("SET LOCAL hnsw.ef_search = 77; SET LOCAL jit = on")
    before = [connection.execute("SELECT current_setting(%s)", [name]).fetchall() for name in names]
    items.search(items.vectors[0], mode="ann", where_sql="size > ($1->>'n')::int", where_values={"n": 3})
    with pytest.raises(psycopg.Error), connection.transaction():
        items.search(items.vectors[0], mode="ann", where_sql="size / 0 > 1")
    assert [connection.execute("SELECT current_setting(%s)", [name]).fetchall() for name in names] == before


def test_a_condition_in_sql_sees_the_table_and_the_callers_search_path(items: Items) -> None:
    connection = items.connection
    connection.execute("CREATE SCHEMA own; CREATE FUNCTION own.big(int) RETURNS bool LANGUAGE sql RETURN $1 > 390")
    connection.execute("SET LOCAL search_path = own, public")
    for condition in ("big(size)", "item.size > 390", "public.item.size > 390 -- a remark"):
        found = items.search(items.vectors[0], k=100, where_sql=condition)
        assert {int(row[0]) for row in found} == set(range(391, 401))
    both = items.search(
        items.vectors[0], k=100, where_sql="size > ($1->>'n')::int", where_values={"n": 390}, filter={"colour": "red"}
    )
    assert {row[0] for row in both} == {"400"}


def test_a_condition_is_one_expression_and_no_more_statements(items: Items) -> None:
    for mode in ("auto", "exact", "ann"):
        with pytest.raises(psycopg.Error), items.connection.transaction():
            items.search(items.vectors[0], mode=mode, where_sql="true); DROP TABLE item; SELECT (1")
    assert items.connection.execute("SELECT count(*) FROM item").fetchall() == [(ROWS,)]


@pytest.mark.parametrize("metric", DISTANCES)
def test_a_prefix_is_an_embedding_by_itself(make_items: Callable[..., Items], metric: str) -> None:
    items = make_items(metric=metric, matryoshka=[2, 4])
    short = items.vectors[:, :4].astype(np.float64)
    query = items.vectors[9, :4].astype(np.float64)
    if metric != "cosine":
        short = short / np.linalg.norm(short, axis=1, keepdims=True)
        query = query / np.linalg.norm(query)
    distances = DISTANCES[metric](short, query)
    found = items.search(items.vectors[9], dims=[4])
    assert [row[2] for row in found] == pytest.approx(sorted(distances)[:10], abs=1e-5)
    items.connection.execute("SELECT pgsim.create_index('item', 'model', dims => 4)")
    items.connection.execute("SET LOCAL enable_seqscan = off")
    assert items.explain(items.vectors[9], dims=[4], mode="ann")["index"] == ["item_embedding_hnsw_4"]
    assert [row[0] for row in items.search(items.vectors[9], dims=[4], mode="ann")] == [row[0] for row in found]


def test_a_funnel_that_keeps_every_row_is_exact(make_items: Callable[..., Items]) -> None:
    items = make_items(matryoshka=[2, 4])
    exact = items.search(items.vectors[9], mode="exact")
    for dims in ([2, 8], [4, 8], [2, 4, 8]):
        funnel = items.search(items.vectors[9], dims=dims, oversample=ROWS)
        if len(dims) == 2:
            assert [row[:4] for row in funnel] == [row[:4] for row in exact]
        assert funnel[0][0] == "10"
    assert items.search(items.vectors[9], dims=[8])[0][2] == exact[0][2]


def test_composite_keys_are_json_objects_and_find_their_rows_again(connection: Connection) -> None:
    connection.execute(
        'CREATE TABLE "Shop Items" (shop text, "No" int, embedding vector(2), PRIMARY KEY (shop, "No"));'
        "INSERT INTO \"Shop Items\" VALUES ('a\"b', 1, '[1,0]'), ('é', 2, '[0,1]')"
    )
    connection.execute(
        "SELECT pgsim.create_collection('\"Shop Items\"', name => 'item'); SELECT pgsim.create_model('model', 2)"
    )
    connection.execute("SELECT pgsim.create_version('item', 'model', column_name => 'embedding')")
    found = Items(connection, np.empty((0, 2), np.float32)).search([1.0, 0.1])
    assert [json.loads(row[0]) for row in found] == [{"shop": 'a"b', "No": 1}, {"shop": "é", "No": 2}]
    fetched = connection.execute("SELECT * FROM pgsim.fetch('item', %s)", [[row[0] for row in found]]).fetchall()
    assert [data["No"] for _, data in fetched] == [1, 2]


def test_fetch_gives_rows_in_the_order_of_their_keys(items: Items) -> None:
    rows = items.connection.execute("SELECT key, data FROM pgsim.fetch('item', '{7,999,3}', '{size,id}')").fetchall()
    assert rows == [("7", {"size": 7, "id": 7}), ("3", {"size": 3, "id": 3})]
    everything = items.connection.execute("SELECT data FROM pgsim.fetch('item', '{7}')").fetchall()
    assert set(everything[0][0]) == {"id", "colour", "size"}


def test_explain_tells_what_was_done_and_why(items: Items) -> None:
    told = items.explain(items.vectors[0], filter={"colour": "red"})
    assert told["strategy"] == "exact"
    assert "20" in told["reason"] or "rows match" in told["reason"]
    assert (told["matches"], told["rows"]) == (20, 10)
    assert told["values"] == {"$1": "red"}
    items.connection.execute(f"PREPARE again (jsonb, vector) AS {told['statement']}".encode())
    again = psycopg.ClientCursor(items.connection).execute(
        "EXECUTE again (%s, %s)", [json.dumps(told["values"]), vector_text(items.vectors[0])]
    )
    assert again.fetchall()[0][0] == [row[0] for row in items.search(items.vectors[0], filter={"colour": "red"})]
    assert set(told["seconds"]) == {"plan", "search"}


BAD: dict[str, tuple[str, dict[str, object]]] = {
    "k zero": ("PS010", {"k": 0}),
    "k negative": ("PS010", {"k": -1}),
    "k huge": ("PS010", {"k": 2_000_000_000}),
    "k NULL": ("PS010", {"k": None}),
    "mode": ("PS010", {"mode": "fast"}),
    "mode NULL": ("PS010", {"mode": None}),
    "model": ("PS002", {"model": "other"}),
    "embedding": ("PS003", {"embedding": "title"}),
    "prefix not declared": ("PS010", {"dims": [3]}),
    "prefixes not ascending": ("PS010", {"dims": [8, 8]}),
    "no prefixes": ("PS010", {"dims": []}),
    "exact over candidates": ("PS010", {"dims": [4, 8], "mode": "exact"}),
    "oversample without a funnel": ("PS010", {"oversample": 4}),
    "oversample zero": ("PS010", {"oversample": 0, "dims": [4, 8]}),
    "values without a condition": ("PS010", {"where_values": {"a": 1}}),
    "a reserved name": ("PS010", {"where_sql": "true", "where_values": {"$1": 1}}),
    "a blank condition": ("PS010", {"where_sql": " "}),
    "an unknown column": ("PS005", {"filter": {"nope": 1}}),
    "an unknown operator": ("PS014", {"filter": {"size": {"$near": 1}}}),
    "a value of another type": ("PS015", {"filter": {"size": "large"}}),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_refused_with_a_hint(make_items: Callable[..., Items], case: str) -> None:
    items = make_items(matryoshka=[4])
    sqlstate, arguments = BAD[case]
    with pytest.raises(psycopg.Error) as caught:
        items.search(items.vectors[0], **arguments)
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.message_hint


@pytest.mark.parametrize("condition", ["", " "])
def test_an_empty_condition_is_called_empty(items: Items, condition: str) -> None:
    with pytest.raises(psycopg.Error, match="where_sql is empty"):
        items.search(items.vectors[0], where_sql=condition)


@pytest.mark.parametrize(("query", "sqlstate"), [("[1,2]", "PS012"), ("[0,0,0,0,0,0,0,0]", "PS013"), (None, "PS013")])
def test_a_query_that_is_no_vector_of_the_model_is_refused(items: Items, query: str | None, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        items.connection.execute("SELECT * FROM pgsim.search('item', query => %s)", [query])
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.message_hint


def test_search_needs_no_more_than_a_read_only_transaction(items: Items) -> None:
    items.connection.execute("SET TRANSACTION READ ONLY")
    assert len(items.search(items.vectors[0], filter={"colour": "red"})) == 10


def test_pgvector_may_live_in_any_schema(bare_dsn: str) -> None:
    from pgsim import install  # noqa: PLC0415

    with psycopg.connect(bare_dsn, autocommit=True) as connection:
        connection.execute('CREATE SCHEMA "Ext Schema"; ALTER EXTENSION vector SET SCHEMA "Ext Schema"')
        install.install(connection)
        connection.execute('CREATE TABLE item (id int PRIMARY KEY, embedding "Ext Schema".vector(2))')
        connection.execute(
            "INSERT INTO item SELECT i, format('[1,%s]', i)::\"Ext Schema\".vector FROM generate_series(1, 9) i"
        )
        connection.execute(
            "SELECT pgsim.create_collection('item'); SELECT pgsim.create_model('model', 2, matryoshka => '{1}')"
        )
        connection.execute("SELECT pgsim.create_version('item', 'model', column_name => 'embedding')")
        connection.execute("SELECT pgsim.create_index('item', 'model', element => 'halfvec')")
        items = Items(connection, np.empty((0, 2), np.float32))
        for mode in ("exact", "ann"):
            assert [row[0] for row in items.search([1.0, 2.0], k=1, mode=mode)] == ["2"]
        assert len(items.search([1.0, 2.0], k=1, dims=[1, 2])) == 1


def test_a_prefix_of_the_query_without_direction_is_refused(make_items: Callable[..., Items]) -> None:
    items = make_items(matryoshka=[2])
    for dims in ([2], [2, 8]):
        with pytest.raises(psycopg.Error) as caught, items.connection.transaction():
            items.search([0, 0, 1, 0, 0, 0, 0, 0], dims=dims)
        assert caught.value.sqlstate == "PS013"
        assert "first 2 dimensions" in str(caught.value)
    assert len(items.search([0, 0, 1, 0, 0, 0, 0, 0])) == 10


def test_a_query_beyond_half_precision_is_answered_exactly(make_items: Callable[..., Items]) -> None:
    items = make_items(metric="l2")
    items.connection.execute("SELECT pgsim.create_index('item', 'model', element => 'halfvec')")
    far = np.full(DIM, 1e6)
    found = items.search(far, mode="ann")
    assert [row[0] for row in found] == [row[0] for row in items.search(far, mode="exact")]
    assert "half precision" in found[0][4]["fallbacks"][0]


def test_a_filter_beside_a_condition_in_sql_uses_no_operator_of_the_callers_path(items: Items) -> None:
    connection = items.connection
    connection.execute("ALTER TABLE item ALTER COLUMN colour TYPE varchar(20)")
    connection.execute(
        "CREATE FUNCTION always(varchar, text) RETURNS bool LANGUAGE sql RETURN true;"
        "CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = text, FUNCTION = always);"
        "CREATE FUNCTION always(int, numeric) RETURNS bool LANGUAGE sql RETURN true;"
        "CREATE OPERATOR < (LEFTARG = int, RIGHTARG = numeric, FUNCTION = always)"
    )
    for filter in (
        {"colour": "none"},
        {"colour": {"$in": ["none"]}},
        {"colour": {"$like": "none"}},
        {"size": {"$lt": 0.5}},
    ):
        assert items.search(items.vectors[0], filter=filter, where_sql="true") == []


def test_score_knows_its_metrics(connection: Connection) -> None:
    scores = connection.execute(
        "SELECT pgsim.score(m, 0.5) FROM unnest('{cosine,ip,l2,l1,hamming}'::text[]) AS m"
    ).fetchall()
    assert [score for (score,) in scores] == [0.5, -0.5, pytest.approx(2 / 3), pytest.approx(2 / 3), None]
