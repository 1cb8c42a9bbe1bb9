"""Kinds of codes, tried on a copy of the rows by the filters of their users."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from terraces import NAME, falling, fill

from pgsim import Database, errors

if TYPE_CHECKING:
    from fixtures.command_line import CommandLine

    Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def terrace(connection: Connection) -> Connection:
    """A third of the rows belongs to tenant b, a sixth of all to each place."""
    fill(connection, falling(rows=900), adopted=False)
    connection.execute('ALTER TABLE terrace ADD place int; UPDATE terrace SET place = "the %" / 7 % 6')
    connection.execute("ANALYZE terrace")
    connection.execute("UPDATE pgsim._collection SET filter_columns = '{tenant,place}'")
    return connection


def everything(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT relname::text FROM pg_class WHERE relname LIKE '%trial%' UNION ALL SELECT name FROM pgsim.models "
        "UNION ALL SELECT name FROM pgsim.maps UNION ALL SELECT name FROM pgsim.indexes "
        "UNION ALL SELECT name FROM pgsim.collections ORDER BY 1"
    ).fetchall()


def test_the_kinds_are_measured_and_nothing_is_left_of_it(terrace: Connection) -> None:
    before = everything(terrace)
    report = Database(terrace).tune_codes(NAME, recall=0.9, searches=6)
    assert everything(terrace) == before
    assert [each.name for each in report.kinds] == [
        "24 bit",
        "24 bit, rotated",
        "6 halfvec, rotated",
        "8 halfvec, rotated",
    ]
    # Places leave a sixth of the rows each, tenants more.
    assert len(report.filters) == 3
    assert all(list(each) == ["place"] for each in report.filters)
    assert report.rows == report.total == 900
    assert report.queries == 6
    reaching = [each for each in report.kinds if each.recall and each.recall.value >= 0.9]
    assert report.best in reaching
    assert report.current is None
    assert not report.is_best


def test_filters_and_queries_may_be_given(terrace: Connection) -> None:
    report = Database(terrace).tune_codes(
        NAME, falling(rows=4, seed=9), filters=[{"tenant": "b", "place": {"$lt": 3}}], recall=0.5, sample=400
    )
    assert report.queries == 4
    assert report.rows < 500
    assert report.total == 900
    assert report.best is not None


def test_a_model_with_prefixes_needs_no_rotation(connection: Connection) -> None:
    fill(connection, falling(rows=300), matryoshka="{8,24}")
    connection.execute("UPDATE pgsim._collection SET filter_columns = '{tenant}'")
    report = Database(connection).tune_codes(NAME, filters=[{"tenant": "b"}], recall=0.5, searches=2)
    assert [each.name for each in report.kinds] == ["24 bit", "6 halfvec", "8 halfvec"]


def test_the_chosen_kind_can_be_made(terrace: Connection) -> None:
    database = Database(terrace)
    database.fit_codes_map(NAME, "turn")
    database.create_index(NAME, method="codes", dims=8, element="halfvec", options={"map": "turn"})
    told = database.explain_search(NAME, falling(rows=1, seed=3)[0], filter={"place": 2}, mode="codes", recall=0.9)
    assert told["stages"][0]["strategy"] == "codes"
    report = database.tune_codes(NAME, recall=0.5, searches=2)
    assert report.current is not None
    assert report.is_best == (report.best is not None and report.best.name == "8 halfvec, rotated")


def test_the_command_makes_the_kind_that_it_chose(
    database_dsn: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSIM_DSN", database_dsn)
    with psycopg.connect(database_dsn) as connection:
        fill(connection, falling(rows=400))
        connection.execute("UPDATE pgsim._collection SET filter_columns = '{tenant}'")
        connection.execute("SELECT pgsim.create_index(%s, %s, method => 'codes')", [NAME, NAME])
    asked = ("tune", "codes", NAME, "--filter", '{"tenant": "b"}', "--searches", "3", "--recall", "0.6")
    tried = command_line(*asked, "--json")
    best = json.loads(tried.out)["best"]
    assert best["recall"]["value"] >= 0.6
    applied = command_line(*asked, "--apply")
    assert applied.status == 0, applied.err
    assert "Chosen: " in applied.out
    chosen = applied.out.split("Chosen: ")[1].split(", the")[0]
    with psycopg.connect(database_dsn) as connection:
        made = connection.execute("SELECT dims, element, options ? 'map' FROM pgsim.indexes WHERE valid").fetchall()
    assert [f"{dims} {element}{', rotated' if turned else ''}" for dims, element, turned in made] == [chosen]
    assert command_line("tune", "codes", NAME, "--filter", "[1]").status != 0


def test_two_who_tune_at_once_do_not_disturb_each_other(database_dsn: str) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        fill(connection, falling(rows=300))
        connection.execute("UPDATE pgsim._collection SET filter_columns = '{tenant}'")
        before = everything(connection)

        def tune(_: int) -> list[str]:
            with Database(database_dsn) as database:
                report = database.tune_codes(NAME, filters=[{"tenant": "b"}], recall=0.5, searches=2)
                return [each.name for each in report.kinds]

        with ThreadPoolExecutor(2) as threads:
            first, second = threads.map(tune, range(2))
        assert first == second
        assert everything(connection) == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"filters": []}, errors.WrongState),
        ({"filters": [{"nobody": 1}]}, errors.PgsimError),
        ({"recall": 0.2}, errors.InvalidArgument),
        ({"recall": np.nan}, errors.InvalidArgument),
        ({"sample": 3}, errors.InvalidArgument),
        ({"k": 0}, errors.InvalidArgument),
    ],
)
def test_what_cannot_be_tried_is_refused(
    terrace: Connection, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with terrace.transaction(force_rollback=True), pytest.raises(error):
        Database(terrace).tune_codes(NAME, searches=2, **arguments)
