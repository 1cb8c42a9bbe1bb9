"""What a map makes of prefixes, and what it costs: a query, a row written, a table filled."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.corpus import load_corpus
from benchmarks.report import database, publish
from pgsim import Database
from pgsim.maps import fit_leanvec, fit_pca, recall_by_prefix
from pgsim.vectors import vector_text

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from pgsim.steps import Row


def _median(call: Callable[[int], object], times: int) -> float:
    taken = []
    for i in range(times):
        started = time.perf_counter()
        call(i)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken))


def _stored(base: Database, embedding: str, vectors: np.ndarray) -> float:
    """Seconds a row in which vectors are stored under the base model, none of them as before."""
    taken = []
    for sign in (-1, 1, -1, 1):
        started = time.perf_counter()
        base.upsert("item", "model", range(1, len(vectors) + 1), vectors * sign, embedding=embedding)
        taken.append(time.perf_counter() - started)
    return min(taken) / len(vectors)


def _search(connection: psycopg.Connection[Row], queries: np.ndarray, model: str, number: int) -> object:
    """A search that costs little itself."""
    statement = "SELECT key FROM pgsim.search('item', %s, model => %s, mode => 'exact', where_sql => 'id < 100')"
    return connection.execute(statement, [vector_text(queries[number]), model]).fetchall()


def main() -> None:
    """Measure, print, and exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    corpus = load_corpus()
    vectors, dim = corpus.vectors, corpus.dim
    queries = corpus.queries[: arguments.queries]
    half = corpus.queries[len(corpus.queries) // 2 :]
    sample = vectors[np.random.default_rng(0).permutation(len(vectors))[:20000]]
    dims = [each for each in (32, 64, 128, 192, 256) if each < dim]
    rows: list[tuple[object, ...]] = []
    recalls = {}
    for name, fitted in (("pca", fit_pca(sample)), ("leanvec", fit_leanvec(sample, half))):
        for each in recall_by_prefix(vectors, queries, fitted, dims):
            recalls[name, each.dims] = (each.raw or (), each.mapped or ())
            shown = [" / ".join(f"{share:.3f}" for share in part or ()) for part in (each.raw, each.mapped)]
            rows.append((f"in 10 / 50 / 200, {name}", each.dims, *shown, ""))
    with database("bench_maps", postgres=arguments.postgres) as connection:
        corpus.load(connection)
        corpus.register(connection)
        base = Database(connection)
        # Beside the adopted column the same vectors in a table of their own.
        base.create_embedding("item", "apart", [corpus.text_column])
        base.create_version("item", "model", embedding="apart")
        batch = vectors[: arguments.batch]
        apart = vectors[: 10 * arguments.batch]
        base.upsert("item", "model", range(1, len(apart) + 1), apart, embedding="apart")
        before = {place: _stored(base, place, batch) for place in ("default", "apart")}
        base.create_map("turn", "model", fit_pca(sample))
        base.derive_model("turned", "turn")
        base.create_version("item", "turned", embedding="apart")
        base.fill_version("item", "turned", embedding="apart")
        base.create_version("item", "turned")
        started = time.perf_counter()
        filled = base.fill_version("item", "turned")
        seconds = time.perf_counter() - started
        after = {place: _stored(base, place, batch) for place in ("default", "apart")}
        connection.execute("VACUUM ANALYZE")
        times = {
            model: _median(partial(_search, connection, queries, model), len(queries))
            for model in ("model", "turned", "model", "turned")
        }
        sent = _median(lambda i: connection.execute("SELECT %s::vector", [vector_text(queries[i])]), len(queries))
        applied = _median(
            lambda i: connection.execute("SELECT pgsim.apply_map('turn', %s)", [vector_text(queries[i])]), len(queries)
        )
    extra = times["turned"] - times["model"]
    for what, unit, first, second in (
        ("search of 99 rows", 1e3, times["model"], times["turned"]),
        ("a vector sent and cast, apply_map", 1e3, sent, applied),
        ("upsert, adopted column, us a row", 1e6, before["default"], after["default"]),
        ("upsert, version table, us a row", 1e6, before["apart"], after["apart"]),
    ):
        titled = what if unit == 1e6 else f"{what}, ms"
        rows.append((titled, dim, f"{first * unit:.2f}", f"{second * unit:.2f}", f"{second / first:.2f}"))
    rows.append(("filling, rows a second", dim, "", f"{filled / seconds:.0f}", ""))
    best = max((each for each in dims if each <= dim // 3), default=dims[0])
    raw, better = (each[1] for each in recalls["pca", best])
    kept = publish(
        "maps",
        f"Maps on {corpus.name}, {len(vectors)} rows of {dim} dimensions",
        ["what", "#dims", "#before", "#mapped", "#ratio"],
        rows,
        {
            f"mapping a query costs a search under 0.3 ms ({extra * 1e3:.2f} ms)": extra < 0.3e-3,
            f"in 50 by {best} dims more of the true 10 than raw ({raw:.3f}, {better:.3f})": better > raw,
            f"all rows filled ({filled})": filled == len(vectors),
        },
    )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
