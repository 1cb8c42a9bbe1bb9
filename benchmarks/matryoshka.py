"""Funnels over an index on a prefix, against HNSW over whole vectors, at 384, 1,536 and 4,096 dimensions.

Wider vectors are made from the corpus' own: zero-extended, turned by a fixed random rotation, with a little noise. No
prefix of such tells anything, so they are turned once more, by a rotation learned from a sample (PCA, not centred) that
changes no full-width score; the 384 dimensions too. Each index is on a table of its own, so that the planner has no
other. All are searched by pgsim at several recalls, query by query in turn, calibrated by other queries; times at the
same recall are read between them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from benchmarks import corpus
from benchmarks.race import Contender, race
from benchmarks.report import at_least, at_most, database, publish
from benchmarks.truth import Truth
from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from numpy.typing import NDArray

    from pgsim.steps import Row

K = 10
ASKED = (0.8, 0.9, 0.95, 0.97, 0.98, 0.99)
NOISE = 0.002
WIDEST = 2000


@dataclass(frozen=True)
class Index:
    """An index, and whether it is on whole vectors."""

    name: str
    arguments: str
    whole: bool = False


@dataclass(frozen=True)
class Measured:
    """What an index takes, for each recall asked the recall found and the median seconds, and answers too short."""

    width: int
    index: Index
    build_seconds: float
    bytes: int
    recalls: Sequence[float]
    medians: Sequence[float]
    short: int

    def seconds_at(self, recall: float) -> float:
        """The median at a recall found: between the two asked that lie about it, else infinite."""
        best = np.inf
        for i in range(len(self.recalls) - 1):
            low, high = self.recalls[i], self.recalls[i + 1]
            if low <= recall < high:
                share = np.log((1 - low) / (1 - recall)) / np.log((1 - low) / max(1 - high, 1e-4))
                best = min(best, self.medians[i] + share * (self.medians[i + 1] - self.medians[i]))
        if self.recalls[0] >= recall:
            best = min(best, self.medians[0])
        return float(best)


def widened(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows ``(n, width)`` and queries ``(m, width)``, at unit length, their spread in the first dimensions."""
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.normal(size=(width, vectors.shape[1])))[0].T.astype(np.float32)

    def wide(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if width == rows.shape[1]:
            return rows
        made = rows @ turn
        made += random.normal(size=made.shape, scale=NOISE / np.sqrt(width / 384)).astype(np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return np.asarray(made, np.float32)

    rows, asked = wide(vectors), wide(queries)
    sample = rows[:: max(1, len(rows) // 8000)]
    # The strongest directions by a few steps of subspace iteration; the rest of the rotation is whatever is left over.
    found = random.normal(size=(width, min(width, 256))).astype(np.float32)
    for _ in range(6):
        found = np.linalg.qr(sample.T @ (sample @ found))[0]
    strongest = np.linalg.svd(sample @ found, full_matrices=False)[2]
    rotation = np.linalg.qr(found @ strongest.T, mode="complete")[0].astype(np.float32)
    return rows @ rotation, asked @ rotation


def fill(connection: psycopg.Connection[Row], vectors: NDArray[np.float32], width: int, tables: int) -> None:
    """A collection with the vectors, in so many tables; in half precision where no index takes whole ones."""
    element = "vector" if width <= WIDEST else "halfvec"
    connection.execute("CREATE TABLE item (id integer PRIMARY KEY, text text); SELECT pgsim.create_collection('item')")
    connection.execute("INSERT INTO item SELECT generate_series(1, %s)", [len(vectors)])
    connection.execute("SELECT pgsim.create_model('model', %s, element => %s)", [width, element])
    register_vector(connection)
    first = None
    for number in range(tables):
        connection.execute("SELECT pgsim.create_embedding('item', %s, '{text}')", [str(number)])
        connection.execute("SELECT pgsim.create_version('item', 'model', %s)", [str(number)])
        ((table,),) = connection.execute(
            "SELECT relation::text FROM pgsim.versions WHERE embedding = %s", [str(number)]
        ).fetchall()
        if first is None:
            first = str(table)
            with connection.cursor().copy(f"COPY {table} (key, embedding) FROM STDIN (FORMAT binary)".encode()) as copy:
                copy.set_types(["integer", element])
                for key, vector in enumerate(vectors, 1):
                    copy.write_row([key, vector if element == "vector" else HalfVector(vector)])
        else:
            connection.execute(
                f"INSERT INTO {table} (key, embedding) SELECT key, embedding FROM {first} ORDER BY key".encode()
            )
        connection.execute("DELETE FROM pgsim._queue")
        connection.execute(f"VACUUM ANALYZE {table}".encode())
    connection.execute("VACUUM ANALYZE item")


def _answer(
    connection: psycopg.Connection[Row], number: int, recall: float, texts: Sequence[str], query: int
) -> list[int]:
    rows = connection.execute(
        "SELECT key FROM pgsim.search('item', query => %s, k => %s, embedding => %s, recall => %s, mode => 'ann')",
        [texts[query], K, str(number), recall],
    ).fetchall()
    return [int(str(key)) for (key,) in rows]


def measure(
    connection: psycopg.Connection[Row],
    indexes: Sequence[Index],
    width: int,
    texts: Sequence[str],
    truth: Truth,
    *,
    calibrated: Sequence[str],
) -> list[Measured]:
    """Build each index on its table, calibrate, and race searches at every recall."""
    built = []
    for number, index in enumerate(indexes):
        started = time.perf_counter()
        made = connection.execute(
            f"SELECT pgsim.create_index('item', 'model', %s{index.arguments})::text".encode(), [str(number)]
        ).fetchall()
        seconds = time.perf_counter() - started
        ((size,),) = connection.execute("SELECT pg_relation_size(%s::regclass)", [made[0][0]]).fetchall()
        built.append((seconds, int(str(size))))
    for number in range(len(indexes)):
        connection.execute(
            "SELECT pgsim.calibrate('item', embedding => %s, queries => %s::vector[])", [str(number), list(calibrated)]
        )
    contenders = [
        Contender(f"{number} {recall}", partial(_answer, connection, number, recall, texts))
        for number in range(len(indexes))
        for recall in ASKED
    ]
    timed = race(contenders, range(len(texts)))
    measured = []
    for number, (index, (seconds, size)) in enumerate(zip(indexes, built, strict=True)):
        runs = [timed[f"{number} {recall}"] for recall in ASKED]
        recalls = [truth.mean_recall(run.answers) for run in runs]
        short = sum(truth.short(run.answers) for run in runs)
        measured.append(Measured(width, index, seconds, size, recalls, [run.median for run in runs], short))
    return measured


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[384, 1536, 4096])
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--calibrated", type=int, default=80, help="Queries to calibrate with.")
    parser.add_argument("--dims", type=int, default=128, help="Length of the prefix.")
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    source = corpus.load_corpus()
    measured = []
    for width in arguments.widths:
        vectors, queries = widened(source.vectors, source.queries[: arguments.queries + arguments.calibrated], width)
        truth = Truth(queries[: arguments.queries] @ vectors.T, np.ones(len(vectors), bool), K)
        # Those that calibrate are not those that are measured.
        texts = [vector_text(query) for query in queries]
        texts, calibrated = texts[: arguments.queries], texts[arguments.queries :]
        indexes = [Index(f"halfvec {arguments.dims}", f", dims => {arguments.dims}, element => 'halfvec'")]
        if width <= WIDEST:
            indexes.insert(0, Index("whole", "", whole=True))
        if width == source.dim:
            short = arguments.dims * 5 // 8
            indexes.append(
                Index(
                    f"halfvec {short}, m 5",
                    f""", dims => {short}, element => 'halfvec', options => '{{"m": 5, "ef_construction": 400}}'""",
                )
            )
        with database("bench_matryoshka", postgres=arguments.postgres) as connection:
            fill(connection, vectors, width, len(indexes))
            del vectors
            measured += measure(connection, indexes, width, texts, truth, calibrated=calibrated)
    _publish(measured, source, arguments.queries)


def _publish(measured: Sequence[Measured], source: corpus.Corpus, queries: int) -> None:
    whole = {each.width: each for each in measured if each.index.whole}
    rows, ratios = [], {}
    for each in measured:
        full = whole.get(each.width)
        cells = []
        for recall in (0.95, 0.98):
            seconds = each.seconds_at(recall)
            cells.append(f"{seconds * 1e3:.2f}" if seconds < np.inf else "")
            if full:
                ratios[each.width, each.index.name, recall] = seconds / full.seconds_at(recall)
                cells.append(f"{ratios[each.width, each.index.name, recall]:.2f}")
            else:
                cells.append("")
        rows.append(
            (
                each.width,
                each.index.name,
                *cells,
                f"{max(each.recalls):.3f}",
                f"{each.bytes / 1e6:.1f}",
                f"1/{full.bytes / each.bytes:.1f}" if full else "",
                f"{each.build_seconds:.1f}",
                f"{each.build_seconds / full.build_seconds:.2f}" if full else "",
            )
        )
    short = sum(each.short for each in measured)
    verdicts: dict[str, bool | None] = {f"{K} rows in every answer ({short} short)": short == 0}
    by_hand = {(each.width, i): each for each in measured for i in [_kind(each)]}
    debian = "PGSIM_CORPUS" in os.environ
    for width, kind, recall, limit, share, built in (
        (384, "funnel", 0.98, 1.0, 1 / 3.5, 0.6),
        (1536, "funnel", 0.98, 0.4, 1 / 12, 0.2),
        (384, "small", 0.95, 0.9, 1 / 6, None),
    ):
        funnel, full = by_hand.get((width, kind)), whole.get(width)
        name = f"{width} dimensions at recall {recall}"
        figures = debian and funnel is not None and full is not None
        time_ratio = {"p50": ratios[width, funnel.index.name, recall]} if figures and funnel else {}
        verdicts |= at_most(f"{name}: at most {limit} of the time of whole vectors", time_ratio, limit)
        size_ratio = {"bytes": funnel.bytes / full.bytes} if figures and funnel and full else {}
        verdicts |= at_most(f"{name}: at most {share:.3f} of the bytes", size_ratio, share)
        if built:
            build_ratio = {"build": funnel.build_seconds / full.build_seconds} if figures and funnel and full else {}
            verdicts |= at_most(f"{name}: at most {built} of the time to build", build_ratio, built)
    widest = by_hand.get((4096, "funnel"))
    found = {"asked .98": widest.recalls[ASKED.index(0.98)]} if debian and widest else {}
    verdicts |= at_least("4096 dimensions, which no index takes whole: recall at least 0.98", found, 0.98)
    kept = publish(
        "matryoshka",
        f"Funnels, best {K}, on {source.name}, {len(source.rows)} rows, {queries} queries",
        [
            "#dims",
            "index",
            "#ms at .95",
            "#ratio",
            "#ms at .98",
            "#ratio",
            "#best recall",
            "#MB",
            "#of whole",
            "#s",
            "#ratio",
        ],
        rows,
        verdicts,
        figures=[
            {"width": e.width, "index": e.index.name, "recalls": list(e.recalls), "medians": list(e.medians)}
            for e in measured
        ],
    )
    sys.exit(0 if kept else 1)


def _kind(measured: Measured) -> str:
    return "whole" if measured.index.whole else "small" if "m 5" in measured.index.name else "funnel"


if __name__ == "__main__":
    main()
