"""Indexes are tried on a copy, told honestly, and nothing is left behind, whatever stops the trial."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from terraces import DIM, NAME, ROWS, falling, fill, temporary_tables

import pgsim
from pgsim.errors import InvalidArgument, InvalidKey, MissingExtra, UnknownCollection, WrongState
from pgsim.evaluation.mean import Mean
from pgsim.evaluation.picture import draw
from pgsim.evaluation.prefixes import Sample
from pgsim.evaluation.trials import Trial, choose, fastest_settings, pareto_front
from pgsim.vectors import vectors_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fixtures.roles import RoleFactory

    from pgsim.evaluation.trials import TuningReport

QUERIES = falling(20, seed=6)
QUICK: dict[str, Any] = {"dims": [12], "elements": ["bit"], "searches": 5, "sample": 100}


def trial(dims: int, seconds: float, size: int, recall: float = 1.0, **other: Any) -> Trial:
    made = Trial(
        dims=dims,
        element="halfvec",
        rotated=False,
        ef=40,
        keep=10,
        recall=Mean(recall, recall, recall),
        quality=None,
        seconds=seconds,
        bytes=size,
        build_seconds=1,
        total_bytes=size,
        total_build_seconds=1,
        existing=None,
        refusal=None,
    )
    return dataclasses.replace(made, **other)


@pytest.fixture(scope="module")
def report(terrace_dsn: str) -> TuningReport:
    truth = np.argsort(Sample(falling().astype(float), QUERIES.astype(float), "cosine").distances(), axis=1)
    with pgsim.Database(terrace_dsn) as db:
        # What answers a query is its second nearest row.
        return db.tune_index(
            NAME, QUERIES, relevant=[[int(row[1]) + 1] for row in truth], dims=[8, DIM], rotated=True, recall=0.9
        )


@pytest.fixture
def session(terrace_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(terrace_dsn, autocommit=True) as connection:
        yield connection


def test_every_index_is_tried_and_its_numbers_are_of_all_rows(report: TuningReport) -> None:
    names = {each.name for each in report.settings}
    assert names == {
        "8 halfvec",
        "8 bit",
        "8 halfvec, rotated",
        "8 bit, rotated",
        *(f"{DIM} {e}" for e in ("vector", "halfvec", "bit")),
    }
    assert (report.rows, report.total, report.searches, report.held_out, report.untried) == (ROWS, ROWS, 20, False, ())
    assert all(
        each.total_bytes == each.bytes > 0 and each.seconds > 0 and each.build_seconds > 0 for each in report.trials
    )
    sizes = {each.name: each.bytes for each in report.settings}
    assert sizes[f"{DIM} bit"] < sizes[f"{DIM} halfvec"] < sizes[f"{DIM} vector"]
    assert report.best is not None
    assert report.best.reaches(0.9)
    assert not report.best.rotated


def test_more_rows_are_kept_by_a_prefix_until_the_recall_is_reached(report: TuningReport) -> None:
    whole, prefix = (next(s for s in report.settings if s.name == name) for name in (f"{DIM} vector", "8 halfvec"))
    assert (whole.keep, prefix.keep > 10, prefix.reaches(0.9)) == (10, True, True)
    assert prefix.keep <= prefix.ef
    # No index finds more in so many rows than an exact ranking by that prefix does.
    sample = Sample(falling().astype(float), QUERIES.astype(float), "cosine")
    for each in report.trials:
        if each.index == (False, 8, "halfvec"):
            assert each.recall.value <= sample.recall(8, [each.keep], 10)[each.keep] + 0.01
    assert whole.recall.low <= whole.recall.value <= whole.recall.high


def test_task_quality_is_that_of_exact_searches_where_all_is_found(report: TuningReport) -> None:
    assert report.exact_quality == pytest.approx(0.5)
    assert report.missing == 0
    assert all(each.quality == pytest.approx(0.5, abs=0.1) for each in report.settings if each.reaches(0.9))


def test_what_is_exact_in_half_precision_loses_nothing_there(report: TuningReport) -> None:
    assert report.halfvec_recall is not None
    assert report.halfvec_recall > 0.98
    assert json.loads(json.dumps(report.as_json()))["trials"][0]["dims"] == DIM


def test_relevant_rows_are_among_those_copied(session: psycopg.Connection[Any]) -> None:
    told = pgsim.Database(session).tune_index(NAME, QUERIES[:3], relevant=[[1], [599, 600], [4711]], **QUICK)
    assert 100 < told.rows <= 103
    assert (told.missing, told.total) == (1, ROWS)
    with pytest.raises(InvalidKey):
        pgsim.Database(session).tune_index(NAME, QUERIES[:1], relevant=[["many"]], **QUICK)


def test_a_trial_leaves_nothing(session: psycopg.Connection[Any]) -> None:
    before = session.execute("SELECT count(*) FROM pg_class").fetchall()
    db = pgsim.Database(session)
    db.tune_index(NAME, rotated=True, **QUICK)
    db.tune_prefixes(NAME, searches=5)
    db.compress_advice(NAME, searches=5)
    assert temporary_tables(session) == []
    assert session.execute("SELECT count(*) FROM pg_class").fetchall() == before
    for setting, default in (("enable_seqscan", "on"), ("hnsw.ef_search", "40"), ("jit", None)):
        now = session.execute("SELECT current_setting(%s)", [setting]).fetchall()[0][0]
        assert default is None or now == default


@pytest.mark.parametrize("stops", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("autocommit", [True, False])
def test_what_stops_a_trial_leaves_nothing(terrace_dsn: str, stops: type[BaseException], autocommit: bool) -> None:
    def stop(done: int, total: int, name: str) -> None:
        assert temporary_tables(connection) == (
            [] if done == 0 and name == "exact searches" else ["_pgsim_trial", "_pgsim_trial_query"]
        )
        if done == 1:
            raise stops

    with psycopg.connect(terrace_dsn, autocommit=autocommit) as connection:
        with pytest.raises(stops):
            pgsim.Database(connection).tune_index(NAME, progress=stop, **QUICK | {"dims": [8, 12]})
        assert temporary_tables(connection) == []
        assert pgsim.Database(connection).tune_index(NAME, **QUICK).trials


def test_a_failure_on_the_server_leaves_nothing(session: psycopg.Connection[Any]) -> None:
    def give_up(done: int, total: int, name: str) -> None:
        session.execute(f"SET statement_timeout = {'1' if done else '0'}".encode())

    with pytest.raises(psycopg.errors.QueryCanceled):
        pgsim.Database(session).tune_index(NAME, QUERIES, progress=give_up, dims=[8, DIM])
    session.execute("RESET statement_timeout")
    assert temporary_tables(session) == []


def test_without_time_nothing_more_is_begun(session: psycopg.Connection[Any]) -> None:
    told = pgsim.Database(session).tune_index(NAME, max_seconds=0, **QUICK)
    assert (told.trials, told.best, told.untried) == ((), None, ("12 bit",))


def test_a_reader_tries_the_rows_that_it_may_see(role: RoleFactory, database_dsn: str) -> None:
    reader = role("reader")
    with psycopg.connect(database_dsn, autocommit=True) as owner:
        fill(owner, falling(300))
        owner.execute(
            f"GRANT SELECT ON terrace TO {reader}; ALTER TABLE terrace ENABLE ROW LEVEL SECURITY; "
            f"CREATE POLICY own ON terrace TO {reader} USING (tenant = 'b')".encode()
        )
    with psycopg.connect(database_dsn, user=reader, password=reader, autocommit=True) as connection:
        told = pgsim.Database(connection).tune_index(NAME, falling(5, seed=9), elements=["halfvec"], dims=[DIM])
        assert (told.rows, told.searches) == (100, 5)
        assert told.best is not None


def test_composite_keys_and_own_tables_are_tried_too(connection: psycopg.Connection[Any]) -> None:
    fill(connection, falling(200), adopted=False, element="halfvec", metric="ip")
    told = pgsim.Database(connection).tune_index(NAME, QUERIES[:5], relevant=[[1]] * 5, dims=[8, DIM], sample=200)
    assert {each.name for each in told.settings} == {"8 halfvec", "8 bit", f"{DIM} halfvec", f"{DIM} bit"}
    assert told.halfvec_recall is None
    connection.execute("CREATE TABLE pair (a text, b int, e vector(24), PRIMARY KEY (a, b))")
    connection.execute(
        "INSERT INTO pair SELECT concat('a''%%\"', i), i, v FROM unnest(%s::vector[]) WITH ORDINALITY AS g (v, i)",
        [vectors_text(falling(120))],
    )
    db = pgsim.Database(connection)
    db.create_collection("pair")
    db.create_model("plain", DIM)
    db.create_version("pair", "plain", column_name="e")
    told = db.tune_index("pair", QUERIES[:2], relevant=[[{"a": "a'%\"7", "b": 7}], []], dims=[DIM], sample=100)
    assert told.missing == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"recall": 0.4},
        {"slack": -1},
        {"budget": 0},
        {"max_seconds": float("nan")},
        {"elements": ["float8"]},
        {"elements": ["a\0b"]},
        {"elements": []},
        {"elements": [3]},
        {"elements": "bit"},
        {"dims": 12},
        {"seed": None},
        {"relevant": 5},
        {"queries": QUERIES[:1], "relevant": [None]},
        {"queries": QUERIES[:1], "relevant": ["ab"]},
        {"dims": [DIM + 1]},
        {"relevant": [[1]]},
        {"k": 2000},
    ],
)
def test_what_cannot_be_tried_is_refused(session: psycopg.Connection[Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        pgsim.Database(session).tune_index(NAME, **QUICK | wrong)
    assert refused.value.hint not in {None, "See its default."}
    assert temporary_tables(session) == []


def test_unknown_collections_and_read_only_sessions_are_told(session: psycopg.Connection[Any]) -> None:
    with pytest.raises(UnknownCollection):
        pgsim.Database(session).tune_index("nowhere")
    session.execute("SET default_transaction_read_only = on")
    with pytest.raises(WrongState, match="read only"):
        pgsim.Database(session).tune_index(NAME, **QUICK)


async def test_async_trials_find_the_same(terrace_dsn: str, report: TuningReport) -> None:
    async with pgsim.AsyncDatabase(terrace_dsn) as db:
        told = await db.tune_index(NAME, QUERIES, dims=[DIM], elements=["bit"], recall=0.9)
        with pytest.raises(RuntimeError):
            await db.tune_index(NAME, progress=lambda done, total, name: (_ for _ in ()).throw(RuntimeError()), **QUICK)
        async with db.connection() as connection:
            left = await connection.execute("SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()")
            assert await left.fetchall() == []
    same = next(each for each in report.settings if each.name == f"{DIM} bit")
    assert same.bytes == told.settings[0].bytes
    assert told.settings[0].recall.value == pytest.approx(same.recall.value, abs=0.05)


def test_advice_is_ranked_by_what_fits_and_reaches(session: psycopg.Connection[Any]) -> None:
    db = pgsim.Database(session)
    every = db.compress_advice(NAME, QUERIES[:8], recall=0.9)
    ranked = [each for each in every if each.rank is not None]
    assert [each.rank for each in ranked] == list(range(1, len(ranked) + 1))
    assert {each.kind for each in every} == {"vector", "halfvec", "bit", "prefix", "prefix + bit", "storage"}
    assert all(each.fits for each in every)
    middle = sorted(each.bytes for each in ranked)[len(ranked) // 2]
    told = [each for each in db.compress_advice(NAME, QUERIES[:8], budget_bytes=middle, recall=0.9) if each.rank]
    assert [each.fits for each in told] == sorted((each.bytes <= middle for each in told), reverse=True)
    fitting = [each for each in told if each.fits]
    assert [each.reaches for each in fitting] == sorted((each.reaches for each in fitting), reverse=True)
    reaching = [each.seconds or 0 for each in fitting if each.reaches]
    assert reaching == sorted(reaching)
    stored = every[-1]
    assert (stored.kind, stored.rank, stored.statement) == ("storage", None, None)
    assert stored.bytes == ROWS * (8 + 2 * DIM)


def test_advised_statements_can_be_run(connection: psycopg.Connection[Any]) -> None:
    fill(connection, falling(300))
    db = pgsim.Database(connection)
    told = next(each for each in db.compress_advice(NAME, searches=5) if each.kind == "halfvec")
    assert told.statement is not None
    connection.execute(told.statement.encode())
    again = next(each for each in db.compress_advice(NAME, searches=5) if each.kind == "halfvec")
    assert again.statement is None
    assert "it is there" in again.reason


@pytest.mark.parametrize("wrong", ["budget_bytes => 0", "recall => 0.3", "recall => NULL", "k => NULL", "sample => 1"])
def test_advice_on_nonsense_is_refused(connection: psycopg.Connection[Any], wrong: str) -> None:
    fill(connection, falling(50))
    with pytest.raises(psycopg.Error) as refused:
        connection.execute(f"SELECT pgsim.compress_advice(%s, {wrong})".encode(), [NAME])
    assert refused.value.sqlstate == "PS010"


def test_the_front_holds_what_nothing_smaller_beats() -> None:
    settings = [trial(384, 1, 100), trial(192, 2, 60), trial(128, 3, 70), trial(64, 9, 30), trial(32, 0.5, 20, 0.7)]
    assert [each.dims for each in pareto_front(settings, 0.9)] == [64, 192, 384]


def test_the_fastest_setting_that_reaches_the_recall_stands_for_an_index() -> None:
    settings = [
        trial(8, 1, 9, 0.8),
        trial(8, 3, 9, 0.99),
        trial(8, 2, 9, 0.98),
        trial(16, 1, 20, 0.5),
        trial(16, 2, 20, 0.6),
    ]
    assert [(each.dims, each.seconds) for each in fastest_settings(settings, 0.97)] == [(8, 2), (16, 2)]


def test_the_smallest_of_the_fast_is_chosen_of_those_that_can_be_built() -> None:
    settings = [
        trial(384, 1, 100),
        trial(192, 1.2, 60),
        trial(64, 2, 30),
        trial(96, 0.9, 35, refusal="no"),
        trial(32, 0.1, 10, 0.5),
    ]
    assert [choose(settings, 0.95, slack=slack) for slack in (0, 0.25, 2)] == settings[:3]
    assert choose(settings, 0.95, slack=0, budget=50) == settings[2]
    assert choose(settings, 0.95, slack=9, budget=20) is None


def test_a_rotated_index_is_chosen_where_it_is_worth_a_copy_of_the_vectors() -> None:
    plain = trial(384, 1, 100)
    for seconds, size, chosen in ((1, 81, False), (1, 80, True), (0.7, 100, True), (0.9, 90, False), (2, 10, False)):
        turned = trial(128, seconds, size, rotated=True)
        assert (choose([plain, turned], 0.95, slack=0.25) is turned) == chosen
    turned = trial(128, 9, 99, rotated=True)
    assert choose([plain, turned], 0.95, slack=0.25, budget=99) is turned
    assert choose([dataclasses.replace(turned, refusal="mapped")], 0.95, slack=0.25) is None


@pytest.mark.parametrize("ending", ["svg", "PNG", "pdf"])
def test_a_picture_is_drawn(report: TuningReport, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    draw(dataclasses.replace(report, collection="a $1 $x_ 100% {b}", best=report.settings[0]), path)
    first = path.read_bytes()
    assert first[:4] in {b"<?xm", b"\x89PNG", b"%PDF"}
    if ending == "svg":
        assert "a $1 $x_ 100% {b}, " in first.decode()
        assert "misses the recall" in first.decode() or all(each.reaches(0.9) for each in report.settings)
        draw(dataclasses.replace(report, trials=(), settings=(), front=(), best=None), path)


def test_a_picture_without_matplotlib_names_the_extra(
    report: TuningReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"HINT: pip install 'pgsim\[plot\]'"):
        draw(report, tmp_path / "a.svg")
    with pytest.raises(InvalidArgument, match=r"ends in .svg"):
        draw(report, tmp_path / "a.jpeg")
    with pytest.raises(InvalidArgument, match="no folder"):
        draw(report, tmp_path / "b" / "a.svg")


def test_any_whole_number_is_a_seed(session: psycopg.Connection[Any]) -> None:
    one, other = (pgsim.Database(session).tune_index(NAME, **QUICK, seed=-1) for _ in range(2))
    assert one.trials[0].recall == other.trials[0].recall
