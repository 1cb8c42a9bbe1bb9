"""Hostile names of related tables and their columns are names, in a filter's path and in what it becomes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from fortress import Refusal
from psycopg import sql
from strings import hostile_strings

if TYPE_CHECKING:
    import psycopg
    from fortress import Fortress

NAMES = [
    name
    for name in hostile_strings(400, seed=9)
    if 0 < len(name.encode()) <= 50 and "\x00" not in name and name.strip()
][:60]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def found(connection: psycopg.Connection, filter: dict[str, object]) -> list[int]:
    predicate, values = connection.execute(
        "SELECT predicate, \"values\"::text FROM pgsim._compile_filter('referring', %s, '{}', false)",
        [json.dumps(filter)],
    ).fetchone() or ("", "")
    connection.execute(f"PREPARE filtered (jsonb) AS SELECT id FROM referring WHERE {predicate} ORDER BY id".encode())
    rows = connection.execute(sql.SQL("EXECUTE filtered ({})").format(sql.Literal(values))).fetchall()
    connection.execute("DEALLOCATE filtered")
    return [number for (number,) in rows]


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_leads_to_its_table_and_column(connection: psycopg.Connection, name: str) -> None:
    run = connection.execute
    column = quoted(name)
    run(f"CREATE SCHEMA {quoted('s' + name)}".encode())
    table = f"{quoted('s' + name)}.{quoted('t' + name)}"
    run(f"CREATE TABLE {table} ({column} text PRIMARY KEY, {quoted('v' + name)} text)".encode())
    keys = ", ".join(f"{quoted(key)} text REFERENCES {table}" for key in (name, f"{name}_id"))
    run(f"CREATE TABLE referring (id int, {keys})".encode())
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table.replace('%', '%%')} VALUES (%s, %s)", [("a", name), ("b", "other")])
    run("INSERT INTO referring VALUES (1, 'a', 'b'), (2, 'b', 'a'), (3, NULL, NULL)")
    assert found(connection, {f"{name}.v{name}": name}) == [1]
    assert found(connection, {f"{name}_id.v{name}": {"$in": [name]}}) == [2]
    assert found(connection, {f"{name}_id.{name}": None}) == [3]
    assert found(connection, {"$not": {f"{name}.v{name}": name, "id": {"$gt": 0}}}) == [2]


def test_a_hostile_step_leads_nowhere(fortress: Fortress) -> None:
    compiled = "SELECT to_jsonb(predicate) FROM pgsim._compile_filter('referring', $1, '{}', false)"
    texts = [
        text for text in hostile_strings(500, seed=10) if text not in {"id", "name", "author", "author_id", "authors"}
    ]
    assert len(texts) > 450
    for path in ("{}.name", "author.{}", "author_id.{}.name", "authors.name.{}", "{}.author.name"):
        outcomes = fortress.attack(compiled, [{path.replace("{}", text): "x"} for text in texts])
        for text, outcome in zip(texts, outcomes, strict=True):
            assert isinstance(outcome, Refusal), (path, text)
            assert outcome.sqlstate in {"PS005", "PS014"}, (path, text, outcome)
            assert outcome.hint
