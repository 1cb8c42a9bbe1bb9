"""The shape of a filter: what it asks for, without the values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import COLUMNS, filters

if TYPE_CHECKING:
    import psycopg
    from filtered import TableFactory

EXAMPLES = [
    (None, ""),
    ({}, ""),
    ({"$and": [{}, {"$and": [{}]}]}, ""),
    ({"section": "games", "size": {"$lt": 100}}, "section $eq, size $lt"),
    ({"size": {"$lt": 9}, "section": {"$eq": "python"}}, "section $eq, size $lt"),
    ({"$and": [{"size": {"$lt": 9}}, {"section": "x"}]}, "section $eq, size $lt"),
    ({"size": {"$gte": 1, "$lt": 9}}, "size $gte, size $lt"),
    ({"size": {"$between": [1, 9]}}, "size $between"),
    ({"section": {"$in": ["a"]}}, "section $in"),
    ({"section": {"$in": ["a", "b", None]}}, "section $in"),
    ({"section": None}, "section $exists"),
    ({"section": {"$ne": None}}, "section $exists"),
    ({"section": {"$exists": False}}, "section $exists"),
    ({"$or": [{"size": 1}, {"section": "a", "size": 2}]}, "$or(section $eq, size $eq | size $eq)"),
    ({"$or": [{"section": "a"}, {"section": "b"}]}, "$or(section $eq)"),
    ({"$or": [{"section": "a"}, {}]}, "$or(section $eq | true)"),
    ({"$not": {"section": "a", "size": 1}}, "$not(section $eq, size $eq)"),
    ({"$not": {"size": {"$gt": 1}}}, "$not(size $gt)"),
    ({"size": {"$not": {"$gt": 1}}}, "$not(size $gt)"),
    ({"size": {"$not": 1}}, "$not(size $eq)"),
    ({"$not": {"$or": [{"a": 1}, {"$not": {"b": 1}}]}}, "$not($or($not(b $eq) | a $eq))"),
    ({"meta.author.name": "Ada", "meta": {"year": 1999}}, "meta $eq, meta.author.name $eq"),
    ({"maintainer.country": {"$ne": "DE"}}, "maintainer.country $ne"),
    ({"tags": {"$contains": "a"}, "$and": [{"tags": {"$contains": "b"}}]}, "tags $contains"),
    ({"a, b $eq": 1, 'c"': 2}, '"a, b $eq" $eq, "c""" $eq'),
    ({"size": {"$greater": 5}, "$nor": [{"a": 1}]}, "?, size ?"),
    ([1], "?"),
]


def shape(connection: psycopg.Connection, filter: object) -> str:
    found = connection.execute("SELECT pgsim._filter_shape(%s)", [json.dumps(filter)]).fetchone()
    assert found
    return str(found[0])


@pytest.mark.parametrize(("filter", "expected"), EXAMPLES, ids=[str(example) for example, _ in EXAMPLES])
def test_a_filter_has_its_shape(connection: psycopg.Connection, filter: object, expected: str) -> None:
    assert shape(connection, filter) == expected


def test_sql_null_has_the_shape_of_no_filter(connection: psycopg.Connection) -> None:
    assert connection.execute("SELECT pgsim._filter_shape(NULL)").fetchone() == ("",)


def test_a_filter_as_deep_as_they_get_has_a_shape(connection: psycopg.Connection) -> None:
    filter: object = {"a": 1}
    for _ in range(30):
        filter = {"$not": filter}
    assert shape(connection, filter) == "$not(" * 30 + "a $eq" + ")" * 30
    assert shape(connection, {"$or": [{f"c{n}": None} for n in range(1000)]}).count("$exists") == 1000


@pytest.mark.slow
@given(batch=st.lists(filters(), min_size=40, max_size=40))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_filter_that_compiles_has_a_shape_that_order_does_not_change(
    table: TableFactory, batch: list[dict[str, object]]
) -> None:
    things = table(COLUMNS)
    for filter in batch:
        things.connection.execute(
            "SELECT pgsim._compile_filter(%s::regclass, %s, '{}', false)", [things.name, json.dumps(filter)]
        )
        found = shape(things.connection, filter)
        assert "?" not in found
        assert shape(things.connection, {"$and": [{key: value} for key, value in reversed(filter.items())]}) == found


secrets = st.integers(0, 9).map(lambda number: f"SECRET{number}")
values = st.recursive(
    secrets, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(secrets, inner, min_size=1, max_size=2)
)
names = ["$eq", "$ne", "$gt", "$in", "$nin", "$between", "$like", "$contains", "$overlap", "$exists", "$unknown"]
conditions = st.recursive(
    values | st.dictionaries(st.sampled_from(names), values, min_size=1, max_size=2),
    lambda inner: inner.map(lambda condition: {"$not": condition}),
    max_leaves=3,
)
guarded = st.recursive(
    st.dictionaries(st.sampled_from(["a", "b.c", "d e"]), conditions, max_size=3),
    lambda inner: st.one_of(
        inner.map(lambda filter: {"$not": filter}),
        st.builds(lambda name, branches: {name: branches}, st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner)),
    ),
    max_leaves=5,
)


@pytest.mark.slow
@given(batch=st.lists(guarded, min_size=40, max_size=40))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_value_is_in_a_shape(connection: psycopg.Connection, batch: list[dict[str, object]]) -> None:
    assert not any("SECRET" in shape(connection, filter) for filter in batch)
