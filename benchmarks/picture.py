"""The pictures of the docs: time over the share of rows that match, and what `pgsim tune` draws."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure

from benchmarks.corpus import Corpus, load_corpus
from benchmarks.report import database
from pgsim.database import Database
from pgsim.evaluation.picture import draw
from pgsim.vectors import vector_text

if TYPE_CHECKING:
    import psycopg

    from pgsim.steps import Row

DOCS = Path(__file__).parent.parent / "docs"
SHARES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
WAYS = {"exact": "#b3541e", "codes": "#20639b", "ann": "#3b7a57"}
NAMES = {"exact": "exact", "codes": "codes", "ann": "index"}
_SEARCH = """
SELECT s.details ->> 'strategy' FROM pgsim.search('item', query => %(query)s, filter => %(filter)s::jsonb,
                                                  recall => 0.99, mode => %(mode)s) AS s
"""


def _median(
    connection: psycopg.Connection[Row], queries: list[str], rows: int, mode: str
) -> tuple[float, dict[str, int]]:
    """Milliseconds of a search among the first so many keys, and what answered how often."""
    taken, answered = [], dict[str, int]()
    for query in queries:
        arguments = {"query": query, "filter": json.dumps({"id": {"$lte": rows}}), "mode": mode}
        started = time.perf_counter()
        found = connection.execute(_SEARCH, arguments).fetchall()
        taken.append(time.perf_counter() - started)
        strategy = str(found[0][0])
        answered[strategy] = answered.get(strategy, 0) + 1
    return 1e3 * float(np.median(taken)), answered


def _draw(title: str, times: dict[str, dict[float, float]], chosen: dict[float, tuple[float, str]], path: Path) -> None:
    rcParams["svg.hashsalt"] = "pgsim"
    rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for way, points in times.items():
        axes.plot(list(points), list(points.values()), color=WAYS[way], linewidth=1.5, alpha=0.55, label=NAMES[way])
    for way, colour in WAYS.items():
        mine = {share: taken for share, (taken, strategy) in chosen.items() if strategy == way}
        axes.plot(list(mine), list(mine.values()), "o", color=colour, markersize=6)
    axes.plot([], [], "o", color="black", markersize=6, label="what pgsim takes")
    axes.set(xscale="log", yscale="log", xlabel="share of rows that match", ylabel="milliseconds, median", title=title)
    ticks = (0.0005, 0.002, 0.01, 0.05, 0.2, 1.0)
    axes.set_xticks(
        ticks,
        [f"{tick:.2%}".replace(".00%", "%").replace("0%", "%", 1) if tick < 0.01 else f"{tick:.0%}" for tick in ticks],
    )
    axes.set_yticks((0.5, 1, 2, 5, 10, 20, 50, 100), ["0.5", "1", "2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})


def main() -> None:
    """Measure on the corpus, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--postgres", type=int, default=18)
    parser.add_argument("--only", choices=["planner", "tuning"], help="one of the two")
    parser.add_argument("--output", type=Path, default=DOCS, help="the folder that they go to")
    arguments = parser.parse_args()
    corpus = load_corpus()
    if arguments.only != "planner":
        with database("bench_tuning", postgres=arguments.postgres) as connection:
            corpus.load(connection)
            corpus.register(connection)
            tried = Database(connection)
            draw(
                tried.tune_index("item", corpus.queries[:100], rotated=True, sample=10_000),
                arguments.output / "tuning.svg",
            )
            for each in tried.tune_prefixes("item", corpus.queries[:50], dims=[16, 32, 64]).prefixes:
                print(f"{each.dims} dimensions: {each.reachable} of {each.decided} answers are reachable")
    if arguments.only != "tuning":
        _planner(corpus, arguments)


def _planner(corpus: Corpus, arguments: argparse.Namespace) -> None:
    queries = [vector_text(query) for query in corpus.queries[: arguments.queries]]
    times: dict[str, dict[float, float]] = {way: {} for way in WAYS}
    chosen: dict[float, tuple[float, str]] = {}
    with database("bench_picture", postgres=arguments.postgres) as connection:
        corpus.load(connection)
        corpus.register(connection)
        connection.execute("SELECT pgsim.create_index('item', 'model')")
        connection.execute("SELECT pgsim.calibrate('item')")
        total = len(corpus.vectors)
        for share in SHARES:
            rows = max(12, round(share * total))
            for way in WAYS:
                if way == "ann" and share < 0.02:
                    continue  # beyond what an index finds at this recall
                times[way][share], _ = _median(connection, queries, rows, way)
            taken, answered = _median(connection, queries, rows, "auto")
            chosen[share] = taken, max(answered, key=lambda strategy: answered[strategy])
    _draw(
        f"{corpus.name}: {total:,} rows, {corpus.dim} dimensions, recall .99",
        times,
        chosen,
        arguments.output / "planner.svg",
    )


if __name__ == "__main__":
    main()
