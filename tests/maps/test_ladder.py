"""A ladder by one call: measured, derived, filled; taken up where it was left."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from atlas import DIM, Atlas, open_atlas, vectors

from pgsim import AsyncDatabase, Database
from pgsim.errors import AlreadyExists, DimensionMismatch, InvalidArgument, WrongState

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.command_line import CommandLine
    from fixtures.server import Server

    from pgsim.ladders import LadderReport
    from pgsim.steps import Row

QUERIES = vectors(40, seed=5)


@pytest.fixture
def wide(connection: psycopg.Connection[Row]) -> Atlas:
    """A collection with rows enough to fit on and to hold some back."""
    return open_atlas(connection, rows=200)


def test_a_ladder_is_measured_made_and_filled(wide: Atlas) -> None:
    seen: list[LadderReport] = []
    report = wide.database.fit_ladder("place", dims=[3, 6], measured=seen.append)
    assert seen == [report]
    assert (report.name, report.base_model, report.dims, report.new) == ("base-pca", "base", (3, 6, DIM), True)
    assert (report.rows, report.queries, report.asked, report.keeps_scores) == (160, 40, "rows", True)
    short = report.prefixes[0]
    assert short.raw is not None
    assert short.mapped is not None
    assert short.mapped[0] > short.raw[0] + 0.2
    assert report.prefixes[-1].mapped == (1, 1, 1)
    assert wide.far("base-pca") is not None
    matryoshka = wide.one("SELECT matryoshka FROM pgsim.models WHERE name = 'base-pca'")
    assert matryoshka == [3, 6, DIM]
    found = wide.database.search("place", QUERIES[0], model="base-pca", dims=[6, DIM], k=5)
    assert [hit.key for hit in found] == [hit.key for hit in wide.database.search("place", QUERIES[0], k=5)]


def test_a_dry_run_measures_and_keeps_nothing(wide: Atlas) -> None:
    report = wide.database.fit_ladder("place", method="whitening", dims=[4, 8], dry_run=True)
    assert (report.keeps_scores, report.dims) == (False, (4, 8))
    assert wide.one("SELECT count(*) FROM pgsim.models") == 1
    assert wide.one("SELECT count(*) FROM pgsim.maps") == 1


def test_leanvec_learns_from_one_half_of_the_queries_and_is_measured_on_the_other(wide: Atlas) -> None:
    report = wide.database.fit_ladder("place", method="leanvec", queries=QUERIES, name="lean")
    assert (report.queries, report.asked, report.keeps_scores) == (20, "queries", True)
    assert wide.one("SELECT metric FROM pgsim.models WHERE name = 'lean'") == "ip"
    base, lean = (wide.database.search("place", QUERIES[0], k=9, model=model) for model in ("base", "lean"))
    assert [hit.key for hit in base] == [hit.key for hit in lean]
    np.testing.assert_allclose([hit.score for hit in base], [hit.score for hit in lean], atol=1e-5)
    # Its prefixes are compared as they are: at length 1 they would be worth little.
    recalled = [
        {hit.key for hit in wide.database.search("place", query, k=50, model="lean", dims=[6])}
        & {hit.key for hit in wide.database.search("place", query, k=10)}
        for query in QUERIES
    ]
    short = next(each for each in report.prefixes if each.dims == 6)
    assert short.mapped is not None
    assert np.mean([len(each) / 10 for each in recalled]) == pytest.approx(short.mapped[1], abs=0.08)


def test_what_was_left_is_taken_up_and_fitted_no_second_time(server: Server, template: str) -> None:
    class Killed(Exception): ...

    def stop(done: int, _: int) -> None:
        if done >= 1000:
            raise Killed

    with server.database("left", template) as name, psycopg.connect(server.dsn(name), autocommit=True) as connection:
        atlas = open_atlas(connection, rows=1500)
        with pytest.raises(Killed):
            atlas.database.fit_ladder("place", progress=stop)
        assert atlas.far("base-pca") is None
        before = atlas.one("SELECT created_at FROM pgsim.maps WHERE name = 'base-pca'")
        atlas.database.drop_version("place", "base-pca")
        again = atlas.database.fit_ladder("place")
        assert not again.new
        assert atlas.one("SELECT created_at FROM pgsim.maps WHERE name = 'base-pca'") == before
        assert atlas.far("base-pca") is not None
        # A refit is another ladder, and stands beside the first.
        other = atlas.database.fit_ladder("place", name="newer", seed=1)
        assert other.new
        assert atlas.far("newer") is not None


async def test_the_async_face_does_the_same(server: Server, template: str) -> None:
    with server.database("alike", template) as name:
        with psycopg.connect(server.dsn(name), autocommit=True) as connection:
            open_atlas(connection, rows=120)
        async with AsyncDatabase(server.dsn(name)) as database:
            report = await database.fit_ladder("place")
            assert report.new
            assert await database.fill_version("place", "base-pca") == 0
            assert (await database.fetch_map("base-pca")).keeps_scores


def test_what_cannot_be_a_ladder_is_refused(wide: Atlas) -> None:
    fit = wide.database.fit_ladder
    with pytest.raises(InvalidArgument, match="method is 'svd'"):
        fit("place", method="svd")
    with pytest.raises(InvalidArgument, match=r"dims is \[3, 13\]; the model has 12"):
        fit("place", dims=[3, 13])
    with pytest.raises(InvalidArgument, match="sample is 0"):
        fit("place", sample=0)
    with pytest.raises(InvalidArgument, match="there are 5 queries; 20 are the least"):
        fit("place", queries=QUERIES[:5])
    with pytest.raises(DimensionMismatch, match="queries have 4 dimensions, the model 12"):
        fit("place", queries=QUERIES[:, :4])
    with pytest.raises(AlreadyExists, match="there is a map 'turned' already, and it is not this ladder"):
        fit("place", name="turned")
    fit("place", name="first")
    with pytest.raises(AlreadyExists, match="there is a map 'first' already"):
        fit("place", name="first", dims=[2])
    with pytest.raises(WrongState, match="model 'first' is another one mapped"):
        fit("place", model="first")
    with pytest.raises(AlreadyExists, match="model 'base', which is no ladder"):
        fit("place", name="base")
    wide.connection.execute("DELETE FROM place WHERE id > 20")
    with pytest.raises(WrongState, match="gave 20 vectors of model 'base'"):
        fit("place", name="few")


def test_the_command_line_fits_a_ladder(
    server: Server, template: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    np.save(tmp_path / "queries.npy", QUERIES)
    with server.database("shell", template) as name:
        monkeypatch.setenv("PGSIM_DSN", server.dsn(name))
        with psycopg.connect(server.dsn(name), autocommit=True) as connection:
            open_atlas(connection, rows=120)
            ran = command_line("ladder", "fit", "place", "--dims", "4,8", "--dry-run")
            assert ran.status == 0
            assert "Recall of the true 10 among the best by a prefix" in ran.out
            assert "Nothing is kept" in ran.out
            ran = command_line("ladder", "fit", "place", "--dims", "4,8", "--index", "5")
            assert ran.status == 1
            assert "--index names [5], and the ladder has [4, 8, 12]" in ran.err
            ran = command_line("ladder", "fit", "place", "--dims", "4,8", "--index", "4", "--name", "it's 100%")
            assert ran.status == 0
            assert "Scores at full width stay as they are." in ran.out
            assert "SELECT pgsim.activate('place', 'it''s 100%');" in ran.out
            database = Database(connection)
            assert len(database.search("place", QUERIES[0], model="it's 100%", dims=[4, DIM], mode="ann")) == 10
            again = command_line("ladder", "fit", "place", "--index", "4", "--name", "it's 100%")
            assert "was fitted before" in again.out
            queries = str(tmp_path / "queries.npy")
            ran = command_line("ladder", "fit", "place", "--method", "leanvec", "--queries", queries)
            assert "20 of your queries" in ran.out
            ran = command_line("ladder", "fit", "place", "--queries", "nowhere.npy")
            assert "--queries 'nowhere.npy' cannot be read" in ran.err
            ran = command_line("ladder", "fit", "place", "--dims", "4,x")
            assert "--dims is '4,x'" in ran.err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sample": "x"}, "sample is 'x'"),
        ({"sample": None}, "sample is None"),
        ({"seed": None}, "seed is None"),
        ({"seed": 2**40}, "seed is 1099511627776"),
        ({"dims": [4.5]}, "dims is 4.5"),
        ({"dims": [None]}, "dims is None"),
        ({"dims": [True]}, "dims is True"),
        ({"dims": "48"}, "dims is '48', not a list"),
        ({"dims": 4}, "dims is 4, not a list"),
        ({"name": "a\0b"}, "name holds a character"),
        ({"name": 3}, "name is 3, not a text"),
    ],
)
def test_what_is_no_argument_of_a_ladder_is_told(wide: Atlas, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(said)) as refused:
        wide.database.fit_ladder("place", **wrong)
    assert refused.value.hint


def test_any_whole_number_is_a_seed(wide: Atlas) -> None:
    first, second = (wide.database.fit_ladder("place", seed=-1, dry_run=True) for _ in range(2))
    assert first == second
    with pytest.raises(psycopg.Error, match="seed is NULL"):
        wide.connection.execute("SELECT pgsim._sent_sample('place', 'base', 'default', 10, NULL)")
