"""Sparse vectors by an inverted index, by HNSW and by ranking every row.

The vectors are BM25's own: each row's impacts, and of a query what its words weigh. ``PGSIM_CORPUS`` is as of
``benchmarks.text``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import text
from benchmarks.race import Contender, race
from benchmarks.report import at_most, database, publish

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from pgsim.steps import Row

K = 10
_MODES = {"inverted": "auto", "hnsw": "ann", "every row": "exact"}
_QUERY = """
    SELECT q.vector::text FROM pgsim._collection AS c JOIN pgsim._text AS x ON x.collection_id = c.id
    CROSS JOIN LATERAL pgsim._read_text_query(c, x, %s, 'any') AS q WHERE c.name = 'item'
"""
_SEARCH = "SELECT key, score FROM pgsim.search('item', sparse_query => %s, mode => %s)"


def _sparse(connection: psycopg.Connection[Row]) -> dict[str, float]:
    """Give the rows their impacts as sparse vectors, and both indexes; the seconds that each took."""
    connection.execute(
        "SELECT pgsim.create_model('bm25', 1000000000, metric => 'ip', element => 'sparsevec');"
        "SELECT pgsim.create_version('item', 'bm25')"
    )
    ((documents, vectors),) = connection.execute(
        "SELECT x.documents::text, v.relation::text FROM pgsim._text AS x, pgsim._version AS v"
    ).fetchall()
    connection.execute(f"INSERT INTO {vectors} (key, embedding) SELECT key, impacts FROM {documents}".encode())
    connection.execute(f"VACUUM ANALYZE {vectors}".encode())
    seconds = {}
    for method, options in (("inverted", "{}"), ("hnsw", '{"top_weights": 1000}')):
        started = time.perf_counter()
        connection.execute("SELECT pgsim.create_index('item', 'bm25', method => %s, options => %s)", [method, options])
        seconds[method] = time.perf_counter() - started
    return seconds


def _contender(connection: psycopg.Connection[Row], name: str, queries: Sequence[str]) -> Contender:
    def answer(query: int) -> list[int]:
        rows = connection.execute(_SEARCH.encode(), [queries[query], _MODES[name]]).fetchall()
        return [int(str(row[0])) for row in rows]

    return Contender(name, answer)


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    texts = text._load()
    with database("bench_sparse", postgres=arguments.postgres) as connection:
        text._fill(connection, "item", texts.bodies)
        seconds = _sparse(connection)
        asked = [connection.execute(_QUERY, [words]).fetchall() for _, words in texts.queries[: arguments.queries]]
        queries = [str(row[0][0]) for row in asked if row and row[0][0] is not None]
        contenders = [_contender(connection, name, queries) for name in _MODES]
        timed = race(contenders, range(len(queries)), warm_up=min(20, len(queries)))
        exact = timed["every row"]
        overlap = {
            name: float(
                np.mean([len({*a} & {*b}) / max(1, len(b)) for a, b in zip(run.answers, exact.answers, strict=True)])
            )
            for name, run in timed.items()
        }
        wrong = sum(a != b for a, b in zip(timed["inverted"].answers, exact.answers, strict=True))
        sizes = connection.execute("SELECT method, bytes FROM pgsim.indexes").fetchall()
    megabytes = {str(method): int(str(size)) / 1e6 for method, size in sizes}
    rows = [
        (
            name,
            *(f"{each * 1e3:.2f}" for each in (run.median, run.p95)),
            f"{run.median / exact.median:.3f}",
            f"{overlap[name]:.3f}",
            *(f"{each[name]:.1f}" if name in each else "" for each in (seconds, megabytes)),
        )
        for name, run in timed.items()
    ]
    promised = {"Debian": timed["inverted"].median / exact.median} if "PGSIM_CORPUS" in os.environ else {}
    kept = publish(
        "sparse",
        f"Sparse vectors, best {K}, on {texts.name}, {len(texts.bodies)} rows, {len(queries)} queries",
        ["search", "#p50 ms", "#p95 ms", "#ratio p50", "#recall", "#built in s", "#MB"],
        rows,
        {
            f"every answer of the inverted index is that of ranking every row ({wrong} wrong)": wrong == 0,
            **at_most("its p50 at most 1/4 of that of ranking every row", promised, 1 / 4),
        },
        figures={"seconds": seconds, "megabytes": megabytes, "recall": overlap},
    )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
