"""Each benchmark runs, on the small corpus and a few rounds; what it measures is for `make bench` to judge."""

from __future__ import annotations

import json
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import corpus, report

if TYPE_CHECKING:
    from pgsim.demo.corpus import Entry

ROOT = Path(__file__).parents[2]
SHAPES = ["none", "json", "country", "nowhere"]
ROUNDS = {
    "overhead": ["--queries", "3"],
    "capture": ["--rounds", "2"],
    "filtered": ["--queries", "5", "--tried", "3", "--rounds", "1", "--skip-lancedb", "--shapes", *SHAPES],
    "text": ["--queries", "5"],
    "sparse": ["--queries", "5"],
    "fusion": ["--queries", "5", "--judged", "40"],
    "pairs": ["--rows", "12", "--dims", "2", "4"],
    "maps": ["--queries", "5", "--batch", "20"],
    "matryoshka": ["--widths", "256", "300", "--queries", "4", "--dims", "32", "--calibrated", "10"],
    "versions": ["--rounds", "1", "--seconds", "0.3", "--switch-rows", "2000"],
    "codes": ["--rows", "4000", "--queries", "3", "--exact", "2", "--shapes", "asyncio"],
    "scale": ["--rows", "4000", "--queries", "3", "--exact", "2", "--shapes", *SHAPES],
}


def test_every_benchmark_of_make_bench_has_a_smoke_run() -> None:
    named = re.search(r"^BENCHMARKS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    runnable = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text()}
    assert named
    assert set(named[1].split()) == runnable - {"picture"} == set(ROUNDS)


@pytest.fixture(scope="module")
def third(entries: list[Entry]) -> corpus.Corpus:
    """Every third row of the corpus, which is read once for all benchmarks: indexes on all rows take their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PGSIM_CORPUS", raising=False)
        patch.setattr(corpus, "read_standard_library", lambda: entries)
        whole = corpus.load_corpus()
    return replace(whole, rows=whole.rows[::3], vectors=whole.vectors[::3])


@pytest.fixture
def results(database_dsn: str, third: corpus.Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder into which benchmarks write what they measured."""
    monkeypatch.setattr(corpus, "load_corpus", lambda: third)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report.output, "width", 240)
    monkeypatch.setenv("PGSIM_BENCH_DSN", database_dsn)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", ROUNDS)
def test_a_benchmark_runs_and_says_what_it_measured(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setattr(sys, "argv", [name, *ROUNDS[name]])
    # Another benchmark may have imported it.
    monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
    with pytest.raises(SystemExit) as left:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    printed = capsys.readouterr().out
    assert left.value.code in {0, 1}
    assert "ratio" in printed
    assert "kept" in printed or "broken" in printed
    (kept,) = results.glob("*.json")
    assert set(json.loads(kept.read_text())["promises"].values()) <= {True, False, None}
    assert name != "overhead" or "(0 wrong)" in printed
    assert name != "filtered" or re.search(r"not measured.*LanceDB", printed)
    assert name not in {"filtered", "scale"} or re.search(r"kept\s+min\(k, matches\) rows in every answer", printed)
