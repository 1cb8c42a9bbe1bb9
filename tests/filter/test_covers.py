"""Whether one filter covers another: every row that the narrow one admits, the wide one admits too."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from evaluator import evaluate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import JSON_COLUMNS, filters, on_columns, rows

if TYPE_CHECKING:
    from filtered import TableFactory

COVERED = [
    (None, None),
    ({"section": "games"}, None),
    ({"section": "games"}, {}),
    ({"section": "games"}, {"$and": [{}]}),
    ({"section": "games"}, {"section": "games"}),
    ({"section": "games"}, {"section": {"$eq": "games"}}),
    ({"size": 1}, {"size": 1.0}),
    ({"section": "games", "size": {"$lt": 9}}, {"section": "games"}),
    ({"$and": [{"size": {"$lt": 9}}, {"section": "games"}]}, {"section": "games", "size": {"$lt": 9}}),
    ({"$or": [{"a": 1}, {"b": 2}], "c": 3}, {"$or": [{"a": 1}, {"b": 2}]}),
    ({"$not": {"a": 1}, "c": 3}, {"$not": {"a": 1}}),
    ({"section": "games"}, {"section": {"$in": ["libs", "games"]}}),
    ({"section": {"$in": ["games", "libs"]}}, {"section": {"$in": ["perl", "libs", "games"]}}),
    ({"section": {"$in": ["games", None]}}, {"section": {"$in": [None, "libs", "games"]}}),
    ({"section": {"$in": ["games"]}}, {"section": "games"}),
    ({"section": None}, {"section": {"$in": [None]}}),
    ({"section": {"$exists": False}}, {"section": None}),
    ({"section": "games"}, {"section": {"$exists": True}}),
    ({"section": {"$like": "g%"}}, {"section": {"$ne": None}}),
    ({"size": 5}, {"size": {"$gt": 4}}),
    ({"size": 5}, {"size": {"$lte": 5}}),
    ({"size": {"$in": [5, 6]}}, {"size": {"$between": [5, 6]}}),
    ({"size": {"$gt": 5}}, {"size": {"$gt": 5}}),
    ({"size": {"$gt": 5}}, {"size": {"$gte": 5}}),
    ({"size": {"$gte": 6}}, {"size": {"$gt": 5}}),
    ({"size": {"$between": [6, 7]}}, {"size": {"$gt": 5, "$lt": 8}}),
    ({"size": {"$gte": 6, "$lte": 7}}, {"size": {"$between": [5, 8]}}),
    ({"size": {"$lt": 7}}, {"size": {"$lte": 7.5}}),
    ({"tags": {"$contains": ["a", "b"]}}, {"tags": {"$contains": "b"}}),
    ({"tags": {"$contains": "b"}}, {"tags": {"$contains": ["b"]}}),
    ({"tags": {"$contained": ["a"]}}, {"tags": {"$contained": ["a", "b"]}}),
    ({"tags": {"$overlap": ["a"]}}, {"tags": {"$overlap": ["a", "b"]}}),
    ({"meta": {"$contains": {"a": 1, "b": [2, 3]}}}, {"meta": {"$contains": {"b": [3]}}}),
    ({"maintainer.country": "DE", "size": 1}, {"size": {"$gte": 1}}),
]

UNSURE = [
    (None, {"section": "games"}),
    ({}, {"section": "games"}),
    ({"section": "libs"}, {"section": "games"}),
    ({"size": 1}, {"section": "games"}),
    ({"section": "games"}, {"section": "games", "size": 1}),
    ({"section": {"$in": ["games", "libs"]}}, {"section": "games"}),
    ({"section": {"$in": ["games", None]}}, {"section": {"$in": ["games"]}}),
    ({"section": {"$ne": "games"}}, {"section": {"$ne": "libs"}}),
    ({"section": {"$nin": []}}, {"section": {"$exists": True}}),
    ({"section": None}, {"section": {"$exists": True}}),
    ({"section": None}, {"section": {"$exists": False}}),
    ({"size": 5}, {"size": {"$gt": 5}}),
    ({"size": {"$gte": 5}}, {"size": {"$gt": 5}}),
    ({"size": {"$gt": 4}}, {"size": {"$gt": 5}}),
    ({"size": {"$lt": 9}}, {"size": {"$gt": 5}}),
    ({"size": {"$between": [4, 7]}}, {"size": {"$between": [5, 8]}}),
    ({"day": {"$gt": "2024-02-01"}}, {"day": {"$gt": "2024-01-01"}}),
    ({"tags": {"$contains": ["a"]}}, {"tags": {"$contains": ["a", "b"]}}),
    ({"tags": {"$overlap": ["a", "b"]}}, {"tags": {"$overlap": ["a"]}}),
    ({"meta": {"$overlap": [{"a": 1, "b": 2}]}}, {"meta": {"$overlap": [{"a": 1}, {"b": 3}]}}),
    ({"$or": [{"section": "games"}]}, {"section": "games"}),
    ({"day": "today"}, {"day": "today"}),
    ({"at": {"$gt": "Yesterday 10:00"}}, {"at": {"$gt": "Yesterday 10:00"}}),
    ([1], [1]),
    ({"$nor": 1}, {"section": "games"}),
]


def covers(connection: psycopg.Connection, narrow: object, wide: object) -> bool:
    found = connection.execute("SELECT pgsim._filter_covers(%s, %s)", [json.dumps(narrow), json.dumps(wide)]).fetchone()
    assert found
    assert isinstance(found[0], bool)
    return found[0]


@pytest.mark.parametrize(("narrow", "wide"), COVERED, ids=str)
def test_a_filter_covers_a_narrower_one(connection: psycopg.Connection, narrow: object, wide: object) -> None:
    assert covers(connection, narrow, wide)


@pytest.mark.parametrize(("narrow", "wide"), UNSURE, ids=str)
def test_what_is_unsure_is_not_covered(connection: psycopg.Connection, narrow: object, wide: object) -> None:
    assert not covers(connection, narrow, wide)


# Half of the wide filters are made of what is in the narrow ones, or they would seldom cover them.
pairs = st.tuples(filters(), on_columns) | st.tuples(on_columns, on_columns).flatmap(
    lambda two: st.tuples(
        st.just({"$and": [*two]}), st.sampled_from([two[0], {"$and": [two[1], {}]}]) | on_columns | filters()
    )
)


@pytest.mark.slow
@given(made=rows, batch=st.lists(pairs, min_size=40, max_size=40))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_row_escapes_a_filter_that_covers(
    connection: psycopg.Connection, made: list[dict[str, object]], batch: list[tuple[dict, dict]]
) -> None:
    for narrow, wide in batch:
        if covers(connection, narrow, wide):
            for row in made:
                if evaluate(narrow, row, JSON_COLUMNS) is True:
                    assert evaluate(wide, row, JSON_COLUMNS) is True, (narrow, wide, row)


# Pairs of them are one number in some type, or out of its range.
NUMBERS = [-1e308, -5, -1e-38, 0, 1e-38, 1e-37, 0.1, 0.10000000001, 1.5, 16777216, 16777217]
NUMBERS += [9007199254740992, 9007199254740993, 3e38, 3.2e38, 3.3e38, 1e308, 1.5e308]


@pytest.mark.parametrize("column_type", ["smallint", "bigint", "numeric", "real", "double precision", "jsonb"])
def test_no_number_escapes_in_a_column_of_any_type(table: TableFactory, column_type: str) -> None:
    run = table.connection.execute
    things = table(f"x {column_type}")
    for number in [*NUMBERS, 32767, "NaN", "Infinity", "-Infinity", None]:
        try:
            with table.connection.transaction():
                run(
                    f"INSERT INTO {things.name} (x) VALUES (%s::text::{column_type})".encode(),
                    [None if number is None else json.dumps(number) if column_type == "jsonb" else str(number)],
                )
        except psycopg.DataError:
            continue  # the type does not have this number
    operators = ("$eq", "$gt", "$gte", "$lt", "$lte")
    atoms = [
        *({operator: number} for operator in operators for number in NUMBERS),
        *({"$in": list(two)} for two in itertools.combinations(NUMBERS[::2], 2)),
        {"$in": [1.5e308]},
        {"$exists": True},
        None,
    ]
    conditions = [json.dumps({"x": atom}) for atom in atoms]
    found = [set(ids) for ids in things.outcomes(conditions) if isinstance(ids, list)]
    assert len(found) == len(conditions)
    covered = run(
        "SELECT n.i - 1, w.i - 1 FROM unnest(%(c)s::text[]) WITH ORDINALITY AS n (f, i), "
        "unnest(%(c)s::text[]) WITH ORDINALITY AS w (f, i) WHERE pgsim._filter_covers(n.f::jsonb, w.f::jsonb)",
        {"c": conditions},
    ).fetchall()
    assert len(covered) > 2 * len(conditions)
    for narrow, wide in covered:
        assert found[narrow] <= found[wide], (conditions[narrow], conditions[wide])
