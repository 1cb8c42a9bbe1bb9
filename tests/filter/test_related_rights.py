"""Searches along foreign keys: what a role may not see of the related table stays unseen."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def papers(connection: psycopg.Connection) -> psycopg.Connection:
    """Papers 1 and 2 by the authors 1 and 2, 3 by nobody; `reader` may read papers alone."""
    run = connection.execute
    (extension_schema,) = run("SELECT pgsim._vector_schema()").fetchone() or ("",)
    run("CREATE ROLE reader; CREATE SCHEMA people; CREATE SCHEMA hostile; GRANT USAGE ON SCHEMA hostile TO reader")
    run("""
        CREATE TABLE people.countries (code text PRIMARY KEY, region text);
        CREATE TABLE people.authors (id int PRIMARY KEY, name text, country text REFERENCES people.countries,
                                     salary int);
        INSERT INTO people.countries VALUES ('DE', 'EU'), ('US', 'NA');
        INSERT INTO people.authors VALUES (1, 'Ada', 'DE', 10), (2, 'Bea', 'US', 20);
    """)
    run(
        "CREATE TABLE papers (id int PRIMARY KEY, author_id int REFERENCES people.authors, "
        f"embedding {extension_schema}.vector(2) DEFAULT '[1,0]')"
    )
    run("INSERT INTO papers VALUES (1, 1), (2, 2), (3, NULL)")
    run("SELECT pgsim.create_collection('papers'), pgsim.create_model('plain', 2)")
    run("SELECT pgsim.create_version('papers', 'plain', column_name => 'embedding')")
    run("GRANT SELECT ON papers TO reader; SELECT pgsim.sync_privileges('papers')")
    return connection


@contextmanager
def reading(connection: psycopg.Connection) -> Iterator[None]:
    connection.execute("SET LOCAL ROLE reader")
    try:
        with connection.transaction():
            yield
    finally:
        connection.execute("RESET ROLE")


def found(
    connection: psycopg.Connection, filter: object, mode: str = "exact", where_sql: str | None = None
) -> list[int]:
    rows = connection.execute(
        "SELECT key::int FROM pgsim.search('papers', '[1,0]', filter => %s, mode => %s, where_sql => %s)",
        [json.dumps(filter), mode, where_sql],
    )
    return sorted(key for (key,) in rows)


GRANTS = [
    ("name", "GRANT SELECT ON people.authors TO reader", "USAGE ON SCHEMA people TO reader"),
    ("name", "GRANT USAGE ON SCHEMA people TO reader", "GRANT SELECT (id) ON people.authors TO reader"),
    (
        "salary",
        "GRANT USAGE ON SCHEMA people TO reader; GRANT SELECT (id, name) ON people.authors TO reader",
        "GRANT SELECT (salary) ON people.authors TO reader",
    ),
    (
        "country.region",
        "GRANT USAGE ON SCHEMA people TO reader; GRANT SELECT (id) ON people.authors TO reader",
        "GRANT SELECT (country) ON people.authors TO reader",
    ),
    (
        "country.region",
        "GRANT USAGE ON SCHEMA people TO reader; GRANT SELECT ON people.authors TO reader",
        "GRANT SELECT (code) ON people.countries TO reader",
    ),
]


@pytest.mark.parametrize(("path", "granted", "missing"), GRANTS)
def test_a_missing_grant_on_the_related_table_is_named(
    papers: psycopg.Connection, path: str, granted: str, missing: str
) -> None:
    papers.execute(granted.encode())
    with pytest.raises(psycopg.Error) as raised, reading(papers):
        found(papers, {f"author.{path}": None})
    assert raised.value.sqlstate == "PS032"
    assert "reader" in str(raised.value)
    assert missing in (raised.value.diag.message_hint or "")


def test_the_grants_that_the_hints_name_are_enough(papers: psycopg.Connection) -> None:
    for _ in range(4):
        with pytest.raises(psycopg.Error) as raised, reading(papers):
            found(papers, {"author.country.region": "EU"})
        papers.execute((raised.value.diag.message_hint or "").encode())
    with reading(papers):
        assert found(papers, {"author.country.region": "EU"}) == [1]
    with pytest.raises(psycopg.Error), reading(papers):
        papers.execute("SELECT salary FROM people.authors")


@pytest.mark.parametrize("mode", ["exact", "ann"])
def test_row_level_security_of_the_related_table_holds(papers: psycopg.Connection, mode: str) -> None:
    papers.execute("GRANT USAGE ON SCHEMA people TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA people TO reader")
    papers.execute("ALTER TABLE people.authors ENABLE ROW LEVEL SECURITY")
    papers.execute("CREATE POLICY ada ON people.authors TO reader USING (name = 'Ada')")
    assert found(papers, {"author.name": {"$exists": True}}, mode) == [1, 2]
    with reading(papers):
        assert found(papers, {"author.name": {"$exists": True}}, mode) == [1]
        assert found(papers, {"author.name": "Bea"}, mode) == []
        assert found(papers, {"$not": {"author.name": "Ada"}}, mode) == []
        # A row that the role does not see is to it as if it were not there.
        assert found(papers, {"author.country.region": None}, mode) == [2, 3]


def test_beside_where_sql_the_path_of_the_caller_changes_nothing(papers: psycopg.Connection) -> None:
    papers.execute("""
        CREATE TABLE hostile.authors (id int, name text); CREATE TABLE hostile.r1 (id int);
        CREATE FUNCTION hostile.never(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT false';
        CREATE OPERATOR hostile.= (FUNCTION = hostile.never, LEFTARG = int, RIGHTARG = int);
        SET LOCAL search_path = hostile, public;
    """)
    assert found(papers, {"author.name": "Ada"}, where_sql="papers.id < 3") == [1]
    assert found(papers, {"$not": {"author.name": "Ada"}}, where_sql="papers.id < 3") == [2]
    assert found(papers, {"author.name": None}, where_sql="author_id IS NULL") == [3]
