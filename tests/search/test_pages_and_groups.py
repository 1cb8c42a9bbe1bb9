"""Pages that follow one another, the best row of each group, distances to stay within, and many queries in one call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest

from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.server import Server

    Connection = psycopg.Connection[tuple[Any, ...]]

ROWS, DIM = 500, 16
KEYS = {
    "int": ("id int", "o::int", "id"),
    "text": ("id text", "'k' || o", "id"),
    "composite": ('shop text, "The No" int', "'s' || mod(o, 3), o::int", 'shop, "The No"'),
}
METRICS = {"cosine": "<=>", "l2": "<->", "ip": "<#>", "l1": "<+>"}


@pytest.fixture(scope="module")
def warehouse(server: Server, template: str) -> Iterator[str]:
    """A table for each kind of key, and one for each metric; every vector is there four times, so distances tie."""
    vectors = np.repeat(np.random.default_rng(2).normal(size=(ROWS // 4, DIM)), 4, axis=0).astype(np.float32)
    with server.database("pages", template) as name:
        with psycopg.connect(server.dsn(name)) as connection:
            for metric in METRICS:
                connection.execute("SELECT pgsim.create_model(%s, %s, metric => %s)", [metric, DIM, metric])
            for table, key, metric in [
                *((f"by_{key}", key, "cosine") for key in KEYS),
                *((f"in_{metric}", "int", metric) for metric in METRICS),
            ]:
                definition, expression, columns = KEYS[key]
                connection.execute(f"""
                    CREATE TABLE {table} ({definition}, colour text, size int, embedding vector({DIM}),
                        PRIMARY KEY ({columns}));
                    SELECT pgsim.create_collection('{table}', filter_columns => '{{colour,size}}');
                    SELECT pgsim.create_version('{table}', '{metric}', column_name => 'embedding');
                """.encode())  # fmt: skip
                connection.execute(
                    f"INSERT INTO {table} SELECT {expression}, "
                    "(ARRAY['red', 'green', 'blue', NULL])[1 + mod(mod(o, 7), 4)], "
                    "mod(o, 40), v FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, o) "
                    "ORDER BY md5(o::text)".encode(),
                    [[vector_text(v) for v in vectors]],
                )
                connection.execute("SELECT pgsim.create_index(%s, %s)", [table, metric])
            connection.execute("ANALYZE")
        yield name


@pytest.fixture
def goods(server: Server, warehouse: str) -> Iterator[Connection]:
    with server.rolled_back(warehouse) as connection:
        yield connection


QUERY = np.random.default_rng(5).normal(size=DIM)


def search(connection: Connection, table: str, query: Any = QUERY, **arguments: object) -> list[tuple[Any, ...]]:
    """Rows of (key, distance, rank, strategy)."""
    values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in arguments.items()}
    named = "".join(f", {name} => %({name})s" for name in values)
    return connection.execute(
        f"SELECT key, distance, rank, details ->> 'strategy' FROM pgsim.search(%(t)s, %(q)s{named})".encode(),
        values | {"t": table, "q": vector_text(np.asarray(query, np.float32))},
    ).fetchall()


def cursor(row: tuple[Any, ...], *, rank: bool = True) -> dict[str, Any]:
    """What `after` takes: a row of the page before."""
    return {"key": row[0], "distance": row[1]} | ({"rank": row[2]} if rank else {})


@pytest.mark.parametrize("filter", [None, {"size": {"$lt": 10}}], ids=["all", "some"])
@pytest.mark.parametrize("rank", [True, False], ids=["rank", "no rank"])
@pytest.mark.parametrize("mode", ["auto", "exact", "codes", "ann"])
@pytest.mark.parametrize("key", KEYS)
def test_pages_hold_each_row_once(
    goods: Connection, key: str, mode: str, filter: dict[str, Any] | None, *, rank: bool
) -> None:
    table = f"by_{key}"
    whole = search(goods, table, k=1000, filter=filter, mode="exact")
    assert (
        len(whole)
        == goods.execute(f"SELECT count(*) FROM {table} WHERE size < %s", [10 if filter else 99]).fetchall()[0][0]
    )
    rows: list[tuple[Any, ...]] = search(goods, table, k=93, filter=filter, mode=mode)
    while True:
        page = search(goods, table, k=93, filter=filter, mode=mode, after=cursor(rows[-1], rank=rank))
        if not page:
            break
        assert page[0][2] == (len(rows) + 1 if rank else 1)
        rows += page
    if mode in {"auto", "exact"}:
        assert [row[0] for row in rows] == [row[0] for row in whole]
    # What an approximate page has missed lies before the next one: it is not made up for, and nothing comes twice.
    places = {row[0]: place for place, row in enumerate(whole)}
    shown = [places[row[0]] for row in rows]
    assert shown == sorted(set(shown))
    assert len(rows) >= 0.95 * len(whole)


@pytest.mark.parametrize("mode", ["auto", "exact", "codes", "ann"])
def test_rows_inserted_between_pages_are_shown_once_or_lie_before(goods: Connection, mode: str) -> None:
    first = search(goods, "by_int", k=20, mode=mode)
    nearer, farther = vector_text(np.asarray(QUERY, np.float32)), vector_text(np.asarray(-QUERY, np.float32))
    goods.execute("INSERT INTO by_int VALUES (100001, 'red', 1, %s), (100002, 'red', 1, %s)", [nearer, farther])
    # At the very distance of the last row: before it by its key, and after it.
    goods.execute("INSERT INTO by_int SELECT 0, colour, size, embedding FROM by_int WHERE id = %s::int", [first[-1][0]])
    goods.execute(
        "INSERT INTO by_int SELECT 100003, colour, size, embedding FROM by_int WHERE id = %s::int", [first[-1][0]]
    )
    rest = []
    page = first
    while page := search(goods, "by_int", k=200, mode=mode, after=cursor(page[-1])):
        rest += page
    keys = [row[0] for row in first + rest]
    assert len(set(keys)) == len(keys)
    assert {"100002", "100003"} <= set(keys)
    assert not {"0", "100001"} & set(keys)
    assert len(keys) == ROWS + 2


@pytest.mark.parametrize("mode", ["auto", "exact", "codes", "ann"])
def test_the_best_row_of_each_group(goods: Connection, mode: str) -> None:
    cases: list[tuple[str, dict[str, Any] | None, str]] = [
        ("colour", None, "true"),
        ("size", None, "true"),
        ("size", {"colour": "red"}, "colour = 'red'"),
        ("colour", {"size": -1}, "false"),
    ]
    for column, filter, condition in cases:
        best = goods.execute(
            f"SELECT id::text, d FROM (SELECT DISTINCT ON ({column}) id, (embedding <=> %s) + 0 AS d FROM by_int "
            f"WHERE {condition} ORDER BY {column}, 2, id) AS g ORDER BY d, id".encode(),
            [vector_text(np.asarray(QUERY, np.float32))],
        ).fetchall()
        found = search(goods, "by_int", k=50, distinct_on=column, filter=filter, mode=mode)
        assert [row[0] for row in found] == [key for key, _ in best]
        # NULL is one group among the four colours.
        assert len(found) == {"colour": 4, "size": 40}[column] or filter is not None
        few = search(goods, "by_int", k=3, distinct_on=column, filter=filter, mode=mode)
        assert [row[0] for row in few] == [key for key, _ in best[:3]]
        assert [row[2] for row in few] == list(range(1, len(few) + 1))


@pytest.mark.parametrize("mode", ["auto", "exact", "codes", "ann"])
def test_groups_come_in_pages_within_a_distance(goods: Connection, mode: str) -> None:
    whole = search(goods, "by_composite", k=50, distinct_on="size", filter={"colour": {"$ne": "red"}}, mode="exact")
    limit = whole[25][1]
    within = [row[0] for row in whole if row[1] <= limit]
    found: list[tuple[Any, ...]] = []
    while page := search(
        goods, "by_composite", k=7, distinct_on="size", filter={"colour": {"$ne": "red"}}, mode=mode,
        max_distance=limit, **({"after": cursor(found[-1])} if found else {}),
    ):  # fmt: skip
        found += page
    assert [row[0] for row in found] == within
    assert [row[2] for row in found] == list(range(1, len(within) + 1))


@pytest.mark.parametrize("mode", ["auto", "exact", "codes", "ann"])
@pytest.mark.parametrize("metric", METRICS)
def test_no_row_is_farther_than_asked(goods: Connection, metric: str, mode: str) -> None:
    exact = search(goods, f"in_{metric}", k=ROWS, mode="exact")
    assert len(exact) == ROWS
    for limit in (exact[30][1], exact[0][1], exact[0][1] - 1, exact[-1][1] + 1, float("inf"), float("-inf")):
        found = search(goods, f"in_{metric}", k=100, max_distance=limit, mode=mode)
        expected = [row for row in exact if row[1] <= limit][:100]
        if mode in {"auto", "exact"}:
            assert [row[:3] for row in found] == [row[:3] for row in expected]
        assert all(row[1] <= limit for row in found)
        assert len(expected) >= len(found) >= 0.9 * len(expected)


@pytest.mark.parametrize("mode", ["auto", "exact", "codes", "ann"])
def test_a_batch_answers_as_single_searches_do(goods: Connection, mode: str) -> None:
    queries = np.random.default_rng(8).normal(size=(6, DIM)).astype(np.float32)
    after = cursor(search(goods, "by_text", k=5)[-1])
    for arguments in ({}, {"filter": {"colour": "red"}}, {"filter": {"size": 41}}, {"distinct_on": "colour"},
                      {"max_distance": 0.9}, {"after": after}):  # fmt: skip
        values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in arguments.items()}
        named = "".join(f", {name} => %({name})s" for name in values)
        batch = goods.execute(
            "SELECT query, key, distance, rank, details ->> 'strategy' "
            f"FROM pgsim.search_batch('by_text', %(q)s::vector[], mode => %(m)s{named})".encode(),
            values | {"q": [vector_text(q) for q in queries], "m": mode},
        ).fetchall()
        single = [
            (i, *row)
            for i, query in enumerate(queries, 1)
            for row in search(goods, "by_text", query, mode=mode, **arguments)
        ]
        assert batch == single
    assert goods.execute("SELECT * FROM pgsim.search_batch('by_text', '{}'::vector[])").fetchall() == []


def test_a_recall_of_one_is_exact(goods: Connection) -> None:
    for filter in (None, {"colour": "red"}):
        exact = search(goods, "in_l2", filter=filter, mode="exact")
        assert search(goods, "in_l2", filter=filter, recall=1.0) == exact
        assert {row[3] for row in exact} == {"exact"}


def test_the_answer_is_as_good_whatever_it_was_found_by(goods: Connection) -> None:
    for arguments in ({"filter": {"colour": "red"}}, {"filter": {"size": {"$lt": 20}}, "k": 40}):
        for recall in (0.5, 0.99):
            for mode in ("codes", "ann", "auto"):
                assert len(search(goods, "by_int", mode=mode, recall=recall, **arguments)) == arguments.get("k", 10)


BAD: dict[str, tuple[str, str, dict[str, Any]]] = {
    "recall below a half": ("by_int", "PS010", {"recall": 0.3}),
    "recall above one": ("by_int", "PS010", {"recall": 1.1}),
    "recall NaN": ("by_int", "PS010", {"recall": float("nan")}),
    "max_distance NaN": ("by_int", "PS010", {"max_distance": float("nan")}),
    "after a list": ("by_int", "PS010", {"after": "[]"}),
    "after null": ("by_int", "PS010", {"after": "null"}),
    "after without a key": ("by_int", "PS010", {"after": {"distance": 0.1}}),
    "after without a distance": ("by_int", "PS010", {"after": {"key": "1"}}),
    "after with a number for a key": ("by_int", "PS010", {"after": {"distance": 0.1, "key": 1}}),
    "after with words for a distance": ("by_int", "PS010", {"after": {"distance": "near", "key": "1"}}),
    "after with a distance beyond all": ("by_int", "PS010", {"after": '{"distance": 1e999, "key": "1"}'}),
    "after with a half rank": ("by_int", "PS010", {"after": {"distance": 0.1, "key": "1", "rank": 1.5}}),
    "after with a rank of nothing": ("by_int", "PS010", {"after": {"distance": 0.1, "key": "1", "rank": 0}}),
    "after with something else": ("by_int", "PS010", {"after": {"distance": 0.1, "key": "1", "score": 0.9}}),
    "after a key of another type": ("by_int", "PS016", {"after": {"distance": 0.1, "key": "one"}}),
    "after a key too large": ("by_int", "PS016", {"after": {"distance": 0.1, "key": "99999999999"}}),
    "after a plain key": ("by_composite", "PS016", {"after": {"distance": 0.1, "key": "1"}}),
    "after half a key": ("by_composite", "PS016", {"after": {"distance": 0.1, "key": '{"shop": "s1"}'}}),
    "after no JSON": ("by_composite", "PS016", {"after": {"distance": 0.1, "key": "{shop"}}),
    "distinct_on no column": ("by_int", "PS005", {"distinct_on": "nope"}),
    "distinct_on a column without order": ("by_int", "PS010", {"distinct_on": "place"}),
    "where_columns alone": ("by_int", "PS010", {"where_columns": ["size"]}),
    "where_columns unknown": ("by_int", "PS005", {"where_sql": "true", "where_columns": ["nope"]}),
    "codes where there are none": ("bare", "PS010", {"mode": "codes"}),
    "codes of a column not declared": ("by_int", "PS010", {"mode": "codes", "filter": {"place": None}}),
    "codes of a condition not told": ("by_int", "PS010", {"mode": "codes", "where_sql": "size > 1"}),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_refused_with_a_hint(goods: Connection, case: str) -> None:
    table, sqlstate, arguments = BAD[case]
    goods.execute("""
        ALTER TABLE by_int ADD place point; CREATE TABLE bare (id int PRIMARY KEY, e vector(16));
        SELECT pgsim.create_collection('bare'), pgsim.create_version('bare', 'l2', column_name => 'e');
    """)
    with pytest.raises(psycopg.Error) as raised:
        search(goods, table, **arguments)
    assert raised.value.sqlstate == sqlstate
    assert raised.value.diag.message_hint


def test_a_batch_of_nothing_is_refused(goods: Connection) -> None:
    for queries, sqlstate in ((None, "PS010"), ([None], "PS013"), (["[1,2]"], "PS012")):
        with pytest.raises(psycopg.Error) as raised, goods.transaction():
            goods.execute("SELECT * FROM pgsim.search_batch('by_int', %s::vector[])", [queries])
        assert raised.value.sqlstate == sqlstate
        assert raised.value.diag.message_hint


def test_a_rank_may_be_written_as_other_languages_do(goods: Connection) -> None:
    first = search(goods, "by_int", k=3)
    after = json.dumps({"key": first[-1][0], "distance": first[-1][1], "rank": 3.0})
    assert [row[2] for row in search(goods, "by_int", k=2, after=after)] == [4, 5]
