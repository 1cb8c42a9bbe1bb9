"""``pgsim tune COLLECTION`` shows what was tried, draws it, and builds what it chose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

import numpy as np
import psycopg
import pytest
from terraces import DIM, NAME, falling, fill

from pgsim.cli.screen import output
from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.command_line import CommandLine
    from fixtures.roles import RoleFactory


class Tune(Protocol):
    def __call__(self, *arguments: str, status: int = 0) -> str: ...


QUICK = (
    "--dims",
    "8",
    "--dims",
    str(DIM),
    "--element",
    "halfvec",
    "--searches",
    "5",
    "--sample",
    "200",
    "--recall",
    "0.9",
)


@pytest.fixture
def pgsim_on(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Tune:
    """Runs a command on the database of PGSIM_DSN, which must end so; what it printed."""
    monkeypatch.setattr(output, "width", 220)

    def call(*arguments: str, status: int = 0) -> str:
        ran = command_line(*arguments)
        assert ran.status == status, ran.out + ran.err
        return ran.out + ran.err

    return call


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Queries, and labels that say that key 7 answers the first two of them."""
    np.save(tmp_path / "queries.npy", falling(6, seed=6))
    (tmp_path / "labels.csv").write_text("query,key\n0,7\n1,7\n1,4711\n")
    return str(tmp_path / "queries.npy"), str(tmp_path / "labels.csv")


