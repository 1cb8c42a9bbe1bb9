"""The same searches on a million rows: the recall asked for, beside the exact statement and the corpus as it is."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.conninfo import make_conninfo

from benchmarks.corpus import Corpus, Shape, load_corpus
from benchmarks.mixture import Mixture
from benchmarks.pgsim_search import DEFAULT_RECALL, RECALL, K, calibrate, has_function, pgsim, planning
from benchmarks.race import Contender, Timed, race
from benchmarks.report import at_least, at_most, database, publish
from benchmarks.truth import Truth, find_truth
from benchmarks.upkeep import register_with_codes
from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from pgsim.steps import Row

SMALL = "corpus"
"""The corpus as it is; the larger table is ``item``."""
BUDGET = "2GB"
ASKED, DEFAULT, ON_SMALL = f"item, {RECALL}", "item, default", f"{SMALL}, {RECALL}"


@dataclass
class Measured:
    """One shape. ``runs``: both recalls on the larger table, and one on the corpus; ``advised``: after the advice."""

    shape: Shape
    truth: Truth
    strategy: str
    exact: Timed
    runs: dict[str, Timed]
    advised: dict[str, Timed] = field(default_factory=dict)

    def recall(self, name: str) -> float:
        """The mean recall on the larger table, the lesser one of before and after the advice."""
        return min(self.truth.mean_recall(runs[name].answers) for runs in (self.runs, self.advised) if runs)

    @property
    def short(self) -> int:
        """How many answers of the larger table have not min(k, matches) rows."""
        both = [runs[name] for runs in (self.runs, self.advised) if runs for name in (ASKED, DEFAULT)]
        return sum(self.truth.short(run.answers) for run in both)

    @property
    def share(self) -> float:
        """The share of the larger table that matches."""
        return self.truth.matches / len(self.truth.matching)

    @property
    def exact_ratio(self) -> float:
        """The median over the exact statement's, before the advice."""
        return self.runs[ASKED].median / self.exact.median

    @property
    def small_ratio(self) -> float:
        """The median over the one on the corpus as it is, after the advice."""
        return self.advised[ASKED].median / self.advised[ON_SMALL].median

    @property
    def row(self) -> list[object]:
        """What the table shows."""
        medians = [f"{run.median * 1e3:.2f}" for run in (self.exact, self.runs[ASKED], self.runs[DEFAULT])]
        small = f"{self.runs[ON_SMALL].median * 1e3:.2f}"
        later = [f"{self.advised[ASKED].median * 1e3:.2f}", f"{self.small_ratio:.2f}"] if self.advised else ["", ""]
        recalls = [f"{self.recall(name):.4f}" for name in (ASKED, DEFAULT)]
        return [
            *(self.shape.name, self.truth.matches, self.strategy, *recalls),
            *(*medians, f"{self.exact_ratio:.2f}", small, *later),
        ]

    @property
    def figures(self) -> dict[str, object]:
        """All of it, for the JSON."""
        runs = {"exact": self.exact, **self.runs, **{f"{name}, advised": run for name, run in self.advised.items()}}
        return {
            "shape": self.shape.name,
            "matches": self.truth.matches,
            "strategy": self.strategy,
            "recall": {name: self.recall(name) for name in (ASKED, DEFAULT)},
            "short": self.short,
            "runs": {name: {"median": run.median, "p95": run.p95} for name, run in runs.items()},
        }


_COLUMNS = [
    *("shape", "#matches", "strategy", f"#recall {RECALL}", "#default"),
    *("#exact ms", "#ms", "#default ms", "#ratio to exact", "#corpus ms", "#advised ms", "#ratio to corpus"),
]


