"""Random filters along foreign keys find in SQL what the evaluator finds in Python."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from evaluator import ABSENT, evaluate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from filtered import Table, TableFactory

RELATIONS = frozenset({"maker", "land", "mate"})
JSON_COLUMNS = frozenset({"meta"})
TABLES = """
CREATE TABLE lands (id int PRIMARY KEY, n int, meta jsonb);
CREATE TABLE makers (id int PRIMARY KEY, n int, meta jsonb,
                     land int REFERENCES lands, mate_id int REFERENCES makers);
"""

numbers = st.integers(0, 2)
words = st.sampled_from(["a", "b"])


def under(name: str, argument: st.SearchStrategy) -> st.SearchStrategy:
    return argument.map(lambda value: {name: value})


def conditions(values: st.SearchStrategy) -> st.SearchStrategy:
    base = st.one_of(
        st.none() | values,
        *(under(name, st.none() | values) for name in ("$eq", "$ne")),
        *(under(name, values) for name in ("$gt", "$lte")),
        *(under(name, st.lists(st.none() | values, max_size=2)) for name in ("$in", "$nin")),
        under("$exists", st.booleans()),
        st.fixed_dictionaries({"$gte": values, "$ne": st.none() | values}),
    )
    return base | under("$not", base)


steps = st.sampled_from(["", "maker.", "maker.land.", "maker.mate.", "maker.mate.land.", "maker.mate.mate."])
leaves = st.one_of(
    st.builds(lambda led, condition: {f"{led}n": condition}, steps, conditions(numbers)),
    st.builds(lambda led, condition: {f"{led}meta.k": condition}, steps, conditions(words)),
    st.builds(lambda led, condition: {f"{led}meta": condition}, steps, under("$exists", st.booleans()) | st.none()),
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        under("$not", inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"$or": branches}),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"$and": branches}),
        st.builds(lambda one, other: {**one, **other}, leaves, inner),
    ),
    max_leaves=5,
)

documents = st.just(ABSENT) | st.none() | st.fixed_dictionaries({}, optional={"k": st.none() | words})


def rows(references: dict[str, int]) -> st.SearchStrategy[list[dict[str, object]]]:
    """Five rows, whose references are numbers of the rows of another table."""
    columns = {name: st.none() | st.integers(0, count - 1) for name, count in references.items()}
    row = st.fixed_dictionaries({"n": st.none() | numbers, "meta": documents, **columns})
    return st.lists(row, min_size=5, max_size=5)


def fill(table: Table, name: str, made: list[dict[str, object]]) -> None:
    for number, row in enumerate(made):
        values = {
            column: None if value is ABSENT else json.dumps(value) if column == "meta" else value
            for column, value in row.items()
        }
        table.connection.execute(
            f"INSERT INTO {name} (id, {', '.join(values)}) OVERRIDING SYSTEM VALUE "
            f"VALUES ({number}, {', '.join(['%s'] * len(values))})",
            list(values.values()),
        )


@pytest.fixture
def things(table: TableFactory) -> Table:
    table.connection.execute(TABLES)
    return table("n int, meta jsonb, maker_id int REFERENCES makers")


@pytest.mark.slow
@given(
    lands=rows({}),
    makers=rows({"land": 5, "mate_id": 5}),
    made=rows({"maker_id": 5}),
    batch=st.lists(filters, min_size=30, max_size=30),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
def test_a_random_filter_along_keys_finds_what_the_evaluator_finds(
    things: Table,
    lands: list[dict[str, object]],
    makers: list[dict[str, object]],
    made: list[dict[str, object]],
    batch: list[dict],
) -> None:
    run = things.connection.execute
    run(f"TRUNCATE {things.name}, makers, lands")
    fill(things, "lands", lands)
    fill(things, "makers", [{**row, "mate_id": None} for row in makers])
    for number, row in enumerate(makers):
        run("UPDATE makers SET mate_id = %s WHERE id = %s", [row["mate_id"], number])
    fill(things, things.name, made)
    nested = [{**row} for row in makers]
    for row in nested:
        row["land"] = None if row["land"] is None else lands[row["land"]]  # type: ignore[call-overload]
        row["mate"] = None if row["mate_id"] is None else nested[row["mate_id"]]  # type: ignore[call-overload]
    whole = [
        {**row, "maker": None if row["maker_id"] is None else nested[row["maker_id"]]}  # type: ignore[call-overload]
        for row in made
    ]
    outcomes = things.outcomes([json.dumps(filter) for filter in batch])
    for filter, outcome in zip(batch, outcomes, strict=True):
        expected = [i for i, row in enumerate(whole) if evaluate(filter, row, JSON_COLUMNS, RELATIONS) is True]
        assert outcome == expected, filter
