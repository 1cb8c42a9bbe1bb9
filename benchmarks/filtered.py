"""Filtered search: the recall asked for, and what it takes beside the best plan by hand and beside LanceDB."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks import lance
from benchmarks.by_hand import ByHand
from benchmarks.corpus import Corpus, Shape, load_corpus
from benchmarks.pgsim_search import DEFAULT_RECALL, RECALL, K, calibrate, pgsim, planning
from benchmarks.race import Contender, Timed, race
from benchmarks.report import at_least, at_most, database, publish
from benchmarks.truth import Truth, find_truth
from benchmarks.upkeep import Codes, Inserts, measure_inserts, register_with_codes
from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pgsim.steps import Row

CALL = 0.4e-3
"""What the call itself may take, in seconds."""
ASKED = (RECALL, 0.995, 0.998, 0.999, 0.9995, 1.0)
"""Recalls to ask for until the answers are no worse than LanceDB's."""


@dataclass(frozen=True)
class Measured:
    """One shape; ``runs`` by contender, ``duel`` the one whose recall is not below LanceDB's."""

    shape: Shape
    truth: Truth
    runs: dict[str, Timed]
    asked: str
    default: str
    by_hand: tuple[str, ...]
    duel: str | None
    plan_seconds: float
    strategy: str

    def recall(self, name: str) -> float:
        """The mean recall of a contender."""
        return self.truth.mean_recall(self.runs[name].answers)

    @property
    def best(self) -> str:
        """The fastest statement by hand, at the median."""
        return min(self.by_hand, key=lambda name: self.runs[name].median)

    @property
    def share(self) -> float:
        """The share of the table that matches."""
        return self.truth.matches / len(self.truth.matching)

    @property
    def short(self) -> int:
        """How many of pgsim's answers have not min(k, matches) rows."""
        return sum(self.truth.short(self.runs[name].answers) for name in (self.asked, self.default))

    @property
    def median_ratio(self) -> float:
        """The median beyond the call, over the best by hand."""
        return (self.runs[self.asked].median - CALL) / self.runs[self.best].median

    @property
    def p95_ratio(self) -> float:
        """The same at the 95th percentile."""
        return (self.runs[self.asked].p95 - CALL) / self.runs[self.best].p95

    @property
    def lance_ratio(self) -> float:
        """The median over LanceDB's, at no less recall; infinite where the recall is less."""
        if self.duel is None or self.recall(self.duel) < self.recall("LanceDB"):
            return float("inf")
        return self.runs[self.duel].median / self.runs["LanceDB"].median

    @property
    def figures(self) -> dict[str, object]:
        """All of it, for the JSON."""
        return {
            "shape": self.shape.name,
            "filter": self.shape.filter,
            "predicate": self.shape.predicate,
            "matches": self.truth.matches,
            "strategy": self.strategy,
            "plan_seconds": self.plan_seconds,
            "best_by_hand": self.best,
            "no_worse_than_lancedb": self.duel,
            "runs": {
                name: {"recall": self.recall(name), "median": run.median, "p95": run.p95}
                for name, run in self.runs.items()
            },
        }

    @property
    def row(self) -> list[object]:
        """What the table shows."""
        asked, default, best = (self.runs[name] for name in (self.asked, self.default, self.best))
        rival = self.runs.get("LanceDB")
        return [
            self.shape.name,
            self.truth.matches,
            self.strategy,
            f"{self.recall(self.asked):.4f}",
            f"{asked.median * 1e3:.2f}",
            f"{asked.p95 * 1e3:.2f}",
            f"{self.recall(self.default):.4f}",
            f"{default.median * 1e3:.2f}",
            f"{self.best} ({self.recall(self.best):.4f})",
            f"{best.median * 1e3:.2f}",
            f"{best.p95 * 1e3:.2f}",
            f"{self.median_ratio:.2f}",
            f"{self.recall('LanceDB'):.4f}" if rival else "",
            f"{rival.median * 1e3:.2f}" if rival else "",
        ]