class Bench:
    """A filled database, and what is measured in it."""

    def __init__(
        self, connection: psycopg.Connection[Row], corpus: Corpus, mixture: Mixture, queries: int, exact: int
    ) -> None:
        self._connection = connection
        self._exact = exact
        self._texts = [vector_text(query) for query in corpus.queries[:queries]]
        self._similarities = mixture.similarities(corpus.queries[:queries])

    def measure(self, shape: Shape) -> Measured:
        """One shape, before the advice."""
        truth = find_truth(self._connection, "item", shape.predicate, self._similarities, K)
        exact = Contender("exact", partial(self._by_hand, shape))
        timed = race([exact], range(min(self._exact, len(self._texts))), warm_up=1)["exact"]
        _, strategy = planning(self._connection, "item", shape, self._texts[:5])
        return Measured(shape, truth, strategy, timed, self._race(shape))

    def measure_again(self, measured: Measured) -> None:
        """The same, with what the advice made."""
        measured.advised = self._race(measured.shape)

    def workload(self, shape: Shape) -> None:
        """Searches as they come in a day, for the advice to be drawn from."""
        search = pgsim(self._connection, "item", shape, self._texts, RECALL)
        for query in range(len(self._texts)):
            search.answer(query)

    def _race(self, shape: Shape) -> dict[str, Timed]:
        asked = (("item", RECALL), ("item", None), (SMALL, RECALL))
        contenders = [pgsim(self._connection, table, shape, self._texts, recall) for table, recall in asked]
        return race(contenders, range(len(self._texts)))

    def _by_hand(self, shape: Shape, query: int) -> list[int]:
        statement = (
            f"SELECT id FROM item WHERE {shape.predicate} ORDER BY (embedding <=> %s::vector) + 0 LIMIT {K}"
        ).encode()
        return [int(str(key)) for (key,) in self._connection.execute(statement, [self._texts[query]]).fetchall()]


def prepare(connection: psycopg.Connection[Row], corpus: Corpus, mixture: Mixture) -> None:
    """Fill both tables, or take those that are kept, and register them anew."""
    fill(connection, corpus, mixture)
    for table in ("item", SMALL):
        codes = register_with_codes(connection, corpus, table)
        print(f"{table}: codes made in {codes.seconds:.1f} s, {codes.bytes / 1e6:.0f} MB", flush=True)
        calibrate(connection, table)


def fill(connection: psycopg.Connection[Row], corpus: Corpus, mixture: Mixture) -> None:
    """Fill both tables with rows and their HNSW indexes, or take those that are kept."""
    marked = f"{mixture.rows} rows mixed from {corpus.name}, seed {mixture.seed}"
    found = connection.execute("SELECT obj_description(to_regclass('public.item'), 'pg_class')").fetchall()
    if found[0][0] == marked:
        # Partial indexes are what an earlier run was advised to make.
        left = connection.execute(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'item'::regclass AND indpred IS NOT NULL"
        ).fetchall()
        for (index,) in left:
            connection.execute(f"DROP INDEX {index}".encode())
    else:
        connection.execute(f"DROP TABLE IF EXISTS item, {SMALL}, maintainer CASCADE".encode())
        corpus.load(connection, SMALL)
        _make(connection, corpus, mixture)
        connection.execute(sql.SQL("COMMENT ON TABLE item IS {}").format(sql.Literal(marked)))