@pytest.fixture
def on_terrace(pgsim_on: Tune, terrace_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Tune:
    monkeypatch.setenv("PGSIM_DSN", terrace_dsn)
    return pgsim_on


def test_a_collection_is_tuned_with_and_without_saying_index(on_terrace: Tune, tmp_path: Path) -> None:
    shown = on_terrace("tune", NAME, *QUICK, "--plot", str(tmp_path / "a.svg"))
    assert "5 rows held out, measured on 200 of 600 rows" in shown
    assert "among more rows an index finds less" in shown
    assert "Chosen: " in shown
    assert "Whole vectors stored as halfvec: " in shown
    assert (tmp_path / "a.svg").read_text().count("halfvec") >= 1
    assert "Chosen: " in on_terrace("tune", "index", NAME, *QUICK)
    assert "Chosen: " in on_terrace("tune", *QUICK, NAME)


def test_task_quality_stands_beside_recall_where_labels_are(on_terrace: Tune, files: tuple[str, str]) -> None:
    shown = on_terrace("tune", NAME, *QUICK, "--queries", files[0], "--labels", files[1])
    assert "MRR@10" in shown
    assert "6 queries" in shown
    assert "1 of the labelled keys are not in the table." in shown


def test_everything_measured_is_there_as_json(on_terrace: Tune) -> None:
    told = json.loads(on_terrace("tune", NAME, *QUICK, "--json", "--rotated"))
    assert {(each["dims"], each["rotated"]) for each in told["trials"]} == {(8, False), (DIM, False), (8, True)}
    assert json.loads(on_terrace("tune", "prefixes", NAME, "--dims", "4", "--json"))["prefixes"][0]["dims"] == 4


def test_prefixes_are_shown_with_what_they_cannot_give(on_terrace: Tune) -> None:
    shown = on_terrace("tune", "prefixes", NAME, "--dims", "2", "--dims", str(DIM), "--keep", "10", "--searches", "20")
    assert "rotated in 10" in shown
    assert f"Smallest for a recall of 0.99, as they are: {DIM} in 10." in shown
    assert "20 of 20 queries the true top 10 is the top 10 of no vector at all" in shown


def test_the_best_in_a_budget_is_told(pgsim_on: Tune, database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSIM_DSN", database_dsn)
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        fill(connection, falling(120, dim=12))
    shown = pgsim_on("advise", NAME, "--memory", "1GB", "--recall", "0.9")
    assert "Best in 1 GB: " in shown
    assert "8 halfvec, rotated" in shown
    assert "None fits 1 bytes." in pgsim_on("advise", NAME, "--memory", "1")


def test_what_is_chosen_is_built_calibrated_and_measured(
    pgsim_on: Tune, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSIM_DSN", database_dsn)
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        fill(connection, falling(150))
        connection.execute("CREATE INDEX kept ON terrace (tenant)")
        shown = pgsim_on("tune", NAME, "--element", "halfvec", "--dims", str(DIM), "--searches", "20", "--apply")
        assert "is built; calibrated." in shown
        assert "Searches of all rows at recall 0.99 find" in shown
        built = connection.execute("SELECT dims, element, method, valid FROM pgsim.indexes").fetchall()
        assert built == [(DIM, "halfvec", "hnsw", True)]
        assert connection.execute("SELECT count(*) FROM pgsim._calibration").fetchall() == [(1,)]
        again = pgsim_on("tune", NAME, "--element", "halfvec", "--dims", str(DIM), "--searches", "20", "--apply")
        assert "was there; calibrated." in again
        assert connection.execute("SELECT count(*), to_regclass('kept')::text FROM pgsim.indexes").fetchall() == [
            (1, "kept")
        ]


def test_a_rotated_prefix_is_made_where_it_wins(
    pgsim_on: Tune, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSIM_DSN", database_dsn)
    # What tells most stands last: no prefix is worth anything until the vectors are turned.
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        fill(connection, falling(1400, dim=96)[:, ::-1])
        arguments = ("tune", NAME, "--element", "halfvec", "--dims", "16", "--dims", "96", "--searches", "10")
        # Whole vectors do not fit, and without a rotation none is left.
        arguments += ("--recall", "0.95", "--budget", "500kB", "--apply")
        assert "None that can be built" in pgsim_on(*arguments, "--no-rotated", status=1)
        shown = pgsim_on(*arguments)
        assert "Chosen: 16 halfvec, rotated" in shown
        assert "Beside the index it takes a rotated copy of the vectors" in shown
        assert "is built; calibrated." in shown
        assert "was there; calibrated." in pgsim_on(*arguments)
        name = f"{NAME}-pca-16"
        built = connection.execute("SELECT model, dims, element, valid FROM pgsim.indexes").fetchall()
        assert built == [(name, 16, "halfvec", True)]
        # The statement that lets it answer is told, and works as it stands.
        connection.execute(shown[shown.index("SELECT pgsim.activate(") :].split(";")[0].encode())
        query = falling(1, dim=96, seed=8)[:, ::-1]
        found = connection.execute(
            "SELECT key, details ->> 'model' FROM pgsim.search(%s, %s)", [NAME, vector_text(query[0])]
        ).fetchall()
        exact = connection.execute(
            'SELECT "the %%"::text FROM terrace ORDER BY "e ""%%" <=> %s LIMIT 10', [vector_text(query[0])]
        ).fetchall()
        assert {model for _, model in found} == {name}
        assert len({key for key, _ in found} & {key for (key,) in exact}) >= 8


def test_nothing_is_built_when_nothing_suffices(on_terrace: Tune, terrace_dsn: str) -> None:
    shown = on_terrace("tune", NAME, *QUICK, "--budget", "1", "--apply", status=1)
    assert "None that can be built, and fits the budget, reaches a recall of 0.9." in shown
    with psycopg.connect(terrace_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM pgsim.indexes").fetchall() == [(0,)]


def test_who_may_not_build_is_told_before_anything_is_measured(
    pgsim_on: Tune, role: RoleFactory, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = role("reader")
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        fill(connection, falling(200))
        connection.execute(f"GRANT SELECT ON terrace TO {reader}".encode())
    joined = "&" if "?" in database_dsn else "?"
    monkeypatch.setenv("PGSIM_DSN", f"{database_dsn}{joined}user={reader}&password={reader}")
    assert "may search, but not change the registry" in pgsim_on("tune", NAME, *QUICK, "--apply", status=1)
    assert "Chosen: " in pgsim_on("tune", NAME, *QUICK)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--plot", "a.bmp"], "cannot be written to"),
        (["--labels", "LABELS"], "without --queries"),
        (["--queries", "QUERIES", "--labels", "QUERIES"], "--labels"),
        (["--queries", "LABELS"], "cannot be read as vectors"),
        (["--budget", "many"], "--budget 'many' is not a size"),
        (["--recall", "2"], "recall is 2"),
        (["--dims", "99"], "each is a length from 1 to 24"),
    ],
)
def test_mistakes_are_told(on_terrace: Tune, files: tuple[str, str], arguments: list[str], told: str) -> None:
    named = {"QUERIES": files[0], "LABELS": files[1]}
    assert told in on_terrace("tune", NAME, *(named.get(each, each) for each in arguments), status=1)


@pytest.mark.parametrize(
    "line", ["query,key\n9,7\n", "query,key\nx,7\n", "key\n7\n", "query,key\n0,\n", "query,key\n-1,7\n"]
)
def test_labels_that_name_no_query_are_told(
    on_terrace: Tune, files: tuple[str, str], tmp_path: Path, line: str
) -> None:
    (tmp_path / "labels.csv").write_text(line)
    assert "--labels" in on_terrace("tune", NAME, "--queries", files[0], "--labels", files[1], status=1)


def test_options_that_do_nothing_together_are_refused(on_terrace: Tune) -> None:
    assert "--memory is given with" in on_terrace("advise", NAME, "--memory", "1GB", "--apply", status=1)
    assert "without --memory" in on_terrace("advise", NAME, "--recall", "0.9", status=1)