_COLUMNS = [
    "shape",
    "#matches",
    "strategy",
    f"#recall {RECALL}",
    "#ms",
    "#p95",
    "#default",
    "#ms ",
    "best by hand (recall)",
    "#ms  ",
    "#p95 ",
    "#ratio",
    "#LanceDB",
    "#ms   ",
]


class Bench:
    """A filled database and all that answers queries on it.

    ``hand`` is a second connection: the settings that are tried by hand stay there. ``folder``: where LanceDB keeps its
    table, if it takes part.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Row],
        hand: psycopg.Connection[Row],
        corpus: Corpus,
        queries: NDArray[np.float32],
        folder: str | None,
    ) -> None:
        self._connection = connection
        self._texts = [vector_text(query) for query in queries]
        self._similarities = np.asarray(queries @ corpus.vectors.T)
        self._by_hand = ByHand(hand, corpus, self._texts, K)
        self._lance = lance.Lance(corpus, folder, queries, K) if folder else None

    def measure(self, shape: Shape, tried: int) -> Measured:
        """Everything about one shape; parameters by hand are those that do on the first ``tried`` queries."""
        numbers = range(len(self._texts))
        truth = find_truth(self._connection, "item", shape.predicate, self._similarities, K)
        by_hand = self._by_hand.contenders(shape, truth, RECALL, min(tried, len(numbers)))
        contenders = {each.name: each for each in (self._pgsim(shape, RECALL), self._pgsim(shape, None), *by_hand)}
        asked, default = list(contenders)[:2]
        duel = None
        if self._lance:
            rival = Contender("LanceDB", partial(self._lance.search, shape))
            no_worse = self._no_worse(shape, truth, truth.mean_recall([rival.answer(query) for query in numbers]))
            contenders |= {rival.name: rival, no_worse.name: no_worse}
            duel = no_worse.name
        return Measured(
            shape,
            truth,
            race(list(contenders.values()), numbers),
            asked,
            default,
            tuple(each.name for each in by_hand),
            duel,
            *planning(self._connection, "item", shape, self._texts[:60]),
        )

    def measure_partial(self, shape: Shape, tried: int) -> Measured:
        """The same with a partial index for this very filter; statements by hand may read it too."""
        made = self._connection.execute(
            "SELECT pgsim.create_index('item', NULL, where_filter => %s::jsonb)::text", [json.dumps(shape.filter)]
        ).fetchall()
        try:
            measured = self.measure(shape, tried)
        finally:
            self._connection.execute("SELECT pgsim.drop_index(%s::regclass)", [made[0][0]])
        return replace(measured, shape=replace(shape, name=f"{shape.name}, partial index"))

    def _pgsim(self, shape: Shape, recall: float | None) -> Contender:
        return pgsim(self._connection, "item", shape, self._texts, recall)

    def _no_worse(self, shape: Shape, truth: Truth, recall: float) -> Contender:
        for asked in ASKED:
            contender = self._pgsim(shape, asked)
            if truth.mean_recall([contender.answer(query) for query in range(len(self._texts))]) >= recall:
                break
        return contender


def judge(measured: Sequence[Measured]) -> dict[str, bool | None]:
    """The promises about every shape, each with its worst one."""

    def each(figure: Callable[[Measured], float], of: Sequence[Measured] = measured) -> dict[str, float]:
        return {one.shape.name: figure(one) for one in of}

    duels = [one for one in measured if one.duel]
    narrow = [one for one in duels if 0.01 <= one.share <= 0.15]
    return (
        at_least(f"recall at least {RECALL} where that is asked", each(lambda one: one.recall(one.asked)), RECALL)
        | at_least(
            f"recall at least {DEFAULT_RECALL} by default", each(lambda one: one.recall(one.default)), DEFAULT_RECALL
        )
        | at_most("min(k, matches) rows in every answer: others", each(lambda one: one.short), 0)
        | at_most("median at most 0.4 ms + 1.25 x the best by hand: ratio", each(lambda one: one.median_ratio), 1.25)
        | at_most("p95 at most 0.4 ms + 1.5 x the best by hand: ratio", each(lambda one: one.p95_ratio), 1.5)
        | at_most("planning under 0.3 ms at the median: ms", each(lambda one: one.plan_seconds * 1e3), 0.3)
        | at_most("faster than LanceDB at no less recall: ratio", each(lambda one: one.lance_ratio, duels), 0.9999)
        | at_most("half of LanceDB's time for 1 to 15%: ratio", each(lambda one: one.lance_ratio, narrow), 0.5)
    )


def judge_inserts(inserts: Inserts | None) -> dict[str, bool | None]:
    """The promise about writers."""
    if inserts is None:
        return {"inserts with codes at most 1.3 x those without": None}
    ratios = {kind: inserts.ratio(kind, "hnsw") for kind in ("copy", "single")}
    return {
        f"{text} with codes at most 1.3 x that without ({ratios[kind]:.2f})": ratios[kind] <= 1.3
        for kind, text in (("copy", f"COPY of {inserts.rows} rows"), ("single", "insert of one row"))
    }


def _tell_upkeep(corpus: Corpus, codes: Codes, inserts: Inserts | None) -> list[str]:
    rows = len(corpus.rows)
    told = [f"codes: {codes.bytes / rows:.0f} bytes a row, made in {codes.seconds:.1f} s"]
    if inserts:
        for kind, times in (("COPY", inserts.copy), ("one row", inserts.single)):
            shown = ", ".join(f"{table.replace('_', ' with ')} {seconds * 1e3:.2f}" for table, seconds in times.items())
            told.append(f"inserts, {kind}, ms: {shown}; ratios {_ratios(inserts, kind)}")
    return told


def _ratios(inserts: Inserts, kind: str) -> str:
    of = "copy" if kind == "COPY" else "single"
    return f"{inserts.ratio(of, 'bare'):.2f} without a vector index, {inserts.ratio(of, 'hnsw'):.2f} with one"


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=300, help="for each shape")
    parser.add_argument("--tried", type=int, default=60, help="queries that parameters by hand are found on")
    parser.add_argument("--rounds", type=int, default=8, help="of inserts; 0 leaves them out")
    parser.add_argument("--postgres", type=int, default=18)
    parser.add_argument("--shapes", nargs="+", metavar="NAME", help="by default all")
    parser.add_argument("--skip-lancedb", action="store_true")
    parser.add_argument("--skip-partial", action="store_true", help="without the second pass over one shape")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON, too")
    arguments = parser.parse_args()
    corpus = load_corpus()
    shapes = corpus.choose(arguments.shapes)
    queries = corpus.queries[: arguments.queries]
    with ExitStack() as stack:
        connection = stack.enter_context(database("bench_filtered", postgres=arguments.postgres))
        dsn = make_conninfo(connection.info.dsn, password=connection.info.password)
        hand = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        folder = None
        if not arguments.skip_lancedb and not lance.is_installed():
            print("LanceDB is not installed (pip install --group bench): not measured.")
        elif not arguments.skip_lancedb:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
        corpus.load(connection)
        codes = register_with_codes(connection, corpus, "item")
        connection.execute("SELECT pgsim.create_index('item', NULL)")
        calibrate(connection, "item")
        bench = Bench(connection, hand, corpus, queries, folder)
        measured = [bench.measure(shape, arguments.tried) for shape in shapes]
        if not arguments.skip_partial:
            again = next(shape for shape in corpus.shapes if shape.name == corpus.partial)
            measured.append(bench.measure_partial(again, arguments.tried))
        inserts = measure_inserts(connection, corpus, arguments.rounds) if arguments.rounds else None
    figures = {
        "shapes": [each.figures for each in measured],
        "codes": vars(codes),
        "inserts": inserts and vars(inserts),
        "lancedb": lance.version() if folder else None,
    }
    kept = publish(
        f"filtered{arguments.postgres}",
        f"Filtered search on {corpus.name}, {len(corpus.rows)} rows, {len(queries)} queries a shape",
        _COLUMNS,
        [each.row for each in measured],
        judge(measured) | judge_inserts(inserts),
        figures=figures,
    )
    print(*_tell_upkeep(corpus, codes, inserts), sep="\n")
    if arguments.json:
        print(json.dumps(figures, indent=1))
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
