"""Words and vectors in one search: what it finds beside each leg alone, by every method, and what it costs.

``PGSIM_CORPUS`` names a folder with the Debian corpus, whose queries are the packages' summaries, answered by the
package and by those of the same text; without it the corpus is the standard library's documentation.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.corpus import load_corpus
from benchmarks.race import Contender, race
from benchmarks.report import at_most, database, publish
from pgsim.demo.corpus import read_standard_library
from pgsim.evaluation.fusion import Judged, reciprocal_ranks, tune
from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from benchmarks.corpus import Corpus
    from pgsim.steps import Row

_LISTED = "SELECT coalesce(array_agg(key ORDER BY rank), '{}'), coalesce(array_agg(score ORDER BY rank), '{}') FROM "
DENSE = _LISTED + "pgsim.search('item', query => %(vector)s, k => 200)"
TEXT = _LISTED + "pgsim.search('item', text_query => %(text)s, k => 200)"
FUSED = _LISTED + "pgsim.search('item', query => %(vector)s, text_query => %(text)s)"
MINIMA: dict[str, float | None] = {"dense": -1.0, "text": 0.0}
METHODS = {"minmax": ("minmax", 0.0), "tmm": ("tmm", 0.0), "dbsf": ("dbsf", 0.0)} | {
    f"rrf, constant {constant:g}": ("rrf", constant) for constant in (60.0, 10.0, 2.0)
}


def _asked() -> list[tuple[int, str]]:
    """The key that each query vector of the corpus looks for, and its text."""
    folder = os.environ.get("PGSIM_CORPUS")
    if not folder:
        entries = read_standard_library()
        return [(i + 1, entries[i].doc.partition("\n")[0]) for i in range(0, len(entries), 13)]
    with gzip.open(Path(folder) / "docs.jsonl.gz", "rt", encoding="utf-8") as lines:
        summaries = {package["id"]: package["summary"] for package in map(json.loads, lines)}
    return [(key, summaries[key]) for key in np.load(Path(folder) / "query_doc_ids.npy").tolist()]


def _load(connection: psycopg.Connection[Row], corpus: Corpus) -> None:
    corpus.load(connection)
    corpus.register(connection)
    connection.execute("SELECT pgsim.create_index('item', 'model'), pgsim.enable_text('item')")
    connection.execute("VACUUM ANALYZE item")


def _contender(
    connection: psycopg.Connection[Row], name: str, statement: str, asked: Sequence[dict[str, str]]
) -> Contender:
    def answer(query: int) -> list[int]:
        ((keys, _),) = connection.execute(statement.encode(), asked[query]).fetchall()
        assert isinstance(keys, list)
        return [int(key) for key in keys]

    return Contender(name, answer)


def _judged(
    connection: psycopg.Connection[Row], corpus: Corpus, keys: Sequence[int], asked: Sequence[dict[str, str]]
) -> tuple[list[Judged], list[float]]:
    """What each leg finds for each query, and the reciprocal rank that a search by defaults gets."""
    bodies = corpus.values(corpus.text_column)
    same: dict[object, list[str]] = {}
    for number, body in enumerate(bodies, start=1):
        same.setdefault(body, []).append(str(number))
    judged, found = [], []
    for key, query in zip(keys, asked, strict=True):
        relevant = frozenset(same[bodies[key - 1]])
        legs = {}
        for name, statement in (("dense", DENSE), ("text", TEXT)):
            ((listed, scores),) = connection.execute(statement.encode(), query).fetchall()
            assert isinstance(listed, list)
            assert isinstance(scores, list)
            legs[name] = (listed, scores)
        judged.append(Judged(legs, relevant))
        ((listed, _),) = connection.execute(FUSED.encode(), query).fetchall()
        assert isinstance(listed, list)
        found.append(next((1 / rank for rank, each in enumerate(listed, 1) if each in relevant), 0.0))
    return judged, found


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=300, help="how many are timed")
    parser.add_argument("--judged", type=int, default=0, help="how many are judged; by default all")
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    corpus, answers = load_corpus(), _asked()
    asked = [
        {"vector": vector_text(vector), "text": text} for vector, (_, text) in zip(corpus.queries, answers, strict=True)
    ]
    timed = asked[: arguments.queries]
    judging = arguments.judged or len(asked)
    with database("bench_fusion", postgres=arguments.postgres) as connection:
        _load(connection, corpus)
        legs = {"vectors, 200": DENSE, "words, 200": TEXT, "fused": FUSED}
        contenders = [_contender(connection, name, statement, timed) for name, statement in legs.items()]
        runs = race(contenders, range(len(timed)), warm_up=min(20, len(timed)))
        judged, found = _judged(connection, corpus, [key for key, _ in answers[:judging]], asked[:judging])
    half = np.array([0.5, 0.5])
    alone = reciprocal_ranks(judged, MINIMA, "leg", [(each, 0.0) for each in np.eye(2)], 10).mean(axis=0)
    by_method = {
        name: float(reciprocal_ranks(judged, MINIMA, method, [(half, constant)], 10).mean())
        for name, (method, constant) in METHODS.items()
    }
    report = tune(judged, MINIMA)
    both = runs["vectors, 200"].median + runs["words, 200"].median
    rows = [
        ("vectors alone", f"{alone[0]:.4f}", f"{runs['vectors, 200'].median * 1e3:.2f}"),
        ("words alone", f"{alone[1]:.4f}", f"{runs['words, 200'].median * 1e3:.2f}"),
        ("fused by defaults", f"{np.mean(found):.4f}", f"{runs['fused'].median * 1e3:.2f}"),
        *((f"fused by {name}", f"{value:.4f}", "") for name, value in by_method.items()),
        (f"tuned: {report.fitted.method}, of the {report.held_out} held out", f"{report.tuned.value:.4f}", ""),
    ]
    on_debian = "PGSIM_CORPUS" in os.environ
    best = max(float(each) for each in alone)
    kept = publish(
        "fusion",
        f"Words and vectors on {corpus.name}, {len(corpus.rows)} rows, {len(judged)} queries; "
        f"time ratio to both legs {runs['fused'].median / both:.2f}",
        ["", "#MRR@10", "#p50 ms"],
        rows,
        {
            **at_most(
                "one call costs at most its legs and 1 ms", {"ms more": (runs["fused"].median - both) * 1e3}, 1.0
            ),
            f"fused by defaults at least .655 ({np.mean(found):.4f})": bool(np.mean(found) >= 0.655)
            if on_debian
            else None,
            f"tuned at least .67, on queries held out ({report.tuned.value:.4f})": report.tuned.value >= 0.67
            if on_debian
            else None,
            f"what tuning keeps is no worse than the best leg ({best:.4f})": report.helps
            or max(report.kept.weights.values()) == 1,
        },
        figures=report.as_json(),
    )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
