"""Exact search equals brute force, and costs little more than the same statement sent by hand."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.corpus import Corpus, Shape, load_corpus
from benchmarks.report import database, publish
from pgsim.vectors import vector_text

if TYPE_CHECKING:
    import psycopg
    from numpy.typing import NDArray

    from pgsim.steps import Row

K = 10
_SEARCH = "SELECT key, distance FROM pgsim.search('item', query => %s, k => %s, filter => %s::jsonb, mode => 'exact')"


def _wrong(corpus: Corpus, ids: NDArray[np.int64], query: NDArray[np.float32], found: list[Row]) -> bool:
    """Whether an answer is not the brute-force one; equal distances (1e-6) may stand for one another."""
    similarities = corpus.vectors[ids] @ query
    best = np.sort(similarities)[::-1][:K]
    given = np.array([similarities[np.searchsorted(ids, int(str(row[0])) - 1)] for row in found])
    return len(found) != len(best) or bool(np.any(np.abs(given - best) > 1e-6))


def _same_statement(connection: psycopg.Connection[Row], query: str, filter: str | None) -> tuple[str, str]:
    """The statement that pgsim runs for a filter, as a client would send it, and the values it reads."""
    rows = connection.execute(
        "SELECT e ->> 'statement', e ->> 'values' "
        "FROM pgsim.explain_search('item', query => %s, k => %s, filter => %s::jsonb, mode => 'exact') AS e",
        [query, K, filter],
    ).fetchall()
    statement, values = map(str, rows[0])
    statement = statement.replace("%", "%%").replace("($1 ->>", "(%(values)s::jsonb ->>")
    # '$2' in quotes is the name of a value, not the parameter.
    return re.sub(r"\$2(?!')", "%(query)s::vector", statement), values


def _measure(
    connection: psycopg.Connection[Row], corpus: Corpus, shape: Shape, queries: NDArray[np.float32]
) -> tuple[int, int, NDArray[np.float64], NDArray[np.float64]]:
    given = None if shape.filter is None else json.dumps(shape.filter)
    by_hand, values = _same_statement(connection, vector_text(queries[0]), given)
    matching = connection.execute(f"SELECT id FROM item WHERE {shape.predicate} ORDER BY id".encode()).fetchall()
    ids = np.array([int(str(row[0])) - 1 for row in matching], dtype=np.int64)
    wrong, mine, hand = 0, [], []
    for query in queries:
        text = vector_text(query)
        started = time.perf_counter()
        connection.execute(by_hand.encode(), {"values": values, "query": text}).fetchall()
        between = time.perf_counter()
        found = connection.execute(_SEARCH, [text, K, given]).fetchall()
        mine.append(time.perf_counter() - between)
        hand.append(between - started)
        wrong += _wrong(corpus, ids, query, found)
    return len(ids), wrong, np.array(mine), np.array(hand)


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    corpus = load_corpus()
    rows, wrong = [], 0
    overheads: list[float] = []
    with database("bench_overhead", postgres=arguments.postgres) as connection:
        corpus.load(connection)
        corpus.register(connection)
        for shape in corpus.shapes:
            matches, bad, mine, hand = _measure(connection, corpus, shape, corpus.queries[: arguments.queries])
            wrong += bad
            overheads.extend(mine - hand)
            times = [float(np.median(each)) * 1e3 for each in (mine, hand, mine - hand)]
            ratio = times[0] / times[1]
            rows.append(
                (shape.name, matches, bad, f"{times[0]:.2f}", f"{times[1]:.2f}", f"{ratio:.2f}", f"{times[2]:.2f}")
            )
    median = float(np.median(overheads))
    kept = publish(
        "overhead",
        f"Exact search on {corpus.name}, {len(corpus.vectors)} rows, {arguments.queries} queries a filter",
        ["filter", "#matches", "#wrong", "#pgsim ms", "#by hand ms", "#ratio", "#overhead ms"],
        rows,
        {
            f"every answer is the brute-force one ({wrong} wrong)": wrong == 0,
            f"overhead under 0.5 ms at the median ({median * 1e3:.2f} ms)": median < 0.5e-3,
        },
    )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
