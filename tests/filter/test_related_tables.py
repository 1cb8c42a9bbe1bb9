"""Paths along foreign keys: a filter asks of the row that a row refers to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from filtered import Table

if TYPE_CHECKING:
    from filtered import TableFactory

COUNTRIES = """
CREATE TABLE countries (code text PRIMARY KEY, region text, facts jsonb);
INSERT INTO countries VALUES ('DE', 'EU', '{"euro": true}'), ('US', 'NA', '{"euro": false}'), ('AQ', NULL, NULL);
CREATE TABLE maintainers (id int PRIMARY KEY, name text, country text REFERENCES countries,
                          mentor_id int REFERENCES maintainers, "code.name" text, tags text[]);
INSERT INTO maintainers VALUES (1, 'Ada', 'DE', NULL, 'x', '{old,kind}'), (2, 'Bea', 'US', 1, 'y', '{kind}'),
                               (3, 'Cy', 'AQ', 2, NULL, '{}'), (4, 'Di', NULL, 3, NULL, NULL);
CREATE TABLE releases (major int, minor text, stable boolean, PRIMARY KEY (major, minor));
INSERT INTO releases VALUES (1, 'a', true), (1, 'b', false), (2, 'a', NULL);
"""


@pytest.fixture
def packages(table: TableFactory) -> Table:
    """Packages 1 to 4 have the maintainers of these numbers; 5 has none."""
    table.connection.execute(COUNTRIES)
    packages = table(
        "name text, maintainer_id int REFERENCES maintainers, reviewer int REFERENCES maintainers, "
        "major int, minor text, meta jsonb, FOREIGN KEY (major, minor) REFERENCES releases",
        "'a', 1, 2, 1, 'a', NULL",
        "'b', 2, 2, 1, 'b', NULL",
        "'c', 3, NULL, 2, 'a', NULL",
        "'d', 4, 1, 1, NULL, NULL",
        "'e', NULL, 1, NULL, NULL, NULL",
    )
    table.connection.execute(f"ALTER TABLE {packages.name} RENAME TO packages")
    packages.name = "packages"
    return packages


EXAMPLES = [
    ({"maintainer.name": "Ada"}, [1]),
    ({"maintainer_id.name": "Ada"}, [1]),
    ({"maintainer.country": "US"}, [2]),
    ({"maintainer.country": {"$in": ["DE", "US"]}}, [1, 2]),
    ({"maintainer.country.region": "EU"}, [1]),
    ({"maintainer.country.region": {"$in": ["EU", "NA"]}}, [1, 2]),
    ({"maintainer.countries.region": "EU"}, [1]),
    ({"maintainer.country.facts.euro": True}, [1]),
    ({"maintainer.country.facts": {"$contains": {"euro": False}}}, [2]),
    ({"maintainer.tags": {"$contains": "kind"}}, [1, 2]),
    ({"maintainer.code.name": "x"}, [1]),
    ({"maintainer.mentor.name": "Ada"}, [2]),
    ({"maintainer.mentor.mentor.mentor.name": "Ada"}, [4]),
    ({"maintainer.mentor.country.region": "EU"}, [2]),
    ({"reviewer.name": "Ada"}, [4, 5]),
    ({"reviewer.name": "Bea", "maintainer.name": {"$ne": "Bea"}}, [1]),
    ({"maintainer.name": {"$gte": "Bea", "$lt": "Di"}}, [2, 3]),
    ({"maintainer.name": "Cy", "maintainer.country": "AQ"}, [3]),
    ({"maintainer.name": "Cy", "maintainer.country": "DE"}, []),
    ({"releases.stable": True}, [1]),
    ({"releases.major": 1, "releases.minor": {"$gt": "a"}}, [2]),
    ({"$or": [{"maintainer.name": "Ada"}, {"name": "e"}]}, [1, 5]),
]


@pytest.mark.parametrize(("filter", "ids"), EXAMPLES, ids=[str(example) for example, _ in EXAMPLES])
def test_a_path_along_a_foreign_key_asks_of_the_related_row(packages: Table, filter: object, ids: list[int]) -> None:
    assert packages.ids(filter) == ids


# 3 has a country without a region, 4 a maintainer without a country, 5 no maintainer; 4 and 5 have no whole key.
NO_VALUE = [
    ({"maintainer.country.region": {"$ne": "EU"}}, [2]),
    ({"maintainer.country.region": {"$not": "EU"}}, [2]),
    ({"$not": {"maintainer.country.region": "EU"}}, [2]),
    ({"$not": {"$not": {"maintainer.country.region": "EU"}}}, [1]),
    ({"$not": {"$or": [{"maintainer.country.region": "EU"}, {"id": 9}]}}, [2]),
    ({"$not": {"maintainer.country.region": "EU", "name": {"$exists": True}}}, [2]),
    ({"$not": {"maintainer.country.region": "nowhere"}}, [1, 2]),
    ({"maintainer.country.region": {"$exists": True}}, [1, 2]),
    ({"maintainer.country.region": {"$exists": False}}, [3, 4, 5]),
    ({"maintainer.country.region": None}, [3, 4, 5]),
    ({"maintainer.country.region": {"$ne": None}}, [1, 2]),
    ({"maintainer.country.region": {"$in": ["EU", None]}}, [1, 3, 4, 5]),
    ({"maintainer.country.region": {"$nin": ["EU", None]}}, [2]),
    ({"maintainer.country.region": {"$in": []}}, []),
    ({"maintainer.country.region": {"$nin": []}}, [1, 2, 3, 4, 5]),
    ({"$not": {"maintainer.country.region": {"$exists": True}, "id": {"$gt": 0}}}, [3, 4, 5]),
    ({"$not": {"maintainer.country.region": None, "id": {"$gt": 0}}}, [1, 2]),
    ({"$not": {"$not": {"maintainer.country.region": None, "id": {"$gt": 0}}}}, [3, 4, 5]),
    ({"maintainer.country.facts.euro": {"$exists": False}}, [3, 4, 5]),
    ({"maintainer.country.facts.euro": {"$ne": True}}, [2]),
    ({"maintainer.id": {"$exists": False}}, [5]),
    ({"releases.stable": {"$exists": False}}, [3, 4, 5]),
    ({"$not": {"releases.stable": True}}, [2]),
    ({"$not": {"releases.stable": True, "id": {"$gt": 0}}}, [2]),
]


@pytest.mark.parametrize(("filter", "ids"), NO_VALUE, ids=[str(example) for example, _ in NO_VALUE])
def test_without_a_related_row_its_columns_are_as_if_null(packages: Table, filter: object, ids: list[int]) -> None:
    assert packages.ids(filter) == ids


COLUMNS = [
    ({"maintainer.country.region": "EU"}, ["maintainer_id"]),
    ({"releases.stable": True}, ["major", "minor"]),
    ({"$or": [{"releases.stable": True}, {"minor": "a", "reviewer.name": "Ada"}]}, ["major", "minor", "reviewer"]),
]


@pytest.mark.parametrize(("filter", "columns"), COLUMNS, ids=[str(example) for example, _ in COLUMNS])
def test_the_columns_that_a_path_reads_are_those_of_the_foreign_key(
    packages: Table, filter: object, columns: list[str]
) -> None:
    compiled = packages.connection.execute(
        "SELECT columns FROM pgsim._compile_filter('packages', %s, '{}', false)", [json.dumps(filter)]
    ).fetchone()
    assert compiled
    assert sorted(compiled[0]) == columns


BAD = [
    ({"maintainers.name": "Ada"}, "PS014"),
    ({"maintainer.mentor.mentor.mentor.mentor.name": "Ada"}, "PS014"),
    ({"maintainer.name.first": "Ada"}, "PS014"),
    ({"name.country": "DE"}, "PS014"),
    ({"maintainer.name": {}}, "PS014"),
    ({"maintainer.name": {"$regex": "A"}}, "PS014"),
    ({"maintainer.name": {"first": "A"}}, "PS014"),
    ({"maintainer.country.facts": {"$eq": 1, "x": 2}}, "PS014"),
    ({"maintainer": "Ada"}, "PS005"),
    ({"maintainer": {"country": "DE"}}, "PS005"),
    ({"releases": {"$exists": True}}, "PS005"),
    ({"countries.region": "EU"}, "PS005"),
    ({"maintainer.region": "EU"}, "PS005"),
    ({"maintainer.country.population": 1}, "PS005"),
    ({"maintainer.": 1}, "PS005"),
    ({"maintainer..name": 1}, "PS005"),
    ({".maintainer.name": 1}, "PS005"),
    ({"Maintainer.name": 1}, "PS005"),
    ({"maintainer.ctid": "(0,1)"}, "PS005"),
    ({"maintainer." + "x." * 5000: 1}, "PS005"),
    ({"maintainer.name": 5}, "PS015"),
    ({"maintainer.id": {"$in": ["1"]}}, "PS015"),
]


@pytest.mark.parametrize(("filter", "sqlstate"), BAD, ids=[str(example)[:60] for example, _ in BAD])
def test_a_path_that_leads_nowhere_is_refused(packages: Table, filter: object, sqlstate: str) -> None:
    refused = packages.refusal(filter)
    assert refused.sqlstate == sqlstate, refused
    assert refused.message
    assert refused.hint
    assert len(refused.message) < 1000


def test_the_hint_names_the_ways_that_there_are(packages: Table) -> None:
    assert packages.refusal({"maintainers.name": "Ada"}).message == (
        "'maintainers.name': maintainers leads from table public.packages along 2 foreign keys"
    )
    assert (
        packages.refusal({"maintainers.name": "Ada"}).hint == "Name one of maintainer, maintainer_id, reviewer instead."
    )
    assert packages.refusal({"countries.region": "EU"}).hint.endswith(
        "Paths lead into related tables by maintainer, maintainer_id, maintainers, releases, reviewer."
    )
    assert "by maintainer, maintainer_id" in packages.refusal({"name.country": "DE"}).hint
    assert 'name a column of that, {"maintainer.column": ...}' in packages.refusal({"maintainer": "Ada"}).hint
    assert packages.refusal({"maintainer.region": "EU"}).message == (
        "'maintainer.region': table public.maintainers has no column 'region'"
    )


def test_where_two_keys_have_the_same_columns_the_table_tells_them_apart(table: TableFactory) -> None:
    table.connection.execute(
        "CREATE TABLE old (id int PRIMARY KEY, a int); CREATE TABLE young (id int PRIMARY KEY, a int); "
        "INSERT INTO old VALUES (1, 10); INSERT INTO young VALUES (1, 20)"
    )
    things = table("x_id int REFERENCES old REFERENCES young", "1")
    assert things.refusal({"x.a": 10}).hint == "Name one of old, young instead."
    assert things.ids({"old.a": 10, "young.a": 20}) == [1]


def test_a_key_that_is_there_twice_is_one_way(table: TableFactory) -> None:
    table.connection.execute("CREATE TABLE old (id int PRIMARY KEY, a int); INSERT INTO old VALUES (1, 10)")
    things = table("x_id int REFERENCES old REFERENCES old", "1")
    assert things.ids({"x.a": 10}) == things.ids({"old.a": 10}) == [1]


def test_a_column_goes_before_a_key_and_a_key_before_a_table(table: TableFactory) -> None:
    table.connection.execute(
        "CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 10), (2, 20); "
        "CREATE TABLE b (id int PRIMARY KEY, v int); INSERT INTO b VALUES (1, 30), (2, 40)"
    )
    json_column = table("a jsonb, a_id int REFERENCES a", """'{"v": 5}', 1""")
    assert json_column.ids({"a.v": 5}) == json_column.ids({"a_id.v": 10}) == [1]
    text_column = table("a text, a_id int REFERENCES a", "'x', 1")
    assert text_column.ids({"a": "x", "a.v": 10}) == [1]
    by_name = table("b int REFERENCES a, b_id int REFERENCES b, other int REFERENCES b", "1, 2, 1")
    assert by_name.ids({"b.v": 10}) == by_name.ids({"b_id.v": 40}) == by_name.ids({"other.v": 30}) == [1]
    dotted = table('"a.v" int, a_id int REFERENCES a', "7, 1")
    assert dotted.ids({"a.v": 7}) == dotted.ids({"a_id.v": 10}) == [1]


def test_no_name_of_either_table_is_taken_for_another(table: TableFactory) -> None:
    table.connection.execute(
        "CREATE TABLE r1 (r1 int PRIMARY KEY, owner_id int, j1_1 int, r2 int REFERENCES r1, id int); "
        "INSERT INTO r1 VALUES (1, 2, 7, NULL, 90), (2, 1, 8, 1, 91)"
    )
    things = table(
        "owner_id int REFERENCES r1, j1_1 int REFERENCES r1, j1__1 int, r1 int REFERENCES r1, j1 int REFERENCES r1",
        "1, 2, 1, 1, 2",
        "2, 1, 2, 1, 1",
    )
    assert things.ids({"owner.j1_1": 7}) == [1]
    assert things.ids({"owner.owner_id": 2}) == [1]
    assert things.ids({"j1_1.j1_1": 7}) == [2]
    assert things.ids({"j1.j1_1": 7, "r1.id": 90}) == [2]
    assert things.ids({"owner.r2.j1_1": 7}) == [2]
    assert things.ids({"owner.id": 91}) == [2]


def test_rows_match_as_the_key_matches_them(table: TableFactory) -> None:
    table.connection.execute(
        "CREATE COLLATION plain (provider = libc, locale = 'C'); CREATE SCHEMA \"se.t%\"; "
        'CREATE TABLE "se.t%"."t%s" ("k%I" text COLLATE plain PRIMARY KEY, big bigint UNIQUE, "Select" int); '
        "INSERT INTO \"se.t%\".\"t%s\" VALUES ('a', 5000000000, 1), ('b', 2, 2)"
    )
    things = table(
        '"t%" text REFERENCES "se.t%"."t%s", small int REFERENCES "se.t%"."t%s" (big), '
        'c varchar(9) REFERENCES "se.t%"."t%s"',
        "'a', 2, 'b'",
        "'b', NULL, NULL",
    )
    assert things.ids({"t%.Select": 1}) == [1]
    assert things.ids({"small.Select": 2}) == [1]
    assert things.ids({"c.k%I": {"$gte": "b"}}) == [1]
    assert things.ids({"$not": {"t%.Select": 1}}) == [2]


def test_partitioned_tables_are_related_like_others(table: TableFactory) -> None:
    run = table.connection.execute
    run("CREATE TABLE years (year int PRIMARY KEY, note text) PARTITION BY RANGE (year)")
    run("CREATE TABLE years_a PARTITION OF years FOR VALUES FROM (0) TO (2000)")
    run("CREATE TABLE years_b PARTITION OF years FOR VALUES FROM (2000) TO (3000) PARTITION BY RANGE (year)")
    run("CREATE TABLE years_c PARTITION OF years_b FOR VALUES FROM (2000) TO (3000)")
    run("CREATE TABLE events (id int, year int REFERENCES years) PARTITION BY RANGE (id)")
    run("CREATE TABLE events_a PARTITION OF events FOR VALUES FROM (0) TO (10)")
    run("CREATE TABLE events_b (id int, year int REFERENCES years)")
    run("ALTER TABLE events ATTACH PARTITION events_b FOR VALUES FROM (10) TO (20)")
    run("INSERT INTO years VALUES (1999, 'x'), (2001, 'y')")
    run("INSERT INTO events VALUES (1, 1999), (2, 2001), (11, 1999), (12, 2001)")
    for name, ids in {"events": [2, 12], "events_a": [2], "events_b": [12]}.items():
        assert Table(table.connection, name).ids({"years.note": "y"}) == ids
        assert Table(table.connection, name).ids({"year.note": "y"}) == ids


def test_a_key_with_a_period_is_no_way(table: TableFactory) -> None:
    if table.connection.info.server_version < 180000:
        pytest.skip("PostgreSQL 18 brought keys with PERIOD")
    table.connection.execute(
        "CREATE TABLE stays (room int4range, during daterange, guest text, PRIMARY KEY (room, during WITHOUT OVERLAPS))"
    )
    things = table(
        "room int4range, during daterange, FOREIGN KEY (room, PERIOD during) REFERENCES stays (room, PERIOD during)"
    )
    assert things.refusal({"stays.guest": "Ada"}).sqlstate == "PS005"


def test_an_index_cannot_depend_on_another_table(packages: Table) -> None:
    with pytest.raises(psycopg.Error, match="an index sees the columns of its own table alone") as raised:
        packages.connection.execute(
            "SELECT pgsim._compile_filter('packages', %s, '{}', inline => true)",
            [json.dumps({"name": "a", "maintainer.country": "DE"})],
        )
    assert raised.value.sqlstate == "PS014"
    assert raised.value.diag.message_hint


def test_a_path_becomes_a_join(packages: Table) -> None:
    run = packages.connection.execute
    run("INSERT INTO maintainers (id, country) SELECT i, 'DE' FROM generate_series(10, 2000) AS i")
    run("INSERT INTO packages (maintainer_id) SELECT 10 + i % 1900 FROM generate_series(1, 20000) AS i")
    run("ANALYZE packages, maintainers, countries")
    plans = {}
    for filter in (
        {"maintainer.country": "US"},
        {"maintainer.country.region": "EU"},
        {"$not": {"maintainer.country": "DE"}},
        {"maintainer.name": None},
        {"releases.stable": True},
    ):
        compiled = run(
            "SELECT predicate, \"values\"::text FROM pgsim._compile_filter('packages', %s, '{}', false)",
            [json.dumps(filter)],
        ).fetchone()
        assert compiled
        predicate, values = compiled
        explained = run(
            f"EXPLAIN SELECT FROM packages WHERE {predicate.replace('($1 ', f'($v${values}$v$::jsonb ')}".encode()
        ).fetchall()
        plans[json.dumps(filter)] = "\n".join(line for (line,) in explained)
    for plan in plans.values():
        assert "SubPlan" not in plan
        assert "Join" in plan or "Nested Loop" in plan