def _make(connection: psycopg.Connection[Row], corpus: Corpus, mixture: Mixture) -> None:
    started = time.perf_counter()
    corpus.create(connection)
    for chunk in mixture.chunks():
        rows = (corpus.rows[place] for place in chunk.first)
        corpus.fill(connection, "item", rows, chunk.vectors, first_key=chunk.first_key)
    corpus.index_filters(connection)
    loaded = time.perf_counter()
    for table, size in (("item", mixture.rows), (SMALL, len(corpus.rows))):
        # A parallel build claims all of it at once, whatever it needs.
        memory = min(4096, max(64, size // 200))
        connection.execute(
            f"SET maintenance_work_mem = '{memory}MB'; SET max_parallel_maintenance_workers = 2".encode()
        )
        connection.execute(
            f"CREATE INDEX {table}_embedding_hnsw ON {table} USING hnsw (embedding vector_cosine_ops) "
            "WITH (m = 16, ef_construction = 64)".encode()
        )
    connection.execute("RESET maintenance_work_mem; RESET max_parallel_maintenance_workers")
    built = time.perf_counter()
    print(f"{mixture.rows} rows filled in {loaded - started:.0f} s, indexed in {built - loaded:.0f} s", flush=True)


def take_advice(connection: psycopg.Connection[Row], bench: Bench, shapes: Sequence[Shape]) -> list[dict[str, object]]:
    """Record a workload, let `pgsim advise` make what it would, and give the filters of the partial indexes."""
    connection.execute("SELECT pgsim.record_searches('item', share => 1, \"values\" => true)")
    for shape in shapes:
        bench.workload(shape)
    connection.execute("SELECT pgsim.record_searches('item', share => 0)")
    dsn = make_conninfo(connection.info.dsn, password=connection.info.password)
    command = [str(Path(sys.executable).with_name("pgsim")), "advise", "item", "--apply", "--budget", BUDGET]
    subprocess.run(command, env={**os.environ, "PGSIM_DSN": dsn}, check=True)
    rows = connection.execute(
        "SELECT where_filter::text FROM pgsim.indexes WHERE collection = 'item' AND where_filter IS NOT NULL"
    ).fetchall()
    return [dict(json.loads(str(row[0]))) for row in rows]


def is_covered(shape: Shape, filters: Sequence[dict[str, object]]) -> bool:
    """Whether a partial index holds every match of a shape: its conditions are among the shape's."""
    own = shape.filter or {}
    together = own.get("$and")
    conditions = [*own.items()]
    for each in together if isinstance(together, list) else []:
        conditions += each.items()
    return any(all(condition in conditions for condition in filter.items()) for filter in filters)


def judge(measured: Sequence[Measured], filters: Sequence[dict[str, object]]) -> dict[str, bool | None]:
    """The promises about every shape, each with its worst one."""

    def each(figure: Callable[[Measured], float], of: Sequence[Measured] = measured) -> dict[str, float]:
        return {one.shape.name: figure(one) for one in of}

    narrow = [one for one in measured if 0.01 <= one.share <= 0.1]
    covered = [one for one in measured if one.advised and is_covered(one.shape, filters)]
    return (
        at_least(f"recall at least {RECALL} where that is asked", each(lambda one: one.recall(ASKED)), RECALL)
        | at_least(
            f"recall at least {DEFAULT_RECALL} by default", each(lambda one: one.recall(DEFAULT)), DEFAULT_RECALL
        )
        | at_most("min(k, matches) rows in every answer: others", each(lambda one: one.short), 0)
        | at_most("half of exact for 1 to 10%, without advice: ratio", each(lambda one: one.exact_ratio, narrow), 0.5)
        | at_most(
            f"3 x the corpus as it is, within {BUDGET} of advice: ratio", each(lambda one: one.small_ratio, covered), 3
        )
    )


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=100, help="for each shape")
    parser.add_argument("--exact", type=int, default=20, help="queries for the exact statement")
    parser.add_argument("--postgres", type=int, default=18)
    parser.add_argument("--shapes", nargs="+", metavar="NAME", help="by default some of each kind")
    parser.add_argument(
        "--keep", metavar="NAME", help="keep the tables, in the database bench_NAME; the next run takes them from there"
    )
    parser.add_argument("--skip-advice", action="store_true")
    arguments = parser.parse_args()
    corpus = load_corpus()
    shapes = corpus.choose(arguments.shapes or corpus.scaled)
    mixture = Mixture(corpus, arguments.rows)
    # The prefix keeps a database that is no benchmark's from being taken for one.
    name = f"bench_{arguments.keep or 'scale'}"
    with database(name, postgres=arguments.postgres, keep=bool(arguments.keep)) as connection:
        prepare(connection, corpus, mixture)
        bench = Bench(connection, corpus, mixture, arguments.queries, arguments.exact)
        measured = [bench.measure(shape) for shape in shapes]
        filters: list[dict[str, object]] = []
        if not arguments.skip_advice and has_function(connection, "advise"):
            filters = take_advice(connection, bench, shapes)
            for each in measured:
                bench.measure_again(each)
    kept = publish(
        f"scale{arguments.postgres}",
        f"{arguments.rows} rows mixed from {corpus.name}, {arguments.queries} queries a shape",
        _COLUMNS,
        [each.row for each in measured],
        judge(measured, filters),
        figures={"shapes": [each.figures for each in measured], "advised": filters},
    )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
