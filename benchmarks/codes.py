"""Kinds of codes: what a filtered search costs by each, beside ranking every match by its vector."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import psycopg

from benchmarks.corpus import load_corpus
from benchmarks.mixture import Mixture
from benchmarks.pgsim_search import RECALL, K
from benchmarks.race import Contender, race
from benchmarks.report import at_least, at_most, database, publish
from benchmarks.scale import fill
from benchmarks.truth import find_truth
from pgsim import Database
from pgsim.json_values import json_text
from pgsim.maps import fit_pca
from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.corpus import Corpus, Shape
    from pgsim.steps import Row

# A shape is told of where it leaves this share of the rows: what codes are for.
SHARES = (0.01, 0.2)


@dataclass(frozen=True)
class Kind:
    """How codes are made: bits of the stored numbers, or the first ``dims`` of what a map makes of them."""

    name: str
    dims: int | None = None
    element: str | None = None
    map: str | None = None

    @property
    def options(self) -> dict[str, object]:
        """As ``create_index`` takes them."""
        return {} if self.map is None else {"map": self.map}


def _kinds(dim: int) -> list[Kind]:
    short = (Kind(f"halfvec {dims}, rotated", dims, "halfvec", "turned") for dims in (dim // 4, dim // 3))
    return [Kind("bit"), *short]


def _made(connection: psycopg.Connection[Row], kind: Kind) -> tuple[float, int]:
    """Make codes of a kind in place of what there was, calibrated; seconds and bytes."""
    connection.execute("SELECT pgsim.drop_index(i.relation) FROM pgsim._index AS i WHERE i.method = 'codes'")
    started = time.perf_counter()
    Database(connection).create_index(
        "item", "model", method="codes", dims=kind.dims, element=kind.element, options=kind.options
    )
    seconds = time.perf_counter() - started
    connection.execute("VACUUM ANALYZE item")
    ((size,),) = connection.execute("SELECT bytes FROM pgsim.indexes WHERE method = 'codes'").fetchall()
    return seconds, int(str(size))


def _exact(connection: psycopg.Connection[Row], shape: Shape, texts: Sequence[str], query: int) -> list[int]:
    statement = f"SELECT id FROM item WHERE {shape.predicate} ORDER BY (embedding <=> %s::vector) + 0 LIMIT {K}"
    return [int(str(key)) for (key,) in connection.execute(statement.encode(), [texts[query]]).fetchall()]


def _median(contender: Contender, queries: int) -> float:
    return race([contender], range(queries), warm_up=1)[contender.name].median


def _by_codes(connection: psycopg.Connection[Row], shape: Shape, texts: Sequence[str], query: int) -> list[int]:
    rows = connection.execute(
        "SELECT key FROM pgsim.search('item', query => %s, k => %s, filter => %s::jsonb, recall => %s, "
        "mode => 'codes')",
        [texts[query], K, json_text(shape.filter), RECALL],
    ).fetchall()
    return [int(str(key)) for (key,) in rows]


def _least(figures: dict[str, float], shapes: Sequence[str], kind: str = "") -> dict[str, float]:
    """The least figure of each shape, of kinds whose names begin so."""
    found = {shape: [figures[told] for told in figures if told.startswith(f"{shape}, {kind}")] for shape in shapes}
    return {shape: min(each) for shape, each in found.items() if each}


def _prepare(connection: psycopg.Connection[Row], corpus: Corpus, mixture: Mixture) -> None:
    fill(connection, corpus, mixture)
    corpus.register(connection)
    drawn = np.random.default_rng(0).permutation(len(corpus.vectors))[:20000]
    Database(connection).create_map("turned", "model", fit_pca(corpus.vectors[drawn]))


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="mixed from the corpus")
    parser.add_argument("--queries", type=int, default=30, help="for each shape")
    parser.add_argument("--exact", type=int, default=5, help="queries for the exact statement")
    parser.add_argument("--postgres", type=int, default=18)
    parser.add_argument("--shapes", nargs="+", metavar="NAME", help="by default those that codes are for")
    parser.add_argument("--keep", metavar="NAME", help="as benchmarks.scale has it, whose tables these are")
    arguments = parser.parse_args()
    corpus = load_corpus()
    mixture = Mixture(corpus, arguments.rows)
    texts = [vector_text(query) for query in corpus.queries[: arguments.queries]]
    rows: list[tuple[object, ...]] = []
    recalls: dict[str, float] = {}
    to_exact: dict[str, float] = {}
    to_bits: dict[str, float] = {}
    name = f"bench_{arguments.keep or 'codes'}"
    with database(name, postgres=arguments.postgres, keep=bool(arguments.keep)) as connection:
        _prepare(connection, corpus, mixture)
        similarities = mixture.similarities(corpus.queries[: arguments.queries])
        truths = [
            (shape, find_truth(connection, "item", shape.predicate, similarities, K))
            for shape in corpus.choose(arguments.shapes or corpus.scaled)
            if shape.filter and set(shape.filter) <= set(corpus.filter_columns)
        ]
        chosen = [
            (shape, truth)
            for shape, truth in truths
            if arguments.shapes or SHARES[0] <= truth.matches / mixture.rows <= SHARES[1]
        ]
        bits: dict[str, float] = {}
        exact = {
            shape.name: _median(Contender("exact", partial(_exact, connection, shape, texts)), arguments.exact)
            for shape, _ in chosen
        }
        for kind in _kinds(corpus.dim):
            seconds, size = _made(connection, kind)
            for shape, truth in chosen:
                contender = Contender(kind.name, partial(_by_codes, connection, shape, texts))
                shown = [shape.name, truth.matches, kind.name]
                built = [f"{seconds:.1f}", f"{size / 1e6:.0f}"]
                try:
                    contender.answer(0)
                except psycopg.Error as refused:
                    if refused.sqlstate != "PS010":
                        raise
                    rows.append((*shown, "tell too little", f"{1e3 * exact[shape.name]:.1f}", "", "", "", *built))
                    continue
                timed = race([contender], range(len(texts)))[kind.name]
                told = f"{shape.name}, {kind.name}"
                recalls[told] = truth.mean_recall(timed.answers)
                to_exact[told] = timed.median / exact[shape.name]
                to_bits[told] = timed.median / bits.setdefault(shape.name, timed.median)
                times = [f"{1e3 * exact[shape.name]:.1f}", f"{1e3 * timed.median:.2f}"]
                ratios = [f"{to_exact[told]:.3f}", f"{to_bits[told]:.2f}"]
                rows.append((*shown, f"{recalls[told]:.4f}", *times, *ratios, *built))
    near = [shape.name for shape, truth in chosen if 0.05 <= truth.matches / mixture.rows <= 0.15]
    of_exact, of_bits = _least(to_exact, near), _least(to_bits, near, "halfvec")
    kept = publish(
        f"codes{arguments.postgres}",
        f"{arguments.rows} rows mixed from {corpus.name}, {arguments.queries} queries a shape, recall {RECALL} asked",
        [
            "shape",
            "#matches",
            "codes",
            "#recall",
            "#exact ms",
            "#ms",
            "#ratio to exact",
            "#ratio to bits",
            "#built s",
            "#MB",
        ],
        rows,
        at_least(f"recall at least {RECALL}", recalls, RECALL)
        | at_most("a fifth of exact for 5 to 15%: ratio", of_exact, 0.2)
        | at_most(".7 of bits by a rotated kind for 5 to 15%: ratio", of_bits, 0.7),
    )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
