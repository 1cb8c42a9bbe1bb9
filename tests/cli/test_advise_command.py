"""``pgsim advise`` shows what is advised, and builds it when asked to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

from pgsim import Database
from pgsim.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from cli.conftest import Pgsim
    from fixtures.server import Server

ROWS, DIM = 6300, 8


def fill(db: Database, connection: psycopg.Connection[Any]) -> None:
    vectors = np.random.default_rng(3).normal(size=(ROWS, DIM))
    connection.execute(f"CREATE TABLE notes (id int PRIMARY KEY, lang text, code text, e vector({DIM}))".encode())
    connection.execute(
        "INSERT INTO notes SELECT i, CASE WHEN i %% 3 = 0 THEN 'en' ELSE 'd' || i %% 3 END, 'c' || i, v "
        "FROM unnest(%s::vector[]) WITH ORDINALITY AS u (v, i)",
        [[str(list(map(float, vector))) for vector in vectors]],
    )
    connection.execute("ANALYZE notes")
    db.create_collection("notes", filter_columns=["lang"])
    db.create_model("m", DIM)
    db.create_version("notes", "m", column_name="e")
    connection.execute(
        "INSERT INTO pgsim._calibration SELECT v.id, %s, 60, '{-1,0,1,2,2.5,3,3.5,4}', "
        "'{1.2,1.6,2.1,2.5,2.9}', 1.1 FROM pgsim.versions AS v",
        [ROWS],
    )
    connection.execute(
        "UPDATE pgsim._calibration SET scan_row = 1e-6, exact_row = 1e-5, code_row = 5e-6, keep_row = 1e-7, "
        "ann_start = 1e-4, ann_candidate = 1e-5"
    )
    db.record_searches("notes", share=1, values=True)
    searched: list[Mapping[str, object] | None] = [{"lang": "en"}, {"code": "c77"}, None]
    for filter in searched:
        for _ in range(5):
            db.search("notes", np.ones(DIM), filter=filter)
    db.record_searches("notes", share=0)


@pytest.fixture(scope="module")
def notes_database(server: Server, template: str) -> Iterator[str]:
    """6,300 notes in three languages, whose searches were recorded."""
    with server.database("notes", template) as name:
        with Database(server.dsn(name)) as db, db.connection() as connection:
            fill(db, connection)
        yield name


@pytest.fixture
def database_dsn(server: Server, notes_database: str) -> Iterator[str]:
    with server.database("notes", notes_database) as name:
        yield server.dsn(name)


@pytest.fixture
def notes(database_dsn: str) -> str:
    """The DSN of a database with the notes, for a test that commits."""
    return database_dsn


def indexes(dsn: str) -> list[tuple[object, ...]]:
    """Kind and validity of each index on the table, but for its primary key."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT m.amname || CASE WHEN x.indpred IS NULL THEN '' ELSE ' partial' END, x.indisvalid "
            "FROM pg_index AS x JOIN pg_class AS k ON k.oid = x.indexrelid JOIN pg_am AS m ON m.oid = k.relam "
            "WHERE x.indrelid = 'notes'::regclass AND NOT x.indisprimary ORDER BY 1"
        ).fetchall()


def test_advice_is_a_table_with_what_it_gains_and_takes(pgsim: Pgsim, notes: str) -> None:
    told = pgsim("advise", "notes")
    assert "btree_index" in told
    assert "partial_index" in told
    assert '{"lang": "en"}' in told
    assert "kB" in told
    assert "CREATE INDEX CONCURRENTLY notes_code_idx ON public.notes USING btree (code);" in told
    assert indexes(notes) == []


def test_apply_builds_what_is_advised_while_the_table_is_written(pgsim: Pgsim, notes: str) -> None:
    with psycopg.connect(notes) as reader:
        reader.execute("SELECT pg_advisory_lock(1)")
        reader.commit()
        told = pgsim("advise", "notes", "--apply")
    assert "partial_index" in told
    assert "4 of 4 done." in told
    assert set(indexes(notes)) == {("btree", True), ("hnsw", True), ("hnsw partial", True)}
    with Database(notes) as db:
        explained = db.explain_search("notes", np.ones(DIM), filter={"lang": "en"})
    assert explained["strategy"] == "partial"
    assert "partial_index" not in pgsim("advise", "notes")


def test_a_budget_is_a_size_as_people_write_it(pgsim: Pgsim, notes: str) -> None:
    assert "partial_index" not in pgsim("advise", "notes", "--budget", "300 kB", "--apply")
    with psycopg.connect(notes) as connection:
        (built,) = connection.execute("SELECT pg_indexes_size('notes') - pg_relation_size('notes_pkey')").fetchall()[0]
    assert 0 < built <= 300 * 1024
    assert "partial_index" in pgsim("advise", "notes", "--budget", "2GB")
    assert "Nothing is advised" in pgsim("advise", "notes", "--budget", "17")
    for size in ("1000000", "1.5MB", "3tb", "20 m"):
        pgsim("advise", "notes", "--budget", size)


@pytest.mark.parametrize("budget", ["0", "-1", "much", "1XB", "", "9999999TB", "1e3", "\u0663GB"])
def test_what_is_no_size_is_refused(pgsim: Pgsim, budget: str) -> None:
    told = pgsim("advise", "notes", f"--budget={budget}", status=1)
    assert "is not a size" in told
    assert "hint:" in told


def test_what_fails_is_told_and_the_rest_is_built(pgsim: Pgsim, notes: str) -> None:
    with psycopg.connect(notes, autocommit=True) as connection:
        connection.execute(
            "UPDATE notes SET code = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) AS i) "
            "WHERE id = 1"
        )
    told = pgsim("advise", "notes", "--apply", status=1)
    assert "failed: btree_index code" in told
    assert "3 of 4 done." in told
    assert set(indexes(notes)) == {("hnsw", True), ("hnsw partial", True)}


def test_an_unknown_collection_is_a_sentence_and_a_hint(pgsim: Pgsim) -> None:
    told = pgsim("advise", "nothing", status=1)
    assert "'nothing' is not registered" in told
    assert "hint:" in told


def test_python_gets_the_same_and_what_to_build_it_with(notes: str) -> None:
    with Database(notes) as db:
        advice = db.advise("notes", budget=2**40)
        partial = next(each for each in advice if each.kind == "partial_index")
        assert partial.arguments == {"model": "m", "where_filter": json.loads(partial.target)}
        db.create_index("notes", **partial.arguments)
        with db.connection() as connection:
            rows = connection.execute("SELECT * FROM pgsim.advise('notes', budget => 1)").fetchall()
        assert rows == db.advise("notes", budget=1) == []
        for budget in (True, 1.5, "2GB", 2**63):
            with pytest.raises(InvalidArgument):
                db.advise("notes", budget=budget)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument):
            db.advise("notes", budget=0)
