"""Random filters find in SQL what the evaluator finds in Python."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from evaluator import ABSENT, evaluate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import COLUMNS, JSON_COLUMNS, filters, rows

if TYPE_CHECKING:
    import psycopg
    from filtered import Table, TableFactory


def fill(table: Table, made: list[dict[str, object]]) -> None:
    """Replaces the table's rows; ids count from 0."""
    table.connection.execute(f"DELETE FROM {table.name}")
    for number, row in enumerate(made):
        meta = None if row["meta"] is ABSENT else json.dumps(row["meta"])
        table.connection.execute(
            f"INSERT INTO {table.name} (id, n, x, f, t, d, tags, counts, meta) OVERRIDING SYSTEM VALUE "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [number, *(row[name] for name in ("n", "x", "f", "t", "d", "tags", "counts")), meta],
        )


def found_by_evaluator(filter: dict, made: list[dict[str, object]]) -> list[int]:
    return [number for number, row in enumerate(made) if evaluate(filter, row, JSON_COLUMNS) is True]


@pytest.fixture
def things(table: TableFactory) -> Table:
    return table(COLUMNS)


BATCH = 40


batches = st.lists(filters(), min_size=BATCH, max_size=BATCH)
checks = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
]


@pytest.mark.slow
@given(made=rows, batch=batches)
@settings(max_examples=100, deadline=None, suppress_health_check=checks)
def test_a_random_filter_finds_what_the_evaluator_finds(
    things: Table, made: list[dict[str, object]], batch: list[dict]
) -> None:
    fill(things, made)
    outcomes = things.outcomes([json.dumps(filter) for filter in batch])
    for filter, outcome in zip(batch, outcomes, strict=True):
        assert outcome == found_by_evaluator(filter, made), filter


@pytest.fixture
def collection(things: Table) -> Table:
    run = things.connection.execute
    (extension_schema,) = run("SELECT pgsim._vector_schema()").fetchone() or ("",)
    run(f"ALTER TABLE {things.name} ADD COLUMN embedding {extension_schema}.vector(2) DEFAULT '[1,0]'")
    run("SELECT pgsim.create_collection(%s::regclass, 'things')", [things.name])
    run("SELECT pgsim.create_model('plain', 2)")
    run("SELECT pgsim.create_version('things', 'plain', column_name => 'embedding')")
    return things


def found_by_search(connection: psycopg.Connection, filter: dict) -> list[int]:
    found = connection.execute(
        "SELECT key::int FROM pgsim.search('things', '[1,0]', k => 10000, filter => %s::jsonb, mode => 'exact')",
        [json.dumps(filter)],
    )
    return sorted(key for (key,) in found)


@pytest.mark.slow
@given(made=rows, batch=batches)
@settings(max_examples=10, deadline=None, suppress_health_check=checks)
def test_a_search_admits_what_the_evaluator_finds(
    collection: Table, made: list[dict[str, object]], batch: list[dict]
) -> None:
    fill(collection, made)
    for filter in batch:
        assert found_by_search(collection.connection, filter) == found_by_evaluator(filter, made), filter
