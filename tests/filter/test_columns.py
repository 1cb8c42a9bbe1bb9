"""What a filter reads: the columns of the table that _compile_filter names, by which a narrower copy may serve it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from filtered import Table, TableFactory

EXAMPLES = [
    (None, []),
    ({}, []),
    ({"section": "games"}, ["section"]),
    ({"section": "games", "size": {"$gt": 1, "$lt": 9}}, ["section", "size"]),
    ({"size": {"$not": {"$gt": 1}}}, ["size"]),
    ({"$or": [{"size": 1}, {"$not": {"size": 2, "section": None}}, {}]}, ["section", "size"]),
    ({"meta.author.name": "Ada", "meta": {"$exists": True}}, ["meta"]),
    ({"a.b": 1, "meta.a.b": 1}, ["a.b", "meta"]),
]


@pytest.fixture
def things(table: TableFactory) -> Table:
    return table('section text, size int, meta jsonb, "a.b" int')


@pytest.mark.parametrize(("filter", "columns"), EXAMPLES, ids=[str(example) for example, _ in EXAMPLES])
def test_the_columns_of_a_filter_are_named_once_each(things: Table, filter: object, columns: list[str]) -> None:
    compiled = things.connection.execute(
        "SELECT columns FROM pgsim._compile_filter(%s::regclass, %s, '{}', false)", [things.name, json.dumps(filter)]
    ).fetchone()
    assert compiled
    assert sorted(compiled[0]) == columns
